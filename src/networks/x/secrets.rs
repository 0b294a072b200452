//! Reads X's keys and tokens, and explains which variables are missing.

use secrecy::SecretString;

use super::{
    XAuth,
    auth::OAuth1,
    session::{XApp, XLogin},
};
use crate::{
    networks::Accounts,
    settings::{Needed, Vault},
};

const BEARER_TOKEN: &str = "X_BEARER_TOKEN";
/// The key and the secret of the app for OAuth 1.0a.
pub(super) const CONSUMER_KEY: &str = "X_CONSUMER_KEY";
pub(super) const CONSUMER_SECRET: &str = "X_CONSUMER_SECRET";

/// The endings of the names of an account's variables, for [`variable`].
const ACCESS_TOKEN: &str = "ACCESS_TOKEN";
const ACCESS_TOKEN_SECRET: &str = "ACCESS_TOKEN_SECRET";
const OAUTH2_TOKEN: &str = "OAUTH2_TOKEN";
const REFRESH_TOKEN: &str = "REFRESH_TOKEN";

/// The id of the app that people log in to.
pub(super) const CLIENT_ID: &str = "X_CLIENT_ID";
/// Its secret, if it is confidential.
pub(super) const CLIENT_SECRET: &str = "X_CLIENT_SECRET";

const CONSOLE: &str = "from your app's “Keys and tokens” in X's developer console";

/// The variable for one of an account's secrets: `X_EXAMPLE_ES_ACCESS_TOKEN`.
fn variable(handle: &str, ending: &str) -> String {
    format!("X_{}_{ending}", handle.to_uppercase())
}

/// The variables for what `mynah login` stores if the person enters a PIN: a token and its secret.
pub(super) fn token_variables(handle: &str) -> [String; 2] {
    [ACCESS_TOKEN, ACCESS_TOKEN_SECRET].map(|ending| variable(handle, ending))
}

/// The variable for what `mynah login` stores otherwise.
pub(super) fn refresh_variable(handle: &str) -> String {
    variable(handle, REFRESH_TOKEN)
}

/// The variables that win over what `mynah login` stores.
pub(super) fn winning_variables(handle: &str) -> Vec<String> {
    [ACCESS_TOKEN, ACCESS_TOKEN_SECRET, OAUTH2_TOKEN, REFRESH_TOKEN]
        .map(|ending| variable(handle, ending))
        .to_vec()
}

/// The names of the variables for an account's credentials, for messages.
pub(super) fn variables_of(handle: &str, auth: &XAuth) -> String {
    match auth {
        XAuth::User2(_) | XAuth::App(_) => variable(handle, OAUTH2_TOKEN),
        XAuth::Login(_) => refresh_variable(handle),
        XAuth::User1(_) => {
            format!("{} and {}", variable(handle, ACCESS_TOKEN), variable(handle, ACCESS_TOKEN_SECRET))
        }
    }
}

/// The variables that these credentials of an account may come from.
pub(super) fn variables_of_account(handle: &str, auth: &XAuth) -> Vec<String> {
    match auth {
        XAuth::App(_) => vec![BEARER_TOKEN.into()],
        XAuth::User2(_) => vec![variable(handle, OAUTH2_TOKEN)],
        XAuth::Login(_) => vec![refresh_variable(handle), CLIENT_ID.into(), CLIENT_SECRET.into()],
        XAuth::User1(_) => vec![
            CONSUMER_KEY.into(),
            CONSUMER_SECRET.into(),
            variable(handle, ACCESS_TOKEN),
            variable(handle, ACCESS_TOKEN_SECRET),
        ],
    }
}

/// The variables of the credentials that read a followed account: the app's token, or those of some target account, which
/// are checked with it.
pub(super) fn variables_read_by(auth: &XAuth) -> Vec<String> {
    match auth {
        XAuth::App(_) => vec![BEARER_TOKEN.into()],
        XAuth::User1(_) | XAuth::User2(_) => vec![CONSUMER_KEY.into(), CONSUMER_SECRET.into()],
        XAuth::Login(_) => vec![CLIENT_ID.into(), CLIENT_SECRET.into()],
    }
}

/// The variable for a secret that was written into the settings under this name.
pub(super) fn variable_of(key: &str, account: Option<&str>) -> String {
    let of_account = |ending: &str| variable(account.unwrap_or("<ACCOUNT>"), ending);
    match key {
        key if key.contains("client_id") => CLIENT_ID.into(),
        key if key.contains("client_secret") => CLIENT_SECRET.into(),
        key if key.contains("refresh") => of_account(REFRESH_TOKEN),
        key if key.contains("oauth2") => of_account(OAUTH2_TOKEN),
        key if key.contains("bearer") => BEARER_TOKEN.into(),
        key if key.contains("token_secret") => of_account(ACCESS_TOKEN_SECRET),
        key if key.contains("token") => of_account(ACCESS_TOKEN),
        key if key.contains("secret") => CONSUMER_SECRET.into(),
        key if key.contains("key") => CONSUMER_KEY.into(),
        _ => of_account(ACCESS_TOKEN),
    }
}

/// The credentials of all configured accounts.
#[derive(Debug)]
pub(super) struct Credentials {
    /// Those that read each followed account.
    pub(super) followed: Vec<XAuth>,
    /// Those of each target account.
    pub(super) published: Vec<XAuth>,
}

/// An account's own keys, before the app's keys are added.
enum Keys {
    /// OAuth 1.0a, which also needs the app's keys; `None` if one of its parts has a problem.
    OAuth1(Option<(SecretString, SecretString)>),
    /// OAuth 2.0.
    OAuth2(SecretString),
    /// What `mynah login` obtained, with the app that it was given to.
    Login(XLogin),
    /// The keys have a problem, which is recorded.
    Unusable,
}

/// The app's own keys of OAuth 1.0a.
pub(super) struct Consumer {
    pub(super) key: SecretString,
    pub(super) secret: SecretString,
}

/// Reads all credentials. `None` if there was a problem, which the vault records.
pub(super) fn read(vault: &mut Vault<'_>, accounts: &Accounts<'_>) -> Option<Credentials> {
    // Whether the app's keys are needed depends on all accounts.
    let found: Vec<Option<Keys>> =
        accounts.published.iter().map(|handle| handle.map(|handle| account(vault, handle))).collect();
    let needs_consumer = found.iter().flatten().any(|keys| matches!(keys, Keys::OAuth1(_)));
    let consumer = if needs_consumer { consumer(vault) } else { None };
    let published: Vec<Option<XAuth>> =
        found.into_iter().map(|keys| keys.and_then(|keys| keys.with(consumer.as_ref()))).collect();
    let reader = if accounts.followed.is_empty() { None } else { Some(reader(vault, &published)) };
    let followed = reader.into_iter().cycle().take(accounts.followed.len()).collect::<Option<_>>()?;
    Some(Credentials { followed, published: published.into_iter().collect::<Option<_>>()? })
}

fn account(vault: &mut Vault<'_>, handle: &str) -> Keys {
    let [token_name, secret_name, oauth2_name] =
        [ACCESS_TOKEN, ACCESS_TOKEN_SECRET, OAUTH2_TOKEN].map(|ending| variable(handle, ending));
    let (token, secret, oauth2) =
        (vault.find(&token_name), vault.find(&secret_name), vault.find(&oauth2_name));
    let (Ok(token), Ok(secret), Ok(oauth2)) = (token, secret, oauth2) else {
        return Keys::Unusable;
    };
    // A login in the store stays there while variables take its place.
    if [&token, &secret, &oauth2].iter().all(|one| one.is_none()) {
        match vault.find(&refresh_variable(handle)) {
            Err(_) => return Keys::Unusable,
            Ok(Some(first)) => return login(vault, handle, first),
            Ok(None) => {}
        }
    }
    match (token, secret, oauth2) {
        // A variable takes the place of a login in the store here, too.
        (Some(_), Some(_), Some(oauth2)) if vault.is_in_store(&token_name) => Keys::OAuth2(oauth2),
        (Some(token), Some(secret), None) => Keys::OAuth1(Some((token, secret))),
        (None, None, Some(token)) => Keys::OAuth2(token),
        (None, None, None) if vault.needed() < Needed::All => Keys::OAuth2(SecretString::default()),
        (None, None, None) => {
            let what = format!("there are no keys for @{handle}, so nothing could be published there");
            let fix = format!(
                "run `mynah login x @{handle}`; or set {token_name} and {secret_name}, {CONSOLE} while logged in as \
                @{handle}; or set {oauth2_name} (or name files instead: {token_name}_FILE)"
            );
            vault.report(&token_name, what, fix);
            Keys::OAuth1(None)
        }
        (Some(_), None, None) => half(vault, &secret_name, &token_name),
        (None, Some(_), None) => half(vault, &token_name, &secret_name),
        (_, _, Some(_)) => {
            vault.report(
                &oauth2_name,
                format!("@{handle} has two kinds of keys, OAuth 2.0 and OAuth 1.0a"),
                format!("unset {oauth2_name}, or unset {token_name} and {secret_name}"),
            );
            Keys::Unusable
        }
    }
}

fn login(vault: &mut Vault<'_>, handle: &str, first: SecretString) -> Keys {
    let id = vault.find(CLIENT_ID);
    let id = vault.need(Needed::All, CLIENT_ID, id, || {
        (
            format!("this is missing: the login of @{handle} is one to this app"),
            format!("set {CLIENT_ID}, or {CLIENT_ID}_FILE to a file that contains it, {CONSOLE}"),
        )
    });
    match (id, vault.find(CLIENT_SECRET)) {
        (Some(id), Ok(secret)) => Keys::Login(XLogin::new(handle, XApp { id, secret }, first)),
        _ => Keys::Unusable,
    }
}

fn half(vault: &mut Vault<'_>, missing: &str, there: &str) -> Keys {
    vault.report(
        missing,
        format!("this is missing, but {there} is set: OAuth 1.0a needs both"),
        format!("set {missing}, {CONSOLE}"),
    );
    Keys::OAuth1(None)
}

fn consumer(vault: &mut Vault<'_>) -> Option<Consumer> {
    let mut part = |name: &str| {
        let found = vault.find(name);
        vault.need(Needed::All, name, found, || {
            (
                "this is missing: accounts with an ACCESS_TOKEN also need the app's keys".into(),
                format!("set {name}, or set {name}_FILE to a file that contains it, {CONSOLE}"),
            )
        })
    };
    let (key, secret) = (part(CONSUMER_KEY), part(CONSUMER_SECRET));
    Some(Consumer { key: key?, secret: secret? })
}

/// The credentials for reading: the app's token, if set, or those of the first target account. `None` is a problem that
/// is recorded: the token is unusable, or no account has keys.
fn reader(vault: &mut Vault<'_>, published: &[Option<XAuth>]) -> Option<XAuth> {
    let token = vault.find(BEARER_TOKEN).ok()?;
    match (token, published.first()) {
        (Some(token), _) => Some(XAuth::App(token)),
        (None, Some(first)) => first.clone(),
        (None, None) => vault
            .need(Needed::All, BEARER_TOKEN, Ok(None), || {
                (
                    "this is missing, and no target on X has keys to read with".into(),
                    format!(
                        "set {BEARER_TOKEN}, or set {BEARER_TOKEN}_FILE to a file that contains it, {CONSOLE}"
                    ),
                )
            })
            .map(XAuth::App),
    }
}

impl Keys {
    fn with(self, consumer: Option<&Consumer>) -> Option<XAuth> {
        match self {
            Self::OAuth1(tokens) => {
                let ((token, token_secret), Consumer { key, secret }) = (tokens?, consumer?);
                let (consumer_key, consumer_secret) = (key.clone(), secret.clone());
                Some(XAuth::User1(Box::new(OAuth1 { consumer_key, consumer_secret, token, token_secret })))
            }
            Self::OAuth2(token) => Some(XAuth::User2(token)),
            Self::Login(login) => Some(XAuth::Login(login)),
            Self::Unusable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use secrecy::ExposeSecret as _;

    use super::*;

    const FOUR: [(&str, &str); 4] = [
        ("X_CONSUMER_KEY", "hush-consumer-key"),
        ("X_CONSUMER_SECRET", "hush-consumer-secret"),
        ("X_EXAMPLE_ES_ACCESS_TOKEN", "hush-token"),
        ("X_EXAMPLE_ES_ACCESS_TOKEN_SECRET", "hush-token-secret"),
    ];

    /// The credentials of a followed account and of `example_es`.
    fn credentials(env: &[(&str, &str)]) -> Credentials {
        let env: HashMap<String, String> =
            env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let accounts = Accounts {
            followed: vec![Some("example")],
            published: vec![Some("example_es")],
            ..Accounts::default()
        };
        read(&mut Vault::new(&env, Needed::All), &accounts).unwrap()
    }

    #[test]
    fn the_app_reads_if_it_has_a_token_and_otherwise_the_first_account() {
        let env = [&FOUR[..], &[("X_BEARER_TOKEN", "hush-app")]].concat();
        let followed = credentials(&env).followed;
        assert!(matches!(&followed[..], [XAuth::App(token)] if token.expose_secret() == "hush-app"));
        for auth in [credentials(&FOUR).followed, credentials(&env).published] {
            let [XAuth::User1(keys)] = &auth[..] else { panic!("{auth:?}") };
            let four = [&keys.consumer_key, &keys.consumer_secret, &keys.token, &keys.token_secret];
            assert_eq!(four.map(SecretString::expose_secret), FOUR.map(|(_, value)| value));
        }
    }

    #[test]
    fn an_oauth_2_token_needs_no_app_keys() {
        let Credentials { followed, published } = credentials(&[("X_EXAMPLE_ES_OAUTH2_TOKEN", "hush-user")]);
        for auth in [followed, published] {
            assert!(matches!(&auth[..], [XAuth::User2(token)] if token.expose_secret() == "hush-user"));
        }
    }
}
