//! The names of actors in logs and statistics and for people. All names that depend on the settings are made here, so
//! that no two actors have the same one.

use crate::router;

pub(super) const ROUTER: &str = router::NAME;
pub(super) const CACHE: &str = "cache";
pub(super) const STATS: &str = "stats";
const POLLER: &str = "poller";

/// The name of the translator with this number.
pub(super) fn translator(number: usize) -> String {
    format!("translator-{number}")
}

/// The names of these accounts' publishers, in the same order. An account's name is its network and handle
/// (`one:town_es`). Its publisher is named after the handle (`publisher-town_es`), or after both if accounts of two
/// networks have the same handle (`publisher-one:town_es`).
pub(super) fn publishers(accounts: &[&str]) -> Vec<String> {
    let handles: Vec<&str> = accounts.iter().map(|account| handle(account)).collect();
    let is_unique = |handle: &str| handles.iter().filter(|other| **other == handle).count() == 1;
    let name = |(account, handle): (&&str, &&str)| {
        // A handle with a colon could look like another account's full name.
        let is_enough = is_unique(handle) && !handle.contains(':');
        format!("publisher-{}", if is_enough { handle } else { account })
    };
    accounts.iter().zip(&handles).map(name).collect()
}

/// The names of the pollers of these sources, in the same order: `poller` if there is only one, otherwise each with its
/// source.
pub fn pollers(sources: &[&str]) -> Vec<String> {
    match sources {
        [_] => vec![POLLER.to_owned()],
        sources => sources.iter().map(|source| format!("{POLLER}-{source}")).collect(),
    }
}

fn handle(account: &str) -> &str {
    account.split_once(':').map_or(account, |(_, handle)| handle)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_publisher_is_named_after_its_handle_and_its_network_only_if_another_has_the_same_handle() {
        assert_eq!(publishers(&["one:town_es", "one:town_fr"]), ["publisher-town_es", "publisher-town_fr"]);
        assert_eq!(
            publishers(&["one:town_es", "two:town_es", "two:town_fr"]),
            ["publisher-one:town_es", "publisher-two:town_es", "publisher-town_fr"]
        );
    }

    #[test]
    fn no_two_publishers_have_the_same_name() {
        let accounts = ["one:a", "y:a", "z:one:a", "z:y:a", "z:z:one:a", "one:b"];
        let names: BTreeSet<String> = publishers(&accounts).into_iter().collect();
        assert_eq!(names.len(), accounts.len(), "{names:?}");
    }

    #[test]
    fn a_single_poller_has_no_source_in_its_name() {
        assert_eq!(pollers(&["one:town"]), ["poller"]);
        assert_eq!(pollers(&["one:town", "two:town"]), ["poller-one:town", "poller-two:town"]);
        assert_eq!(pollers(&[]), Vec::<String>::new());
    }
}
