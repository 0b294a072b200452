//! Finds the app passwords of target accounts. A followed account needs none: everybody may read it.

use secrecy::SecretString;

use crate::{
    networks::Accounts,
    settings::{Needed, Vault},
};

/// The variable for an account's app password: `BLUESKY_TOWN_EXAMPLE_APP_PASSWORD`.
pub(super) fn variable(account: &str) -> String {
    let name = account.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("BLUESKY_{name}_APP_PASSWORD")
}

/// The app passwords of the target accounts. `None` if one is missing or unusable, which the vault records.
pub(super) fn read(vault: &mut Vault<'_>, accounts: &Accounts<'_>) -> Option<Vec<SecretString>> {
    let passwords: Vec<Option<SecretString>> = accounts
        .published
        .iter()
        .map(|account| {
            let account = (*account)?;
            let name = variable(account);
            let found = vault.find(&name);
            vault.need(Needed::All, &name, found, || {
                let what = format!("there is no app password for @{account}, so nothing could be published there");
                let fix = format!(
                    "create one on Bluesky under Settings, Privacy and security, App passwords, and run `mynah login \
                     bluesky @{account}`; or set {name}, or {name}_FILE to a file that contains it"
                );
                (what, fix)
            })
        })
        .collect();
    passwords.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use secrecy::ExposeSecret as _;

    use super::*;

    fn passwords(env: &[(&str, &str)], needed: Needed) -> Option<Vec<String>> {
        let env: HashMap<String, String> =
            env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut vault = Vault::new(&env, needed);
        let published = vec![Some("town-es.example"), Some("did:plc:abc")];
        let found = read(
            &mut vault,
            &Accounts { followed: vec![Some("a.example")], published, ..Accounts::default() },
        );
        found.map(|all| all.iter().map(|one| one.expose_secret().to_owned()).collect())
    }

    #[test]
    fn each_target_has_an_app_password_and_a_followed_account_has_none() {
        let env = [
            ("BLUESKY_TOWN_ES_EXAMPLE_APP_PASSWORD", "abcd-efgh-ijkl-mnop"),
            ("BLUESKY_DID_PLC_ABC_APP_PASSWORD", "qrst-uvwx-yzab-cdef"),
        ];
        let both = env.map(|(_, password)| password.to_owned()).to_vec();
        assert_eq!(passwords(&env, Needed::All), Some(both));
    }

    #[test]
    fn an_app_password_is_missing_unless_the_command_needs_none() {
        assert_eq!(
            passwords(&[("BLUESKY_DID_PLC_ABC_APP_PASSWORD", "qrst-uvwx-yzab-cdef")], Needed::All),
            None
        );
        assert_eq!(passwords(&[], Needed::Nothing), Some(vec![String::new(), String::new()]));
    }
}
