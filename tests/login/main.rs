//! `mynah login` and `mynah logout` as a person uses them: the browser and the pasted code, what is stored, and everything
//! that can go wrong, none of which stores anything.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

#[path = "../support/mod.rs"]
mod support;
mod x;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use mynah_sandbox::{Endpoint, SandboxConfig, TimelinePost};
use support::{Output, Town, message, until};
use url::Url;

const KEY: &str = "a-key-for-the-test-0123456789-abcdef";
const ES: &str = "town_es@mastodon.example";
const CA: &str = "town_ca@mastodon.example";
const SKY: &str = "town-es.bsky.example";

/// A sandbox with accounts on Mastodon and Bluesky, and settings that publish on one of them.
struct Place {
    town: Town,
    http: awc::Client,
}

impl Place {
    async fn new() -> Self {
        Self::with_target("mastodon", ES).await
    }

    async fn with_target(network: &str, account: &str) -> Self {
        let config = SandboxConfig { account: support::SOURCE.into(), ..SandboxConfig::default() };
        let config = config.target(ES, "es").target(CA, "ca").target(SKY, "es").target("town_es", "es");
        let sandbox = mynah_sandbox::start(config).await.unwrap();
        let url = sandbox.url();
        let town = Town::on(sandbox, &[], "gemini");
        let mut settings = fs::read_to_string(town.config()).unwrap();
        let more = format!(
            "[mastodon]\nbase_url = \"{url}\"\n[bluesky]\nbase_url = \"{url}\"\nplc_url = \"{url}\"\nstream = \"server\"\n\
             [[targets]]\nnetwork = \"{network}\"\nlanguage = \"es\"\naccount = \"{account}\"\n"
        );
        settings.push_str(&more);
        fs::write(town.config(), settings).unwrap();
        let http = awc::Client::builder().disable_redirects().finish();
        let mut place = Self { town, http };
        place.set("X_BEARER_TOKEN", &mynah_sandbox::credentials("town").app_bearer_token);
        place.set("GEMINI_API_KEY", &mynah_sandbox::credentials("town").gemini_api_key);
        place
    }

    fn set(&mut self, name: &str, value: &str) {
        self.town.environment.push((name.to_owned(), value.to_owned()));
    }

    fn store(&self) -> PathBuf {
        self.town.folder.path().join("data/credentials")
    }

    fn run(&self, args: &[&str]) -> Output {
        Output::from(self.town.command(args).output().unwrap())
    }

    /// Starts a login, and returns it with the address that it prints.
    fn begin(&self, args: &[&str]) -> Login {
        Login::begin(self.town.command(&[&["login"], args].concat()))
    }

    /// The person decides on the page at `address`. Returns the address to which the browser is sent, or the page.
    async fn decide(&self, address: &str, account: &str, decision: &str) -> Result<String, String> {
        let page = self.http.get(address).send().await.unwrap();
        assert!(page.status().is_success(), "{}", page.status());
        let asked = Url::parse(address).unwrap();
        let mut fields: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
        fields.extend([("account".into(), account.into()), ("decision".into(), decision.into())]);
        let action = asked.join(asked.path()).unwrap();
        let mut answer = self.http.post(action.as_str()).send_form(&fields).await.unwrap();
        let body = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
        let back = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        back.ok_or(body)
    }

    /// The browser follows a redirect. Returns the page that it shows.
    async fn follow(&self, address: &str) -> String {
        let mut answer = self.http.get(address).send().await.unwrap();
        String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap()
    }

    /// Logs in, all the way through the callback.
    async fn log_in(&self, network: &str, account: &str) {
        let login = self.begin(&[network, account]);
        let back = self.decide(&login.address, account, "allow").await.unwrap();
        assert!(self.follow(&back).await.contains("received the login"));
        login.end().assert_success();
    }
}

/// A login that waits for its person.
struct Login {
    process: Child,
    address: String,
    /// The rest of what it prints.
    notes: BufReader<std::process::ChildStderr>,
}

impl Login {
    fn begin(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut notes = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(notes.read_line(&mut line).unwrap() > 0, "it ended without an address:\n{said}");
            said.push_str(&line);
            if line.trim_start().starts_with("http") {
                break line.trim().to_owned();
            }
        };
        Self { process, address, notes }
    }

    fn paste(mut self, text: &str) -> Output {
        self.process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        self.end()
    }

    fn end(mut self) -> Output {
        drop(self.process.stdin.take());
        let mut err = String::new();
        self.notes.read_to_string(&mut err).unwrap();
        let output = self.process.wait_with_output().unwrap();
        let mut ended = Output::from(output);
        ended.err = err;
        ended
    }
}

fn code_on(page: &str) -> String {
    page.split("id=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

#[actix_rt::test]
async fn a_login_in_the_browser_publishes_and_a_logout_revokes_it() {
    let place = Place::new().await;
    let before = place.run(&["check"]);
    assert!(before.err.contains("mynah login mastodon @town_es@mastodon.example"), "{}", before.err);
    place.log_in("mastodon", ES).await;
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(place.store()), mode(place.store().parent().unwrap().into())), (0o600, 0o700));

    let check = place.run(&["check"]);
    check.assert_success();
    for part in ["write:statuses", "lasts until it is revoked", "town_es@mastodon.example"] {
        assert!(check.out.contains(part), "{part}: {}", check.out);
    }
    place.town.sandbox.add_post(TimelinePost::new(message(1)));
    place.town.once().assert_success();
    assert_eq!(place.town.sandbox.messages(ES).len(), 1);

    let out = place.run(&["logout", "mastodon", ES]);
    out.assert_success();
    assert!(out.out.contains("removed and revoked"), "{}", out.out);
    assert_eq!(place.town.sandbox.count(Endpoint::MastodonRevoke).statuses[&200], 1);
    assert!(!fs::read_to_string(place.store()).unwrap().contains("sandbox-"), "nothing of it is left");
    let again = place.run(&["logout", "mastodon", ES]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("there is no login"), "{}", again.err);
}

#[actix_rt::test]
async fn a_code_may_be_pasted_where_there_is_no_browser() {
    let place = Place::new().await;
    let login = place.begin(&["mastodon", "--paste", ES]);
    assert!(login.address.contains("urn%3Aietf%3Awg%3Aoauth%3A2.0%3Aoob"), "{}", login.address);
    let page = place.decide(&login.address, ES, "allow").await.unwrap_err();
    login.paste(&format!("  {}\n", code_on(&page))).assert_success();

    // The server's address names no account: it is whoever allows it.
    let login = place.begin(&["mastodon", "--paste", "https://mastodon.example", "--json"]);
    let page = place.decide(&login.address, CA, "allow").await.unwrap_err();
    let ended = login.paste(&code_on(&page));
    ended.assert_success();
    let shown: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(shown["account"], CA);
    let stored = fs::read_to_string(place.store()).unwrap();
    assert!(stored.contains("TOWN_CA") && stored.contains("TOWN_ES"), "{stored}");
}

#[actix_rt::test]
async fn a_login_that_goes_wrong_stores_nothing_and_says_why() {
    let place = Place::new().await;
    let refused = |ended: Output, code: i32, why: &str| {
        assert!(ended.code == Some(code) && ended.err.contains(why), "{why}: {:?} {}", ended.code, ended.err);
        assert!(!place.store().exists(), "{why}");
    };
    // Denied in the browser.
    let login = place.begin(&["mastodon", ES]);
    let back = place.decide(&login.address, ES, "deny").await.unwrap();
    assert!(place.follow(&back).await.contains("denied"));
    refused(login.end(), 1, "was denied on mastodon.example");
    // Somebody else is logged in there: what they allowed is revoked.
    let login = place.begin(&["mastodon", ES]);
    let back = place.decide(&login.address, CA, "allow").await.unwrap();
    place.follow(&back).await;
    refused(login.end(), 1, "as @town_ca@mastodon.example, not as @town_es@mastodon.example");
    assert_eq!(place.town.sandbox.count(Endpoint::MastodonRevoke).statuses[&200], 1);
    // The answer to another login, and a code that was used.
    let other = place.begin(&["mastodon", "--paste", ES]);
    let page = place.decide(&other.address, ES, "allow").await.unwrap_err();
    let login = place.begin(&["mastodon", "--paste", ES]);
    let address = format!("http://127.0.0.1/callback?code={}&state=another", code_on(&page));
    refused(login.paste(&address), 1, "another login");
    refused(place.begin(&["mastodon", "--paste", ES]).paste(&code_on(&page)), 1, "grant is invalid");
    refused(other.paste("\n"), 1, "no code was given");
    // Wrong names, networks and ports.
    for (args, why) in [
        (&["mastodon", "nobody"] as &[&str], "is not an account on Mastodon"),
        (&["mastodon", "http://mastodon.example"], "is not an account on Mastodon"),
        (&["feed", "https://a.example"], "use one of"),
    ] {
        refused(place.run(&[&["login"], args].concat()), 2, why);
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(place.run(&["login", "mastodon", ES, "--port", &port]), 1, &format!("127.0.0.1:{port}"));
    // A website instead of a server, before and after the person allowed it.
    place.town.order_faults(r#"{"rules": [{"endpoint": "mastodon.apps", "fault": "website"}]}"#);
    refused(place.run(&["login", "mastodon", ES]), 1, "instead of JSON");
    place.town.order_faults(r#"{"rules": [{"endpoint": "mastodon.token", "fault": "website"}]}"#);
    let login = place.begin(&["mastodon", "--paste", ES]);
    let page = place.decide(&login.address, ES, "allow").await.unwrap_err();
    refused(login.paste(&code_on(&page)), 1, "the token response is not JSON");
    place.town.sandbox.stop().await;
    refused(place.run(&["login", "mastodon", ES]), 1, "cannot reach");
}

#[actix_rt::test]
async fn a_variable_overrides_the_store_and_a_login_beside_it_is_refused() {
    let mut place = Place::new().await;
    place.log_in("mastodon", ES).await;
    place.set("MASTODON_TOWN_ES_MASTODON_EXAMPLE_TOKEN", "sandbox-wrong-token");
    let check = place.run(&["check"]);
    assert_eq!(check.code, Some(1), "the token in the environment is the wrong one: {}", check.out);
    let login = place.run(&["login", "mastodon", ES]);
    assert!(login.code == Some(2) && login.err.contains("would override the login"), "{}", login.err);
    // With a server's address alone, the account is known only after the login.
    let before = fs::read(place.store()).unwrap();
    let login = place.begin(&["mastodon", "--paste", "https://mastodon.example"]);
    let page = place.decide(&login.address, ES, "allow").await.unwrap_err();
    let ended = login.paste(&code_on(&page));
    assert!(ended.code == Some(2) && ended.err.contains("would override the login"), "{}", ended.err);
    assert_eq!(fs::read(place.store()).unwrap(), before);
    let logout = place.run(&["logout", "mastodon", ES]);
    logout.assert_success();
    assert!(logout.err.contains("is still set"), "{}", logout.err);
}

#[actix_rt::test]
async fn a_store_with_a_key_opens_only_with_that_key_and_is_never_overwritten() {
    let mut place = Place::new().await;
    place.set("MYNAH_SECRET_KEY", KEY);
    place.log_in("mastodon", ES).await;
    let sealed = fs::read(place.store()).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("sandbox"), "it is encrypted");
    place.run(&["check"]).assert_success();
    let keep = place.town.environment.clone();
    for (key, bytes, why) in [
        (None, sealed.clone(), "set MYNAH_SECRET_KEY"),
        (Some("another-key-0123456789-0123456789-012"), sealed.clone(), "is not the key"),
        (Some("short"), sealed.clone(), "fewer than 32 characters"),
        (Some(KEY), sealed[..sealed.len() / 2].to_vec(), "damaged"),
    ] {
        fs::write(place.store(), &bytes).unwrap();
        place.town.environment = keep.clone();
        place.town.environment.retain(|(name, _)| name != "MYNAH_SECRET_KEY");
        place.town.environment.extend(key.map(|key| ("MYNAH_SECRET_KEY".to_owned(), key.to_owned())));
        for args in [&["check"] as &[&str], &["login", "mastodon", ES], &["logout", "mastodon", ES]] {
            let ended = place.run(args);
            assert!(ended.code == Some(2) && ended.err.contains(why), "{args:?} {why}: {}", ended.err);
        }
        assert_eq!(fs::read(place.store()).unwrap(), bytes);
    }
}

#[actix_rt::test]
async fn a_running_service_takes_up_a_login_and_publishes_again() {
    let place = Place::new().await;
    place.log_in("mastodon", ES).await;
    let (_running, _) = place.town.serve().await;
    place.town.sandbox.add_post(TimelinePost::new(message(1)));
    assert!(place.town.sandbox.until(support::PATIENCE, |all| all.messages(ES).len() == 1).await);
    // Somebody revokes the token on the website.
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(place.store()).unwrap()).unwrap();
    let login = &stored["logins"][0];
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let token = text(login["secrets"].as_object().unwrap().values().next().unwrap());
    let form = [
        ("client_id", text(&login["app"]["id"])),
        ("client_secret", text(&login["app"]["secret"])),
        ("token", token),
    ];
    let url = format!("{}/oauth/revoke", place.town.sandbox.url());
    assert!(place.http.post(url).send_form(&form).await.unwrap().status().is_success());
    place.town.sandbox.add_post(TimelinePost::new(message(2)));
    until("the account is blocked", || place.town.log().contains("publishing blocked")).await;
    assert_eq!(place.town.sandbox.messages(ES).len(), 1);

    place.log_in("mastodon", ES).await;
    assert!(
        place.town.sandbox.until(support::PATIENCE, |all| all.messages(ES).len() == 2).await,
        "{}",
        place.town.log()
    );
}

#[actix_rt::test]
async fn an_app_password_is_read_from_standard_input_checked_and_stored() {
    let place = Place::with_target("bluesky", SKY).await;
    let enter = |account: &str, password: &str| {
        support::run_with_input(place.town.command(&["login", "bluesky", account]), password)
    };
    for (password, why) in [("wrong-password\n", "nothing was stored"), ("", "no app password was given")] {
        let ended = enter(SKY, password);
        assert!(ended.code == Some(1) && ended.err.contains(why), "{:?} {}", ended.code, ended.err);
        assert!(!ended.err.contains("wrong-password"));
    }
    let ended = enter("not a handle", "anything\n");
    assert!(ended.code == Some(2), "{}", ended.err);
    assert!(!place.store().exists());

    enter(&format!("@{SKY}"), &format!("{}\n", mynah_sandbox::app_password(SKY))).assert_success();
    place.run(&["check"]).assert_success();
    place.town.sandbox.add_post(TimelinePost::new(message(1)));
    place.town.once().assert_success();
    assert_eq!(place.town.sandbox.messages(SKY).len(), 1);
    let out = place.run(&["logout", "bluesky", SKY]);
    out.assert_success();
    assert!(out.err.contains("App passwords"), "{}", out.err);
}
