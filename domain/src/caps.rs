//! Computes how much an account may still publish today and this month. Caps are the owner's own limit against surprise
//! bills; days and months are UTC, as networks bill them.

use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};

/// The most publications for an account in a day and in a month; `None` means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caps {
    /// In a UTC day.
    pub daily: Option<Cap>,
    /// In a UTC month.
    pub monthly: Option<Cap>,
}

/// A cap, and the setting that it comes from: a person who wants a higher one must know which to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// The most publications.
    pub most: u64,
    /// Where it is set.
    pub setting: CapSetting,
}

/// Where a cap is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapSetting {
    /// For all targets: `publisher.daily_cap`.
    AllTargets,
    /// For one target, by its number in the settings: `targets[1].daily_cap`.
    Target(usize),
}

impl CapSetting {
    /// The key of a cap for this period, `daily` or `monthly`.
    fn key(self, period: &str) -> String {
        match self {
            Self::AllTargets => format!("publisher.{period}_cap"),
            Self::Target(number) => format!("targets[{number}].{period}_cap"),
        }
    }
}

/// What an account has published so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// In this UTC day.
    pub today: u64,
    /// In this UTC month.
    pub this_month: u64,
}

/// A cap is reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {period} cap of {cap} publications is reached; publishing resumes at {until}, or raise {key}")]
pub struct CapReached {
    /// `daily` or `monthly`.
    pub period: &'static str,
    /// The cap.
    pub cap: u64,
    /// The setting that it comes from.
    pub key: String,
    /// When the next period begins.
    pub until: Timestamp,
}

impl Caps {
    /// Whether `wanted` more publications at `now` stay within the caps.
    ///
    /// # Errors
    /// The cap that is reached; if both are, the monthly one, because it lasts longer.
    pub fn allow(self, spent: Spent, wanted: u64, now: Timestamp) -> Result<(), CapReached> {
        let over = |cap: Option<Cap>, spent: u64| cap.filter(|cap| spent.saturating_add(wanted) > cap.most);
        let reached = |Cap { most, setting }: Cap, period: &'static str, until: Timestamp| {
            Err(CapReached { period, cap: most, key: setting.key(period), until })
        };
        if let Some(cap) = over(self.monthly, spent.this_month) {
            return reached(cap, "monthly", next_month(now));
        }
        if let Some(cap) = over(self.daily, spent.today) {
            return reached(cap, "daily", next_day(now));
        }
        Ok(())
    }
}

/// When the UTC day of `now` began.
pub fn day_start(now: Timestamp) -> Timestamp {
    start_of(utc_date(now)).unwrap_or(now)
}

/// When the UTC month of `now` began.
pub fn month_start(now: Timestamp) -> Timestamp {
    start_of(utc_date(now).first_of_month()).unwrap_or(now)
}

fn next_day(now: Timestamp) -> Timestamp {
    utc_date(now).tomorrow().ok().and_then(start_of).unwrap_or(Timestamp::MAX)
}

fn next_month(now: Timestamp) -> Timestamp {
    utc_date(now).first_of_month().checked_add(1.month()).ok().and_then(start_of).unwrap_or(Timestamp::MAX)
}

fn utc_date(now: Timestamp) -> civil::Date {
    now.to_zoned_datetime(TimeZone::UTC).date()
}

/// `None` only at the far ends of the calendar.
fn start_of(date: civil::Date) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_cap_allows_exactly_its_number() {
        let caps = Caps {
            daily: Some(Cap { most: 2, setting: CapSetting::Target(1) }),
            monthly: Some(Cap { most: 10, setting: CapSetting::AllTargets }),
        };
        let now = at("2026-11-23T10:00:00Z");
        assert_eq!(caps.allow(Spent { today: 1, this_month: 9 }, 1, now), Ok(()));
        let daily = caps.allow(Spent { today: 2, this_month: 5 }, 1, now).unwrap_err();
        assert_eq!((daily.period, daily.until), ("daily", at("2026-11-24T00:00:00Z")));
        let monthly = caps.allow(Spent { today: 2, this_month: 10 }, 1, now).unwrap_err();
        assert_eq!((monthly.period, monthly.until), ("monthly", at("2026-12-01T00:00:00Z")));
        assert!(daily.to_string().ends_with("or raise targets[1].daily_cap"), "{daily}");
        assert!(monthly.to_string().ends_with("or raise publisher.monthly_cap"), "{monthly}");
    }

    #[test]
    fn no_cap_is_no_limit() {
        let spent = Spent { today: u64::MAX, this_month: u64::MAX };
        assert_eq!(Caps::default().allow(spent, 1, at("2026-12-31T23:59:59Z")), Ok(()));
    }

    #[test]
    fn periods_begin_at_midnight_utc() {
        let now = at("2026-12-31T23:59:59Z");
        assert_eq!(day_start(now), at("2026-12-31T00:00:00Z"));
        assert_eq!(month_start(now), at("2026-12-01T00:00:00Z"));
        assert_eq!(next_month(now), at("2027-01-01T00:00:00Z"));
    }
}
