//! `mynah login` on real servers, with the code pasted and through the callback, as far as each server has them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use url::Url;

use crate::{
    server::{Account, Program, Server},
    support::Output,
};

const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.current_dir(folder).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Allows a login as a browser does on this server. Returns the address that it is sent to, or the page with the code.
async fn allow(account: &Account, address: &str) -> Result<String, String> {
    let http = awc::Client::builder().disable_redirects().timeout(std::time::Duration::from_mins(1)).finish();
    // snac2 closes a connection while the next request is on its way.
    let mut page = http.get(address).force_close().send().await.unwrap();
    let page = String::from_utf8(page.body().await.unwrap().to_vec()).unwrap();
    let asked = Url::parse(address).unwrap();
    let query = |name: &str| {
        let mut pairs = asked.query_pairs().filter(|(key, _)| key == name);
        pairs.next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let mut form: Vec<(&str, String)> = vec![("state", query("state"))];
    let action = match account.program() {
        Program::Mock => {
            form.extend([("username", account.user.clone()), ("client_id", query("client_id"))]);
            form.push(("redirect_uri", query("redirect_uri")));
            asked.join("/oauth/authorize").unwrap()
        }
        Program::Snac => {
            assert!(page.contains("x-snac-login"), "{page}");
            form.extend([("login", account.user.clone()), ("passwd", account.password.clone())]);
            form.extend([("redir", query("redirect_uri")), ("cid", query("client_id"))]);
            asked.join("/oauth/x-snac-login").unwrap()
        }
    };
    let mut answer = http.post(action.as_str()).force_close().send_form(&form).await.unwrap();
    let body = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
    let back = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    back.ok_or(body)
}

/// The code on a page of this server.
fn code_on(page: &str) -> &str {
    let is_code = |word: &&str| {
        word.starts_with("mockcode_")
            || (word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .find(is_code)
        .unwrap_or_else(|| panic!("no code on {page}"))
}

async fn log_in(folder: &Path, account: &Account, named: &str, is_pasted: bool) -> Output {
    let mut args = vec!["login", "mastodon", named];
    args.extend(is_pasted.then_some("--paste"));
    let mut process = command(folder, &args).spawn().unwrap();
    let mut notes = BufReader::new(process.stderr.take().unwrap());
    let mut said = String::new();
    let address = loop {
        let mut line = String::new();
        assert!(notes.read_line(&mut line).unwrap() > 0, "it ended without an address: {said}");
        said.push_str(&line);
        if line.trim_start().starts_with("http") {
            break line.trim().to_owned();
        }
    };
    match allow(account, &address).await {
        Ok(back) if is_pasted && !back.starts_with(OUT_OF_BAND) => panic!("sent to {back}"),
        Ok(back) if is_pasted => {
            // Some servers send the browser to the address that no browser opens.
            let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
            process.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
        }
        Ok(back) => {
            let http = awc::Client::default();
            assert!(http.get(back).send().await.unwrap().status().is_success());
        }
        Err(page) => process.stdin.take().unwrap().write_all(code_on(&page).as_bytes()).unwrap(),
    }
    drop(process.stdin.take());
    notes.read_to_string(&mut said).unwrap();
    let ended = process.wait_with_output().unwrap();
    Output { code: ended.status.code(), out: String::from_utf8(ended.stdout).unwrap(), err: said }
}

async fn a_login_works_in_both_ways_until_it_is_revoked(program: Program) {
    if !Server::is_installed(program) {
        return;
    }
    let server = Server::get(program);
    let [account, other] = [server.account("login").await, server.account("other").await];
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[source]\nnetwork = \"mastodon\"\naccount = \"{}\"\n[[targets]]\nnetwork = \"mastodon\"\nlanguage = \"es\"\n\
         account = \"{}\"\n[engine]\norder = [\"apertium\"]\n[mastodon]\nbase_url = \"{}\"\n",
        other.handle(),
        account.handle(),
        server.url
    );
    fs::write(folder.path().join("config.toml"), settings).unwrap();
    let store = folder.path().join("data/credentials");
    for is_pasted in [true, false] {
        let ended = log_in(folder.path(), &account, &account.handle(), is_pasted).await;
        ended.assert_success();
        let stored: Value = serde_json::from_slice(&fs::read(&store).unwrap()).unwrap();
        let secrets = stored["logins"][0]["secrets"].as_object().unwrap();
        let token = secrets[&account.variable()].as_str().unwrap().to_owned();
        assert_ne!(token, account.token);
        // The token is good for what Mynah does.
        let own = account.with_token(token);
        own.publish("Through a login", Value::Null).await;
        let out = Output::from(
            command(folder.path(), &["logout", "mastodon", &account.handle()]).output().unwrap(),
        );
        out.assert_success();
        assert!(out.out.contains("revoked"), "{} {}", out.out, out.err);
        assert!(!own.is_accepted().await, "{program:?} still accepts a revoked token");
    }
    // Somebody else is logged in there.
    let ended = log_in(folder.path(), &other, &account.handle(), true).await;
    assert!(ended.code == Some(1) && ended.err.contains("not as @login"), "{:?} {}", ended.code, ended.err);
    let stored: Value = serde_json::from_slice(&fs::read(&store).unwrap()).unwrap();
    assert_eq!(stored["logins"].as_array().unwrap().len(), 0);
}

#[actix_rt::test]
async fn a_login_works_on_mastodon_mock() {
    a_login_works_in_both_ways_until_it_is_revoked(Program::Mock).await;
}

#[actix_rt::test]
async fn a_login_works_on_snac() {
    a_login_works_in_both_ways_until_it_is_revoked(Program::Snac).await;
}
