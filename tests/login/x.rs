//! A login to X: its tokens are replaced every two hours, each refresh token works once, and whatever dies in between, the
//! account publishes on or says that somebody has to log in again.

use std::fs;

use mynah_sandbox::{Endpoint, TimelinePost};

use url::Url;

use super::{
    Place, code_on,
    support::{self, PATIENCE, message},
};

const ACCOUNT: &str = "town_es";

impl Place {
    /// A place that publishes on X with a login.
    async fn on_x() -> Self {
        let mut place = Self::with_target("x", ACCOUNT).await;
        place.set("X_CLIENT_ID", mynah_sandbox::X_CLIENT_ID);
        place.set("X_CLIENT_SECRET", mynah_sandbox::X_CLIENT_SECRET);
        place
    }

    /// Logs in to X by pasting the address that the browser shows.
    async fn log_in_to_x(&self) {
        let login = self.begin(&["x", "--paste", ACCOUNT]);
        let back = self.decide(&login.address, ACCOUNT, "allow").await.unwrap();
        login.paste(&back).assert_success();
    }

    fn published(&self) -> usize {
        self.town.sandbox.publications(ACCOUNT).len()
    }

    fn renewals(&self) -> u64 {
        let count = self.town.sandbox.count(Endpoint::Token);
        count.statuses.get(&200).copied().unwrap_or(0)
    }

    /// Posts on the followed account, and publishes it with `mynah once`.
    fn publish(&self, number: usize) -> support::Output {
        self.town.sandbox.add_post(TimelinePost::new(message(number)));
        self.town.once()
    }
}

#[actix_rt::test]
async fn a_login_publishes_for_as_long_as_its_tokens_are_replaced() {
    let place = Place::on_x().await;
    place.log_in_to_x().await;
    let stored = fs::read_to_string(place.store()).unwrap();
    for number in 1..=3 {
        place.publish(number).assert_success();
        assert_eq!((place.published(), place.renewals()), (number, 1 + u64::try_from(number).unwrap()));
        place.town.sandbox.expire_sessions(ACCOUNT);
    }
    assert_eq!(
        fs::read_to_string(place.store()).unwrap(),
        stored,
        "only logging in and out changes the store"
    );
    let check = place.run(&["check"]);
    assert!(check.out.contains("offline.access"), "{}", check.out);
    let out = place.run(&["logout", "x", ACCOUNT]);
    out.assert_success();
    assert!(out.out.contains("removed and revoked"), "{} {}", out.out, out.err);
}

#[actix_rt::test]
async fn a_check_does_not_spend_the_refresh_token_of_the_service() {
    let place = Place::on_x().await;
    place.log_in_to_x().await;
    place.run(&["check"]).assert_success();
    place.publish(1).assert_success();
    place.run(&["check"]).assert_success();
    place.town.sandbox.expire_sessions(ACCOUNT);
    place.publish(2).assert_success();
    assert_eq!(place.published(), 2);
}

#[actix_rt::test]
async fn whatever_dies_in_a_renewal_the_account_publishes_on_or_asks_for_a_login() {
    for (failpoint, survives) in
        [("login.renew.before", true), ("login.renew.after", false), ("login.renew.saved", true)]
    {
        let mut place = Place::on_x().await;
        place.log_in_to_x().await;
        place.publish(1).assert_success();
        place.town.sandbox.expire_sessions(ACCOUNT);
        place.set("FAILPOINTS", &format!("{failpoint}=return"));
        let died = place.publish(2);
        assert_eq!(died.code, None, "{failpoint}: it was not aborted: {}", died.err);
        place.town.environment.retain(|(name, _)| name != "FAILPOINTS");
        let next = place.town.once();
        if !survives {
            // X spent the token, and nobody has the next one.
            assert!(next.err.contains("publishing blocked"), "{failpoint}: {}", next.err);
            assert_eq!(next.err.matches("publishing blocked").count(), 1, "{}", next.err);
            assert!(next.err.contains("run `mynah login x @town_es`"), "{}", next.err);
            place.log_in_to_x().await;
            place.town.once();
            place.run(&["resume", ACCOUNT]);
            place.town.once().assert_success();
        }
        assert_eq!(place.published(), 2, "{failpoint}: {}", next.err);
    }
}

#[actix_rt::test]
async fn a_killed_service_goes_on_with_the_tokens_on_record() {
    let place = Place::on_x().await;
    place.log_in_to_x().await;
    for number in 1..=4 {
        let (mut running, _) = place.town.serve().await;
        place.town.sandbox.add_post(TimelinePost::new(message(number)));
        assert!(
            place.town.sandbox.until(PATIENCE, |all| all.publications(ACCOUNT).len() == number).await,
            "{}",
            place.town.log()
        );
        running.kill();
        place.town.sandbox.expire_sessions(ACCOUNT);
    }
}

#[actix_rt::test]
async fn a_login_to_x_needs_the_apps_id_and_refuses_another_account() {
    let place = Place::with_target("x", ACCOUNT).await;
    let ended = place.run(&["login", "x", ACCOUNT]);
    assert!(ended.code == Some(2) && ended.err.contains("X_CLIENT_ID is not set"), "{}", ended.err);
    let place = Place::on_x().await;
    let login = place.begin(&["x", "--paste", "somebody"]);
    let back = place.decide(&login.address, ACCOUNT, "allow").await.unwrap();
    let ended = login.paste(&back);
    assert!(ended.err.contains("as @town_es, not as @somebody"), "{}", ended.err);
    let login = place.begin(&["x", "--paste", ACCOUNT]);
    let back = place.decide(&login.address, ACCOUNT, "deny").await.unwrap();
    assert!(login.paste(&back).err.contains("was denied on X"));
    assert!(!place.store().exists());
}

/// The page at `address` asks the person, who decides. Returns the PIN.
async fn pin(place: &Place, address: &str, account: &str) -> String {
    assert!(address.contains("force_login=true&screen_name="), "{address}");
    let page = place.follow(address).await;
    assert!(page.contains("wants to use an account"), "{page}");
    let asked = Url::parse(address).unwrap();
    let mut fields: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
    fields.extend([("account".into(), account.into()), ("decision".into(), "allow".into())]);
    let action = asked.join("/i/oauth/authorize").unwrap();
    let mut answer = place.http.post(action.as_str()).send_form(&fields).await.unwrap();
    code_on(std::str::from_utf8(&answer.body().await.unwrap()).unwrap())
}

#[actix_rt::test]
async fn an_app_without_a_client_id_logs_in_by_pin_and_the_login_lasts() {
    let mut place = Place::with_target("x", ACCOUNT).await;
    let keys = mynah_sandbox::credentials(ACCOUNT);
    place.set("X_CONSUMER_KEY", &keys.consumer_key);
    let ended = place.run(&["login", "x", ACCOUNT]);
    assert!(ended.code == Some(2) && ended.err.contains("X_CONSUMER_SECRET is not set"), "{}", ended.err);
    place.set("X_CONSUMER_SECRET", &keys.consumer_secret);

    let refused = |ended: support::Output, why: &str| {
        assert!(ended.code.is_some_and(|code| code > 0) && ended.err.contains(why), "{why}: {}", ended.err);
        assert!(!place.store().exists(), "{why}");
    };
    refused(place.begin(&["x", ACCOUNT]).end(), "no PIN was given");
    refused(place.begin(&["x", ACCOUNT]).paste("12 34 five\n"), "a PIN has only digits");
    refused(place.begin(&["x", ACCOUNT]).paste("1234567\n"), "Invalid or expired token");
    let login = place.begin(&["x", "somebody"]);
    let number = pin(&place, &login.address, ACCOUNT).await;
    refused(login.paste(&number), "as @town_es, not as @somebody");
    assert_eq!(place.town.sandbox.count(Endpoint::InvalidateToken).statuses[&200], 1);

    let login = place.begin(&["x", ACCOUNT]);
    let number = pin(&place, &login.address, ACCOUNT).await;
    login.paste(&format!(" {} {}\n", &number[..3], &number[3..])).assert_success();
    place.publish(1).assert_success();
    place.town.sandbox.expire_sessions(ACCOUNT);
    place.publish(2).assert_success();
    assert_eq!((place.published(), place.renewals()), (2, 0));
    let check = place.run(&["check"]);
    assert!(check.out.contains("lasts until it is revoked"), "{}", check.out);
    let shown = place.run(&["check", "--json"]);
    assert!(!shown.out.contains(&keys.access_token), "a secret is shown");

    let out = place.run(&["logout", "x", ACCOUNT]);
    out.assert_success();
    assert!(out.out.contains("removed and revoked"), "{} {}", out.out, out.err);
    assert_eq!(place.town.sandbox.count(Endpoint::InvalidateToken).statuses[&200], 2);
    assert!(place.run(&["check"]).err.contains("mynah login x @town_es"));
}

#[actix_rt::test]
async fn a_variable_takes_the_place_of_a_login_by_pin() {
    let mut place = Place::with_target("x", ACCOUNT).await;
    let keys = mynah_sandbox::credentials(ACCOUNT);
    place.set("X_CONSUMER_KEY", &keys.consumer_key);
    place.set("X_CONSUMER_SECRET", &keys.consumer_secret);
    let login = place.begin(&["x", ACCOUNT]);
    let number = pin(&place, &login.address, ACCOUNT).await;
    login.paste(&number).assert_success();
    place.set("X_TOWN_ES_OAUTH2_TOKEN", &keys.user_bearer_token);
    place.publish(1).assert_success();
    let ended = place.run(&["login", "x", ACCOUNT]);
    assert!(
        ended.err.contains("X_TOWN_ES_OAUTH2_TOKEN is set and would override the login"),
        "{}",
        ended.err
    );
}
