//! Uses the dashboard in a real Chromium, as an operator would. If `SCREENSHOTS` names a folder, the tests leave
//! screenshots there.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[path = "support/models.rs"]
mod models;
mod support;

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use mynah_sandbox::{RateLimits, SandboxConfig, TimelinePost};
use serde_json::{Value, json};
use support::{Output, PATIENCE, Running, Town, message, numbered, numbers};

const TOKEN: &str = "a-token-for-the-test-0123456789";

/// The width of a phone, in CSS pixels.
const PHONE: u32 = 390;

/// What the page is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    Desktop,
    DarkDesktop,
    /// With a finger instead of a pointer.
    Phone,
}

impl Screen {
    fn color_scheme(self) -> &'static str {
        match self {
            Self::DarkDesktop => "--blink-settings=preferredColorScheme=0",
            Self::Desktop | Self::Phone => "--blink-settings=preferredColorScheme=1",
        }
    }
}

/// A driver, the browser that it started, and a page in it. Dropping this ends both.
struct Browser {
    driver: Child,
    page: Client,
}

impl Browser {
    async fn open() -> Self {
        Self::show_on(Screen::Desktop).await
    }

    async fn show_on(screen: Screen) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: `make setup` installs it");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port: u16 = lines
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .expect("chromedriver did not print its port");
        // Drain the rest of its output, or the full pipe would block it.
        std::thread::spawn(move || lines.count());
        let mut options = json!({"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--window-size=1280,2600", "--hide-scrollbars",
            screen.color_scheme()
        ]});
        if screen == Screen::Phone {
            let metrics = json!({"width": PHONE, "height": 2400, "pixelRatio": 2.0, "touch": true});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        let Value::Object(options) = json!({"goog:chromeOptions": options}) else { unreachable!() };
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(options)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self { driver, page }
    }

    async fn close(mut self) {
        self.page.clone().close().await.unwrap();
        self.driver.kill().unwrap();
        self.driver.wait().unwrap();
    }

    /// Waits until a script returns `true` on the page.
    async fn until(&self, what: &str, script: &str) {
        let begun = Instant::now();
        while self.js(script).await != json!(true) {
            assert!(begun.elapsed() < PATIENCE, "the page never showed: {what}\n{}", self.text("body").await);
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// On a phone, nothing scrolls sideways, and everything that a person taps has room for a finger. Links in running
    /// text are excepted, as in WCAG 2.5.8.
    async fn assert_fits_a_phone(&self) {
        let width = self.js("return [window.innerWidth, document.documentElement.scrollWidth]").await;
        assert_eq!(width, json!([PHONE, PHONE]), "the page is wider than the phone");
        let scrolling = self
            .js("return [...document.querySelectorAll('body *')]
                 .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible'
                     && !one.matches('input, select'))
                 .map(one => one.outerHTML.slice(0, 200))")
            .await;
        assert_eq!(scrolling, json!([]), "these scroll sideways");
        let small = self
            .js("return [...document.querySelectorAll('button, select, input, textarea, summary, [role=button], a')]
                 .filter(one => !one.matches('p a, td.words a:not(.control)'))
                 .map(one => [one.outerHTML.slice(0, 200), one.getBoundingClientRect()])
                 .filter(([, box]) => box.width > 0 && (box.width < 44 || box.height < 44))
                 .map(([html, box]) => `${html}: ${box.width} x ${box.height}`)")
            .await;
        assert_eq!(small, json!([]), "these are too small for a finger");
    }

    /// Every link to elsewhere leads to the web, and tells the other site nothing.
    async fn assert_links_are_safe(&self) {
        let wrong = self
            .js("return [...document.querySelectorAll('a[href]')]
                 .filter(link => !link.getAttribute('href').startsWith('#'))
                 .filter(link => !['http:', 'https:'].includes(link.protocol) || link.target !== '_blank'
                     || !link.relList.contains('noopener') || !link.relList.contains('noreferrer'))
                 .map(link => link.outerHTML)")
            .await;
        assert_eq!(wrong, json!([]));
    }

    async fn js(&self, script: &str) -> Value {
        self.page.execute(script, vec![]).await.unwrap()
    }

    async fn text(&self, selector: &str) -> String {
        self.page.find(Locator::Css(selector)).await.unwrap().text().await.unwrap()
    }

    /// Clicks the button with this name. The page redraws all the time, so a button that was found may be gone.
    async fn click(&self, name: &str) {
        let selector = format!("button[aria-label=\"{name}\"]");
        let begun = Instant::now();
        loop {
            if let Ok(button) = self.page.find(Locator::Css(&selector)).await
                && button.click().await.is_ok()
            {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "there is no button {name}");
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn screenshot(&self, name: &str) {
        if let Some(folder) = std::env::var_os("SCREENSHOTS") {
            let image = self.page.screenshot().await.unwrap();
            std::fs::write(std::path::Path::new(&folder).join(name), image).unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // If a test fails, killing the driver ends the browser too.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A service under load that requires a token.
async fn service(posts: usize, hostile: Option<&str>) -> (Town, Running, String) {
    let texts = hostile.map(str::to_owned).into_iter().chain(numbered(posts));
    let config = SandboxConfig {
        account: support::SOURCE.into(),
        timeline: texts.map(TimelinePost::new).collect(),
        rate_limits: RateLimits::unlimited(),
        x_latency: Duration::from_millis(20),
        gemini_latency: Duration::from_millis(150),
        ..SandboxConfig::default()
    };
    let config = config.target("town_es", "es").target("town_fr", "fr");
    let mut town = Town::on(mynah_sandbox::start(config).await.unwrap(), &["es", "fr"], "gemini");
    town.environment = vec![("MYNAH_ADMIN_TOKEN".into(), TOKEN.into())];
    town.settings.extend(["translator.pool_size=4".into(), "engine.gemini.batch=2".into()]);
    let (running, address) = town.serve().await;
    (town, running, format!("http://{address}/"))
}

async fn enter_token(browser: &Browser) {
    log_in(browser, "admin", TOKEN).await;
}

async fn log_in(browser: &Browser, name: &str, token: &str) {
    browser
        .until("the page asks for the token", "return !document.getElementById('token-form').hidden")
        .await;
    let named = browser.page.find(Locator::Id("name")).await.unwrap();
    named.clear().await.unwrap();
    named.send_keys(name).await.unwrap();
    let form = browser.page.find(Locator::Id("token")).await.unwrap();
    form.send_keys(token).await.unwrap();
    browser.page.find(Locator::Css("#token-form button")).await.unwrap().click().await.unwrap();
    browser
        .until(
            "the service is ready",
            "return document.getElementById('state').textContent.startsWith('ready')",
        )
        .await;
}

/// A script that checks how many translators the page shows.
fn translator_count_is(count: usize) -> String {
    format!(
        "return [...document.querySelectorAll('#actors tr')].filter(row => \
         row.textContent.startsWith('translator')).length === {count}"
    )
}

#[actix_rt::test]
async fn the_dashboard_restarts_and_resizes_a_service_under_load_and_nothing_is_lost() {
    let (town, running, address) = service(300, None).await;
    let browser = Browser::open().await;
    browser.page.goto(&address).await.unwrap();
    enter_token(&browser).await;
    browser.until("four translators", &translator_count_is(4)).await;
    town.until_published("es", 20).await;
    let mut posted = 300;
    for size in [12, 2] {
        browser
            .js(&format!(
                "const size = document.getElementById('pool-size'); size.focus(); size.value = {size}"
            ))
            .await;
        browser
            .page
            .find(Locator::Css("#pool-form button:not([type])"))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
        browser.until("the new number of translators", &translator_count_is(size)).await;
        assert!(browser.text("#notice").await.contains("done"));
        // On a slow machine, all posts from before may be published by now.
        for _ in 0..20 {
            posted += 1;
            town.post(&message(posted));
        }
        let more = town.publications("es").len().min(posted - 20) + 20;
        town.until_published("es", more).await;
        if size == 12 {
            browser.screenshot("dashboard-light.png").await;
        }
    }
    browser.click("restart translator-1").await;
    browser.click("restart router").await;
    let restarted = "return [...document.querySelectorAll('#actors tr')].some(row => \
                     row.textContent.startsWith('routerrunning1'))";
    browser.until("the router restarted", restarted).await;
    browser.page.find(Locator::Id("reload")).await.unwrap().click().await.unwrap();
    let reloaded = "return document.getElementById('notice').textContent === 'reload settings: done'";
    browser.until("the settings are reloaded", reloaded).await;
    browser.until("the pool keeps its size", &translator_count_is(2)).await;
    let points =
        "return Number(document.querySelector('#charts polyline').getAttribute('points').split(' ').length)";
    let before = browser.js(points).await;
    browser.until("the charts move", &format!("{} > {before}", points.trim_end_matches(';'))).await;
    let published = "return Number(document.querySelector('#pipeline li:last-child').textContent.match(/(\\d+) jobs/)[1]) > 100";
    browser.until("publications are counted", published).await;
    browser
        .until("the page follows the log", "return document.getElementById('log').childElementCount > 5")
        .await;
    browser
        .until(
            "the latest publications",
            "return document.querySelectorAll('#recently-published tr').length === 10",
        )
        .await;
    for language in ["es", "fr"] {
        town.until_published(language, posted).await;
    }
    // The page agrees with the network's count.
    let all = format!(
        "return document.querySelector('#pipeline li:last-child').textContent.includes('{} jobs')",
        2 * posted
    );
    browser.until("all jobs are published", &all).await;
    browser.close().await;
    assert_eq!(running.terminate(), Some(0));
    for language in ["es", "fr"] {
        assert_eq!(numbers(&town.publications(language)), (1..=posted).collect::<Vec<_>>(), "{language}");
    }
}

/// A post that attacks web pages with markup, and terminals with escape codes. X accepts one cashtag only, so its
/// translations are held.
const HOSTILE: &str = "Hello <script>window.harmed = 1</script><img src=x onerror=\"window.harmed = 1\"> \
                       \u{1b}[31mred\u{1b}]0;harmed\u{7} \u{202E}gnihtyna $ONE $TWO";

/// A script that lists the buttons that a person sees in the sections of the page.
const BUTTONS: &str = "[...document.querySelectorAll('main button')].filter(one => one.offsetParent !== null)\
                       .map(one => (one.getAttribute('aria-label') ?? one.textContent).split(' ')[0])";

#[actix_rt::test]
async fn the_dashboard_shows_who_is_logged_in_and_only_what_they_may_do() {
    let (town, running, address) = service(3, Some(HOSTILE)).await;
    town.until_published("es", 3).await;
    let token = |name: &str, role: &str| {
        let added =
            Output::from(town.command(&["users", "add", name, "--role", role, "--json"]).output().unwrap());
        added.assert_success();
        serde_json::from_str::<Value>(&added.out).unwrap()["token"].as_str().unwrap().to_owned()
    };
    let (ana, ben) = (token("Ana", "look"), token("Ben", "review"));
    let browser = Browser::show_on(Screen::Phone).await;
    browser.page.goto(&address).await.unwrap();
    log_in(&browser, "ana", &ana).await;
    let jobs = "return document.querySelectorAll('#jobs tr').length > 0 \
                && document.querySelectorAll('#actors tr').length > 0";
    browser.until("the jobs and actors", jobs).await;
    assert_eq!(browser.text("#who-name").await, "Ana (look)");
    assert_eq!(browser.js(&format!("return {BUTTONS}")).await, json!([]));
    browser.assert_fits_a_phone().await;
    let secrets = "return document.cookie + JSON.stringify(sessionStorage) + JSON.stringify(localStorage)";
    assert_eq!(browser.js(secrets).await, "{}{}", "no script can read the session");

    browser.page.find(Locator::Id("log-out")).await.unwrap().click().await.unwrap();
    browser
        .until(
            "the page forgets everything",
            "return !document.getElementById('token-form').hidden && !document.querySelector('#jobs tr, #actors tr')",
        )
        .await;
    log_in(&browser, "Ben", &ben).await;
    browser.until("the jobs and actors", jobs).await;
    assert_eq!(browser.text("#who-name").await, "Ben (review)");
    let kinds = format!("return [...new Set({BUTTONS})].sort()");
    assert_eq!(browser.js(&kinds).await, json!(["retry", "skip"]));

    let removed = town.command(&["users", "remove", "ben", "--yes"]).output().unwrap();
    Output::from(removed).assert_success();
    browser
        .until("whoever is removed must log in", "return !document.getElementById('token-form').hidden")
        .await;
    browser.close().await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn the_dashboard_requires_the_token_and_a_hostile_post_harms_neither_page_nor_terminal() {
    let (town, running, address) = service(3, Some(HOSTILE)).await;
    town.until_published("es", 3).await;
    let browser = Browser::open().await;
    browser.page.goto(&address).await.unwrap();
    browser
        .until("the page asks for the token", "return !document.getElementById('token-form').hidden")
        .await;
    assert_eq!(browser.js("return document.querySelectorAll('#jobs tr, #actors tr').length").await, json!(0));
    let answers = browser
        .page
        .execute_async(
            "const done = arguments[0]; const json = { 'Content-Type': 'application/json' };
             Promise.all(['/api/jobs/skip', '/api/jobs/retry', '/api/pool/translator', '/api/reload',
                 '/api/actors/router/restart', '/api/pauses/all'].map((path) =>
                 fetch(path, { method: 'POST', headers: json, body: JSON.stringify({ ids: [1] }) })
                     .then((answer) => answer.status))).then(done);",
            vec![],
        )
        .await
        .unwrap();
    assert_eq!(answers, json!([401, 401, 401, 401, 401, 401]));

    enter_token(&browser).await;
    let link = "return [...document.querySelectorAll('#recently-published a')]\
                .some(link => link.href.startsWith('https://x.com/town_es/status/'))";
    browser.until("the publications have links", link).await;
    let shown = "return document.getElementById('jobs').textContent.includes('<script>window.harmed')";
    browser.until("the held post is shown verbatim", shown).await;
    let harmed = "return [window.harmed === undefined, document.title === 'Mynah', \
                  document.querySelectorAll('main script, main img').length === 0].join()";
    assert_eq!(browser.js(harmed).await, json!("true,true,true"));
    let skip = "return document.querySelector('#jobs button[aria-label^=skip]').getAttribute('aria-label')";
    let skip = browser.js(skip).await.as_str().unwrap().to_owned();
    browser.click(&skip).await;
    browser.page.dismiss_alert().await.unwrap();
    let not_yet = format!("return document.getElementById('notice').textContent === '{skip}: not confirmed'");
    browser.until("nothing is skipped without a confirmation", &not_yet).await;
    browser.click(&skip).await;
    browser.page.accept_alert().await.unwrap();
    let done = format!("return document.getElementById('notice').textContent === '{skip}: done'");
    browser.until("the job is skipped", &done).await;
    browser.page.find(Locator::Id("job-search")).await.unwrap().send_keys("gnihtyna").await.unwrap();
    let found = "return document.querySelectorAll('#jobs tr').length === 1";
    browser.until("the search finds the other job", found).await;
    browser.assert_links_are_safe().await;
    browser.screenshot("dashboard-hostile.png").await;
    browser.close().await;

    for args in [&["jobs", "--state", "held,skipped"][..], &["logs"], &["performance"], &["pause"]] {
        let output = Output::from(town.command(args).output().unwrap());
        output.assert_success();
        let control = |c: char| (c.is_control() && c != '\n') || ('\u{202A}'..='\u{202E}').contains(&c);
        assert!(!output.out.contains(control), "{args:?}: {:?}", output.out);
    }
    assert!(!town.log().contains(['\u{1b}', '\u{202E}']), "{:?}", town.log());
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn the_dashboard_shows_the_health_of_each_account_first_and_is_not_green_if_one_is_blocked() {
    let town = Town::new(numbered(1), &["es", "fr"], "gemini").await;
    town.sandbox.revoke_token("town_es");
    let browser = Browser::open().await;
    let running = open_dashboard(&town, &browser).await;
    let blocked = "const state = document.getElementById('state');
                   return state.className !== 'good' && state.textContent.startsWith('degraded')";
    browser.until("the header is not green", blocked).await;
    let first = "return document.querySelector('main section').textContent";
    let first = browser.js(first).await.as_str().unwrap().to_owned();
    assert!(first.contains("x:town_es is blocked: X does not accept the keys"), "{first}");
    assert!(first.contains("x:town_fr (fr)running"), "{first}");
    browser.screenshot("dashboard-blocked.png").await;

    let notice =
        |words: &str| format!("return document.getElementById('notice').textContent.includes('{words}')");
    browser.click("resume x:town_es").await;
    browser.until("the keys are still refused", &notice("x:town_es: still blocked: X does not accept")).await;
    town.sandbox.restore_token("town_es");
    browser.click("resume x:town_es").await;
    browser.until("the keys are tried", &notice("x:town_es: verified as @town_es")).await;
    let green = "return document.getElementById('state').className === 'good'";
    browser.until("the header is green", green).await;
    browser.close().await;
    town.until_published("es", 1).await;
    assert_eq!(running.terminate(), Some(0));
}

/// Posts with everything that a page could break on: links, mentions, long words, a post that becomes two messages, and
/// a reply, which is skipped.
fn varied() -> Vec<TimelinePost> {
    let long = "The museum has a new room about the history of our port and our ships. ".repeat(6);
    let reply = TimelinePost {
        kind: Some(mynah_sandbox::PostKind::Reply),
        ..TimelinePost::new("@old_sailor Thank you, tomorrow")
    };
    vec![
        TimelinePost::new("Good morning 101, see https://example.com/ferry?day=1&hour=2. Bye"),
        reply,
        TimelinePost::new(format!("Room 102: {long} https://example.com/museum")),
        TimelinePost::new(format!("Thank you, @HarbourFC, 103 times! {}", "Donaudampfschiff".repeat(8))),
        TimelinePost::new("Not a link 104: javascript:alert(1) data:text/html,x ftp://example.org/x"),
    ]
}

async fn varied_town() -> Town {
    Town::with_timeline(varied(), &["es", "fr"], "gemini").await
}

async fn open_dashboard(town: &Town, browser: &Browser) -> Running {
    let (running, address) = town.serve().await;
    browser.page.goto(&format!("http://{address}/")).await.unwrap();
    running
}

#[actix_rt::test]
async fn the_dashboard_shows_posts_beside_their_translations_and_links_can_be_followed() {
    let town = varied_town().await;
    // One account is blocked, so that every kind of row is on the page.
    town.sandbox.revoke_token("town_fr");
    let (desktop, dark) = (Browser::open().await, Browser::show_on(Screen::DarkDesktop).await);
    let running = open_dashboard(&town, &desktop).await;
    town.until_published("es", 5).await;
    let four = "return document.querySelectorAll('#recently-published tr').length === 4";
    desktop.until("the posts that were published last", four).await;
    let blocked = "return document.getElementById('accounts').textContent.includes('blocked')";
    desktop.until("the other account is blocked", blocked).await;
    town.sandbox.restore_token("town_fr");
    desktop.click("resume x:town_fr").await;
    town.until_published("fr", 5).await;
    let rows = "return [...document.querySelectorAll('#recently-published tr')].length === 4 && \
                [...document.querySelectorAll('#recently-published tr')].every(row => {
                    const numbers = [...row.children].map(cell => cell.textContent.match(/10[1-4]/)?.[0]);
                    return numbers.length === 3 && numbers.every(number => number && number === numbers[0]);
                })";
    desktop.until("one row for each post, with both translations", rows).await;
    desktop.assert_links_are_safe().await;
    let links = "const links = [...document.querySelectorAll('#recently-published a')].map(link => link.href);
                 return ['https://example.com/ferry?day=1&hour=2', 'https://x.com/HarbourFC', 'https://example.com/museum']
                     .every(address => links.includes(address)) && \
                     links.every(address => /^https?:\\/\\/(example\\.com|example\\.org|x\\.com)\\//.test(address))";
    desktop.until("links and mentions of the posts", links).await;
    let part = "return [...document.querySelectorAll('#recently-published a')].some(link => link.textContent === 'open part 2')";
    desktop.until("every message of a long post has a link", part).await;
    let times = "const log = document.getElementById('log').textContent;
                 return log.includes('job published') && !/:\\d\\d\\.\\d/.test(log) && !log.includes('stats stats')";
    desktop.until("the log has whole seconds, and no measurements", times).await;
    desktop.screenshot("dashboard-posts.png").await;

    dark.page.goto(desktop.page.current_url().await.unwrap().as_ref()).await.unwrap();
    dark.until("the page is drawn", rows).await;
    let is_dark = "return getComputedStyle(document.body).backgroundColor === 'rgb(18, 22, 27)'";
    assert_eq!(dark.js(is_dark).await, json!(true));
    dark.screenshot("dashboard-dark.png").await;
    desktop.close().await;
    dark.close().await;
    assert_eq!(running.terminate(), Some(0));
}

#[actix_rt::test]
async fn the_dashboard_fits_a_phone_and_a_finger() {
    let mut town = varied_town().await;
    let refused =
        "Held 105: $ONE $TWO have two cashtags and a very long word: Donaudampfschifffahrtsgesellschaft";
    town.post(refused);
    town.sandbox.revoke_token("town_fr");
    town.settings.push("translator.pool_size=3".into());
    let phone = Browser::show_on(Screen::Phone).await;
    let running = open_dashboard(&town, &phone).await;
    let drawn = "return document.querySelectorAll('#jobs button[aria-label^=retry]').length > 0 && \
                 document.querySelectorAll('#recently-published a').length > 4 && \
                 document.querySelectorAll('#actors button').length > 7 && \
                 document.getElementById('accounts').textContent.includes('blocked')";
    phone.until("everything is drawn", drawn).await;
    phone.assert_fits_a_phone().await;
    let first = "return [...document.querySelectorAll('main section')][0].querySelector('h2').textContent";
    assert_eq!(phone.js(first).await, json!("Accounts"), "health comes first");
    phone.screenshot("dashboard-phone.png").await;
    phone.js("document.getElementById('h-recent').scrollIntoView()").await;
    phone.screenshot("dashboard-phone-below.png").await;
    phone.close().await;
    assert_eq!(running.terminate(), Some(0));
}

/// The rows of the sandbox's page: for each, the texts of all cells, their messages joined.
const SANDBOX_ROWS: &str = "return [...document.querySelectorAll('section.row')].map(row =>
    [...row.querySelectorAll('.cell')].map(cell => [...cell.querySelectorAll('article > p')]
        .map(text => text.textContent).join(' ⏎ ').replace(/\\s+/g, ' ')))";

async fn sandbox_rows(browser: &Browser) -> Vec<Vec<String>> {
    serde_json::from_value(browser.js(SANDBOX_ROWS).await).unwrap()
}

fn number_of(sandbox_figure: &str) -> String {
    format!(
        "return Number([...document.querySelectorAll('header dt')]
             .find(name => name.textContent === '{sandbox_figure}').nextElementSibling.textContent)"
    )
}

#[actix_rt::test]
async fn the_sandbox_shows_each_post_with_its_translations_in_a_row() {
    let town = varied_town().await;
    let (desktop, phone) = (Browser::open().await, Browser::show_on(Screen::Phone).await);
    desktop.page.goto(&town.sandbox.url()).await.unwrap();
    let quiet = "return document.querySelector('.notice') === null";
    assert_eq!(desktop.js(quiet).await, json!(true), "Gemini was not asked yet");

    let summary = support::run_json(&town, &["once"]);
    assert_eq!((&summary["published"], &summary["publications"]), (&json!(8), &json!(10)), "{summary}");
    desktop.until("the notice about Gemini", "return document.querySelector('.notice') !== null").await;
    desktop.until("all publications", &format!("{} === 10", number_of("publications"))).await;
    let rows = sandbox_rows(&desktop).await;
    assert_eq!(rows.len(), 5, "{rows:#?}");
    for (row, number) in rows.iter().zip(["104", "103", "102", "", "101"]) {
        let skipped = number.is_empty();
        assert_eq!(row.len(), 3, "{row:?}");
        assert!(
            row.iter().skip(1).all(|cell| cell.is_empty() == skipped && cell.contains(number)),
            "{row:?}"
        );
        assert!(row[0].contains(number), "{row:?}");
        assert_eq!(
            row.iter().any(|cell| cell.contains('⏎')),
            number == "102",
            "a long post has two messages: {row:?}"
        );
    }
    let beside = "const [post, ...others] = document.querySelector('section.row').querySelectorAll('article');
                  return others.length === 2 && \
                      others.every(one => one.getBoundingClientRect().top === post.getBoundingClientRect().top)";
    assert_eq!(desktop.js(beside).await, json!(true), "a post and its translations stand side by side");
    desktop.assert_links_are_safe().await;
    let links =
        "return [...document.querySelectorAll('article a[href^=http]')].map(link => link.href).join(' ')";
    let links = desktop.js(links).await.as_str().unwrap().to_owned();
    for address in ["https://example.com/ferry?day=1&hour=2", "https://x.com/HarbourFC"] {
        assert_eq!(links.matches(address).count(), 3, "{links}");
    }
    assert!(!links.contains("javascript") && !links.contains("ftp"), "{links}");
    let whole_seconds = "return [...document.querySelectorAll('time')]
        .every(time => /^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC$/.test(time.textContent))";
    assert_eq!(desktop.js(whole_seconds).await, json!(true));
    desktop.screenshot("sandbox-light.png").await;

    phone.page.goto(&town.sandbox.url()).await.unwrap();
    phone.assert_fits_a_phone().await;
    let below = "const [post, ...others] = document.querySelector('section.row').querySelectorAll('article');
                 return others.every(one => one.getBoundingClientRect().top >= post.getBoundingClientRect().bottom)";
    assert_eq!(phone.js(below).await, json!(true), "on a phone, under each other");
    phone.screenshot("sandbox-phone.png").await;
    desktop.close().await;
    phone.close().await;
}

#[actix_rt::test]
async fn the_demo_and_its_page_show_the_same() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(["demo", "--keep"])
        // Without models, wherever the test runs.
        .env("MYNAH__ENGINE__FIREFOX__MODELS_DIR", std::env::temp_dir().join("mynah-no-models"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut printed: Vec<String> = Vec::new();
    let address = loop {
        let line = lines.next().unwrap_or_else(|| panic!("the demo ended: {printed:#?}"));
        if let Some(address) = line.strip_prefix("See them side by side: ") {
            break address.to_owned();
        }
        printed.push(line);
    };
    let browser = Browser::show_on(Screen::DarkDesktop).await;
    browser.page.goto(&address).await.unwrap();
    browser.screenshot("demo-dark.png").await;
    let rows = sandbox_rows(&browser).await;
    assert_eq!(rows.len(), 24, "{rows:#?}");
    // X adds the scheme to a link without one.
    let same = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("http://", "");
    let printed = same(&printed.join(" "));
    let mut translated = 0;
    for row in &rows {
        let [post, es, ca, gl] = row.as_slice() else { panic!("{row:?}") };
        if row.iter().all(|cell| !cell.is_empty()) {
            translated += 1;
            let block = same(&format!("{post} es {es} ca {ca} gl {gl}"));
            assert!(printed.contains(&block), "not in the terminal: {block}\n{printed}");
        }
    }
    assert_eq!(translated, 21);
    let publications = browser.js(&number_of("publications")).await;
    assert!(printed.contains(&format!("24 new posts, {publications} publications in ")), "{printed}");
    assert_eq!(browser.js("return document.querySelector('.notice') === null").await, json!(true));
    browser.close().await;
    support::signal(demo.id(), support::Signal::INT);
    assert!(demo.wait().unwrap().success());
}

#[actix_rt::test]
async fn the_demo_shows_portuguese_of_a_model_beside_spanish_by_rules_and_says_which_is_which() {
    let Some(models) = models::real_models() else { return };
    let mut demo = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(["demo", "--keep"])
        .env("MYNAH__ENGINE__FIREFOX__MODELS_DIR", models)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut printed: Vec<String> = Vec::new();
    let address = loop {
        let line = lines.next().unwrap_or_else(|| panic!("the demo ended: {printed:#?}"));
        if let Some(address) = line.strip_prefix("See them side by side: ") {
            break address.to_owned();
        }
        printed.push(line);
    };
    assert!(printed[0].contains("Spanish on X, Portuguese on Bluesky"), "{printed:#?}");
    assert!(
        printed[1].starts_with("Firefox's neural models") && printed[1].ends_with("to Portuguese."),
        "{printed:#?}"
    );
    assert!(printed[2].starts_with("Apertium translates to Spanish and Catalan, by rules"), "{printed:#?}");
    let browser = Browser::open().await;
    browser.page.goto(&address).await.unwrap();
    browser.screenshot("demo-models.png").await;
    let shown = browser.js("return document.querySelector('header').innerText").await;
    let shown = shown.as_str().unwrap();
    assert!(shown.contains(&printed[1]) && shown.contains(&printed[2]), "{shown}");
    let rows = sandbox_rows(&browser).await;
    let trees = rows.iter().find(|row| row[0].starts_with("We planted 350 trees")).unwrap();
    assert!(trees[1].starts_with("Plantamos 350 árboles") && trees[2].contains("350 árvores"), "{trees:?}");
    browser.close().await;
    support::signal(demo.id(), support::Signal::INT);
    assert!(demo.wait().unwrap().success());
}

/// A login as a person makes it: on the page of the network, which leads back to the command.
#[actix_rt::test]
async fn a_person_allows_a_login_in_the_browser_and_denies_another() {
    const ACCOUNT: &str = "town_es@mastodon.example";
    let config = SandboxConfig { account: support::SOURCE.into(), ..SandboxConfig::default() };
    let sandbox = mynah_sandbox::start(config.target(ACCOUNT, "es")).await.unwrap();
    let url = sandbox.url();
    let mut town = Town::on(sandbox, &[], "gemini");
    let mut settings = std::fs::read_to_string(town.config()).unwrap();
    let mastodon = format!(
        "[mastodon]\nbase_url = \"{url}\"\n[[targets]]\nnetwork = \"mastodon\"\nlanguage = \"es\"\naccount = \"{ACCOUNT}\"\n"
    );
    settings.push_str(&mastodon);
    std::fs::write(town.config(), settings).unwrap();
    town.environment = vec![("GEMINI_API_KEY".into(), "sandbox-gemini-key".into())];
    let browser = Browser::open().await;
    for (decision, shown, code) in [("deny", "denied", 1), ("allow", "received the login", 0)] {
        let mut command = town.command(&["login", "mastodon", ACCOUNT]).spawn().unwrap();
        let mut notes = BufReader::new(command.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = notes.find(|line| line.trim_start().starts_with("http")).unwrap();
        browser.page.goto(address.trim()).await.unwrap();
        browser
            .page
            .find(Locator::Css(&format!("button[value={decision}]")))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
        browser.until(shown, &format!("return document.body.innerText.includes({shown:?})")).await;
        assert_eq!(command.wait().unwrap().code(), Some(code), "{}", notes.collect::<Vec<_>>().join("\n"));
    }
    browser.close().await;
}
