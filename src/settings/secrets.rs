//! Keys and tokens: from the environment, or from a file that it names (`…_FILE`, as containers mount them). They are
//! held so that nothing can print them by mistake.

use std::{collections::HashMap, fs};

use secrecy::SecretString;

use super::{Handle, reader::Reader};
use crate::x::{XAuth, auth::OAuth1};

pub(super) struct Secrets<'a> {
    env: &'a HashMap<String, String>,
    reader: &'a Reader,
}

impl<'a> Secrets<'a> {
    pub(super) fn new(env: &'a HashMap<String, String>, reader: &'a Reader) -> Self {
        Self { env, reader }
    }

    /// Gemini's key, under either of its names.
    pub(super) fn gemini_key(&self) -> Option<SecretString> {
        let name = ["GEMINI_API_KEY", "GOOGLE_API_KEY"].into_iter().find(|name| self.is_given(name));
        let mend =
            "get one at https://aistudio.google.com and set it, or take \"gemini\" out of engine.order";
        self.required(name.unwrap_or("GEMINI_API_KEY"), mend)
    }

    /// Who publishes on an account: OAuth 1.0a, or an OAuth 2.0 user token.
    pub(super) fn target(&self, account: &Handle) -> Option<XAuth> {
        let upper = account.as_str().to_uppercase();
        let user2 = format!("X_{upper}_OAUTH2_TOKEN");
        let (token, token_secret) =
            (format!("X_{upper}_ACCESS_TOKEN"), format!("X_{upper}_ACCESS_TOKEN_SECRET"));
        if self.is_given(&user2) {
            if self.is_given(&token) {
                let what = format!("{token} is set, too: two kinds of token for @{account}");
                self.reader.problem_at("the environment", &user2, what, "keep one of them");
            }
            return self.required(&user2, "").map(XAuth::User2);
        }
        let mend =
            format!("set it, or {token}_FILE to a file with it: the token of @{account} for your X app");
        let app = "set it to the key of your X app, one app for all accounts";
        let parts = [
            self.required("X_CONSUMER_KEY", app),
            self.required("X_CONSUMER_SECRET", app),
            self.required(&token, &mend),
            self.required(&token_secret, &format!("set it to the secret that came with {token}")),
        ];
        let [Some(consumer_key), Some(consumer_secret), Some(token), Some(token_secret)] = parts else {
            return None;
        };
        Some(XAuth::User1(Box::new(OAuth1 { consumer_key, consumer_secret, token, token_secret })))
    }

    /// Who reads: the app, else the first target.
    pub(super) fn reader(&self, first_target: Option<XAuth>) -> Option<XAuth> {
        if self.is_given("X_BEARER_TOKEN") {
            return self.required("X_BEARER_TOKEN", "").map(XAuth::App);
        }
        first_target
    }

    fn is_given(&self, name: &str) -> bool {
        self.env.contains_key(name) || self.env.contains_key(&format!("{name}_FILE"))
    }

    fn required(&self, name: &str, mend: &str) -> Option<SecretString> {
        let file_name = format!("{name}_FILE");
        let problem = |key: &str, what: String, mend: &str| {
            self.reader.problem_at("the environment", key, what, mend);
            None
        };
        match (self.env.get(name), self.env.get(&file_name)) {
            (Some(_), Some(_)) => problem(name, format!("{file_name} is set, too"), "keep one of them"),
            (Some(secret), None) if secret.trim().is_empty() => {
                problem(name, "it is empty".into(), "set it, or unset it")
            }
            (Some(secret), None) => Some(secret.trim().into()),
            (None, Some(file)) => match fs::read_to_string(file) {
                Ok(secret) if secret.trim().is_empty() => {
                    problem(&file_name, format!("{file} is empty"), "put the secret into it")
                }
                Ok(secret) => Some(secret.trim().into()),
                Err(error) => {
                    problem(&file_name, format!("{file}: {error}"), "name a file that this user may read")
                }
            },
            (None, None) => problem(name, "it is missing".into(), mend),
        }
    }
}
