//! Uses the dashboard in a real Chromium, as an operator would. If `SCREENSHOTS` names a folder, the tests leave
//! screenshots there.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

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
use support::{Output, PATIENCE, Running, Town, numbered, numbers, until};

const TOKEN: &str = "a-token-for-the-test-0123456789";

/// A driver, the browser that it started, and a page in it. Dropping this ends both.
struct Browser {
    driver: Child,
    page: Client,
}

impl Browser {
    async fn open() -> Self {
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
        let options = json!({"goog:chromeOptions": {"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--window-size=1280,2600", "--hide-scrollbars"
        ]}});
        let Value::Object(options) = options else { unreachable!() };
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
    let running = town.start(&["run"]);
    let address = town.folder.path().join("data/admin");
    until("the admin API listens", || address.exists()).await;
    let address = std::fs::read_to_string(address).unwrap();
    (town, running, format!("http://{}/", address.trim()))
}

async fn enter_token(browser: &Browser) {
    browser
        .until("the page asks for the token", "return !document.getElementById('token-form').hidden")
        .await;
    let form = browser.page.find(Locator::Id("token")).await.unwrap();
    form.send_keys(TOKEN).await.unwrap();
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
        let more = town.publications("es").len() + 20;
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
        town.until_published(language, 300).await;
    }
    // The page agrees with the network's count.
    let all = "return document.querySelector('#pipeline li:last-child').textContent.includes('600 jobs')";
    browser.until("600 jobs are published", all).await;
    browser.page.set_window_size(390, 2600).await.unwrap();
    browser.screenshot("dashboard-phone.png").await;
    browser.close().await;
    assert_eq!(running.terminate(), Some(0));
    for language in ["es", "fr"] {
        assert_eq!(numbers(&town.publications(language)), (1..=300).collect::<Vec<_>>(), "{language}");
    }
}

/// A post that attacks web pages with markup, and terminals with escape codes. X accepts one cashtag only, so its
/// translations are held.
const HOSTILE: &str = "Hello <script>window.harmed = 1</script><img src=x onerror=\"window.harmed = 1\"> \
                       \u{1b}[31mred\u{1b}]0;harmed\u{7} \u{202E}gnihtyna $ONE $TWO";

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
    let running = town.start(&["run"]);
    let address = town.folder.path().join("data/admin");
    until("the admin API listens", || address.exists()).await;
    let address = std::fs::read_to_string(address).unwrap();
    let browser = Browser::open().await;
    browser.page.goto(&format!("http://{}/", address.trim())).await.unwrap();
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
    browser.page.set_window_size(390, 2600).await.unwrap();
    let fits = "return document.documentElement.scrollWidth <= window.innerWidth";
    browser.until("a phone needs no sideways scroll", fits).await;
    browser.close().await;
    town.until_published("es", 1).await;
    assert_eq!(running.terminate(), Some(0));
}
