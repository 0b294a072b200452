//! Reads the access tokens: one for each target account, and one for a source whose server shows nothing without.

use secrecy::SecretString;

use super::names::AccountName;
use crate::settings::{Found, Needed, Vault};

/// The variable for the token of an account: `MASTODON_TOWN_ES_MASTODON_EXAMPLE_TOKEN`.
pub(super) fn variable(name: &AccountName) -> String {
    variable_for(&name.to_string())
}

fn variable_for(account: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("MASTODON_{}_TOKEN", account.chars().map(word).collect::<String>())
}

/// The variable for a token that was written into the settings of this account.
pub(super) fn variable_of(account: Option<&str>) -> String {
    account.map_or_else(|| "MASTODON_<USER>_<SERVER>_TOKEN".to_owned(), variable_for)
}

/// The token of a target account. `None` if there was a problem, which the vault records.
pub(super) fn of_target(vault: &mut Vault<'_>, name: &AccountName) -> Option<SecretString> {
    let variable = variable(name);
    let found = vault.find(&variable);
    vault.need(Needed::All, &variable, found, || {
        (
            format!("there is no token for @{name}, so nothing could be published there"),
            format!(
                "run `mynah login mastodon @{name}`; or set {variable}, or {variable}_FILE to a file that contains it: the \
                 access token of an application that you create at https://{}/settings/applications",
                name.server
            ),
        )
    })
}

/// The token to read a followed account with, if one is set.
pub(super) fn of_source(vault: &mut Vault<'_>, name: &AccountName) -> Found {
    vault.find(&variable(name))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use secrecy::ExposeSecret as _;

    use super::*;

    fn town() -> AccountName {
        AccountName::read("@Town.es@my-server.example").unwrap()
    }

    #[test]
    fn a_target_needs_its_token_and_a_source_may_do_without() {
        let env =
            HashMap::from([("MASTODON_TOWN_ES_MY_SERVER_EXAMPLE_TOKEN".to_owned(), "hush-token".to_owned())]);
        let mut vault = Vault::new(&env, Needed::All);
        assert_eq!(of_target(&mut vault, &town()).unwrap().expose_secret(), "hush-token");
        assert_eq!(of_source(&mut vault, &town()).unwrap().unwrap().expose_secret(), "hush-token");

        let env = HashMap::new();
        let mut vault = Vault::new(&env, Needed::All);
        assert!(of_source(&mut vault, &town()).unwrap().is_none());
        assert!(of_target(&mut vault, &town()).is_none());
        let mut vault = Vault::new(&env, Needed::Nothing);
        assert!(of_target(&mut vault, &town()).is_some(), "a command that publishes nothing needs none");
    }

    #[test]
    fn a_token_in_the_settings_is_told_where_it_belongs() {
        assert_eq!(variable_of(Some("town@a.example")), "MASTODON_TOWN_A_EXAMPLE_TOKEN");
        assert_eq!(variable_of(None), "MASTODON_<USER>_<SERVER>_TOKEN");
    }
}
