//! Which budgets have refused something in their current period, and which sources wait for one. People must learn of it
//! long before a budget is spent to the last cent: what stops the work is a call that costs more than what is left.
//!
//! What calls in progress have reserved is not spent yet, so a refusal that only waits for it is no shortage.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use mynah_domain::{Money, budget::OverBudget};
use serde::{Deserialize, Serialize};

/// What a budget has refused in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// The cheapest thing that it refused.
    pub least: Money,
    /// The end of the period.
    pub until: Timestamp,
}

/// A source that waits for a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceWait {
    /// The key that sets the budget.
    pub setting: Arc<str>,
    /// When the source is read again.
    pub until: Timestamp,
}

/// The budgets that have refused something, and the sources that wait. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shortages(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By the keys that set the budgets.
    budgets: BTreeMap<Arc<str>, Shortage>,
    sources: BTreeMap<String, SourceWait>,
}

impl Shortages {
    /// Records that a budget refused something.
    pub fn refused(&self, over: &OverBudget) {
        if over.wanted <= over.left + over.reserved {
            return;
        }
        let budgets = &mut self.lock().budgets;
        // What is known of another period does not count any more.
        let known = budgets.get(&over.setting).filter(|known| known.until == over.until);
        let least = known.map_or(over.wanted, |known| known.least.min(over.wanted));
        budgets.insert(over.setting.clone(), Shortage { least, until: over.until });
    }

    /// What each budget has refused in a period that has not ended.
    pub fn budgets(&self, now: Timestamp) -> BTreeMap<Arc<str>, Shortage> {
        let mut known = self.lock();
        known.budgets.retain(|_, shortage| shortage.until > now);
        known.budgets.clone()
    }

    /// Which budget a source waits for, if it does.
    pub fn of_source(&self, source: &str, now: Timestamp) -> Option<SourceWait> {
        self.lock().sources.get(source).filter(|wait| wait.until > now).cloned()
    }

    /// Records that a source is not read until this time.
    pub(crate) fn source_waits(&self, source: &str, over: &OverBudget, until: Timestamp) {
        self.refused(over);
        let wait = SourceWait { setting: over.setting.clone(), until };
        self.lock().sources.insert(source.to_owned(), wait);
    }

    /// Records that a source is read again.
    pub(crate) fn source_reads(&self, source: &str) {
        self.lock().sources.remove(source);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Every change under the lock is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::budget::Period;

    use super::*;

    fn at(hour: &str) -> Timestamp {
        format!("2026-11-27T{hour}:00Z").parse().unwrap()
    }

    fn dollars(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn over(wanted: &str, reserved: &str, until: Timestamp) -> OverBudget {
        OverBudget {
            period: Period::Day,
            most: dollars("1"),
            left: dollars("0.003"),
            reserved: dollars(reserved),
            wanted: dollars(wanted),
            setting: "budget.daily".into(),
            until,
        }
    }

    #[test]
    fn the_cheapest_refusal_of_a_period_counts_until_the_period_ends() {
        let (shortages, midnight) = (Shortages::default(), at("23:59"));
        for wanted in ["0.02", "0.004", "0.2"] {
            shortages.refused(&over(wanted, "0", midnight));
        }
        let least = |now| shortages.budgets(now).get("budget.daily").map(|shortage| shortage.least);
        assert_eq!(least(at("10:00")), Some(dollars("0.004")));
        assert_eq!(least(midnight), None);
        shortages.refused(&over("0.02", "0", midnight));
        // The clock was set back.
        shortages.refused(&over("0.2", "0", at("12:00")));
        assert_eq!(least(at("10:00")), Some(dollars("0.2")));
    }

    #[test]
    fn a_refusal_that_waits_for_what_is_only_reserved_is_no_shortage() {
        let shortages = Shortages::default();
        shortages.refused(&over("0.02", "0.017", at("23:59")));
        assert!(shortages.budgets(at("10:00")).is_empty());
        shortages.refused(&over("0.02", "0.016", at("23:59")));
        assert_eq!(shortages.budgets(at("10:00")).len(), 1);
    }

    #[test]
    fn a_source_waits_until_it_is_read_or_the_time_has_come() {
        let shortages = Shortages::default();
        let setting = |now| shortages.of_source("net:town", now).map(|wait| wait.setting);
        shortages.source_waits("net:town", &over("0.02", "0", at("23:59")), at("12:00"));
        assert_eq!(setting(at("11:00")).as_deref(), Some("budget.daily"));
        assert_eq!(setting(at("12:00")), None);
        assert_eq!(shortages.budgets(at("11:00")).len(), 1);
        shortages.source_reads("net:town");
        assert_eq!(setting(at("11:00")), None);
    }
}
