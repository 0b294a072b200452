//! Reads what the browser brings back: in the callback's address, or as a person pastes it, with spaces and line breaks
//! around it and in it.

use oauth2::CsrfToken;
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;
use url::{Url, form_urlencoded};

use super::LoginError;

/// The code in the query of an address to which the browser was sent.
///
/// # Errors
/// The login was denied, or the query belongs to another login, or has no code.
pub fn code_in_query(query: &str, state: &CsrfToken, server: &str) -> Result<SecretString, LoginError> {
    let (mut code, mut theirs, mut error) = (None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "code" => code = Some(value),
            "state" => theirs = Some(value),
            "error" => error = Some(value),
            _ => {}
        }
    }
    // First of all: an answer to another login says nothing about this one.
    let is_ours = theirs.is_some_and(|theirs| theirs.as_bytes().ct_eq(state.secret().as_bytes()).into());
    if !is_ours {
        return Err(LoginError::WrongState);
    }
    match (error.as_deref(), code) {
        (Some("access_denied"), _) => Err(LoginError::Denied { server: server.to_owned() }),
        (Some(error), _) => {
            Err(LoginError::Refused { server: server.to_owned(), why: error.chars().take(200).collect() })
        }
        (None, Some(code)) if !code.is_empty() => Ok(code.into_owned().into()),
        (None, _) => Err(LoginError::NoCode("the answer")),
    }
}

/// The code in what a person pasted: the code itself, or the whole address, or its query.
///
/// # Errors
/// As [`code_in_query`].
pub fn code_in_paste(pasted: &str, state: &CsrfToken, server: &str) -> Result<SecretString, LoginError> {
    // Terminals break long lines, and no code has a space in it.
    let pasted: String = pasted.chars().filter(|c| !c.is_whitespace()).collect();
    let pasted = pasted.trim_matches(['"', '\'', '<', '>']);
    if pasted.is_empty() {
        return Err(LoginError::Cancelled { what: "code" });
    }
    if let Ok(address) = Url::parse(pasted)
        && matches!(address.scheme(), "http" | "https")
    {
        return match address.query() {
            Some(query) => code_in_query(query, state, server),
            None => Err(LoginError::NoCode("this address")),
        };
    }
    let query = pasted.trim_start_matches('?');
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    if query.contains('=') && names.any(|name| matches!(&*name, "code" | "error")) {
        return code_in_query(query, state, server);
    }
    // It goes into a form, which encodes it; but no code has other characters.
    if pasted.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(pasted.to_owned().into());
    }
    Err(LoginError::NoCode("this text"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn state() -> CsrfToken {
        CsrfToken::new("the-state".into())
    }

    fn pasted(text: &str) -> Result<String, String> {
        let code = code_in_paste(text, &state(), "town.example");
        code.map(|code| code.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_code_may_be_pasted_with_spaces_or_as_a_whole_address_or_as_a_query() {
        for text in [
            "abc-123",
            "  abc-123\n",
            "abc-\r\n123",
            "\"abc-123\"",
            "http://127.0.0.1:8484/callback?code=abc-123&state=the-state",
            " http://127.0.0.1:8484/callback?state=the-state&code=abc-\n  123 ",
            "?code=abc-123&state=the-state",
            "state=the-state&code=abc-123",
        ] {
            assert_eq!(pasted(text).as_deref(), Ok("abc-123"), "{text}");
        }
    }

    #[test]
    fn what_is_not_the_answer_to_this_login_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "no code was given"),
            ("  \n", "no code was given"),
            ("http://127.0.0.1:8484/callback?code=abc-123&state=another", "another login"),
            ("http://127.0.0.1:8484/callback?code=abc-123", "another login"),
            (
                "http://127.0.0.1:8484/callback?error=access_denied&state=the-state",
                "was denied on town.example",
            ),
            ("http://127.0.0.1:8484/callback?error=access_denied&state=another", "another login"),
            ("http://127.0.0.1:8484/callback?error=server_error&state=the-state", "server_error"),
            ("state=the-state&error=access_denied", "was denied on town.example"),
            ("http://127.0.0.1:8484/callback?code=&state=the-state", "has no code"),
            ("https://town.example/oauth/authorize", "has no code"),
            ("«abc»", "has no code"),
        ] {
            let error = pasted(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_without_the_state_of_this_login_has_a_code(query in "[ -~]{0,60}", state in "[a-z]{0,12}") {
            let query = format!("{query}&state={state}");
            prop_assert!(code_in_query(&query, &self::state(), "town.example").is_err());
        }

        #[test]
        fn nothing_that_is_pasted_panics(text in "\\PC{0,80}") {
            let _ = code_in_paste(&text, &state(), "town.example");
        }
    }
}
