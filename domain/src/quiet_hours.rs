//! The hours of the week in which a target publishes nothing, as the clocks of its readers show them. This is arithmetic
//! that reads no clock: at each instant it answers whether that instant is quiet, since when and until when.
//!
//! A range begins when the clocks first show its beginning and ends when they last show its end. So an hour that comes
//! twice, when clocks are set back, never interrupts a night; and an hour that does not exist, when they are set forward,
//! is over at once. Ranges that touch or overlap are one.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

const DAY: u16 = 24 * 60;
const WEEK: usize = 7 * DAY as usize;

/// The days of the week, as they are written.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A range of hours on some days of the week: `22:00-07:00`, `sat-sun 20:00-10:00`, `mon,wed 12:00-13:30`. It belongs to
/// the day on which it begins, and may end on the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietRange {
    /// The days on which it begins, Monday first.
    days: [bool; 7],
    /// When it begins, in minutes after midnight.
    from: u16,
    /// How many minutes the clocks advance until it ends: up to a day.
    length: u16,
}

/// Why a range cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRange {
    /// There is no beginning and end.
    #[error("{0:?} is not a range of hours")]
    NoRange(String),
    /// One of them is not a time of day.
    #[error("{0:?} is not a time of day")]
    NoTime(String),
    /// A day is none of the week.
    #[error("{0:?} is not a day of the week")]
    NoDay(String),
    /// It begins and ends at the same time.
    #[error("{0:?} begins and ends at the same time")]
    Empty(String),
}

/// Why ranges are no quiet hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuietHours {
    /// There are none.
    #[error("no range is listed")]
    NoRanges,
    /// Nothing would ever be published.
    #[error("every hour of the week is quiet, so nothing would ever be published")]
    WholeWeek,
}

impl FromStr for QuietRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let text = text.trim();
        let (days, hours) = match text.rsplit_once(char::is_whitespace) {
            Some((days, hours)) => (days_of(days.trim())?, hours),
            None => ([true; 7], text),
        };
        let no_range = || InvalidRange::NoRange(text.to_owned());
        let (from, to) = hours.split_once('-').ok_or_else(no_range)?;
        let (from, to) = (minute_of(from)?, minute_of(to)?);
        if from == DAY {
            return Err(InvalidRange::NoTime("24:00".to_owned()));
        }
        if from == to {
            return Err(InvalidRange::Empty(text.to_owned()));
        }
        let length = if to > from { to - from } else { to + DAY - from };
        Ok(Self { days, from, length })
    }
}

/// The days of a list such as `mon,sat-sun`.
fn days_of(text: &str) -> Result<[bool; 7], InvalidRange> {
    let day = |name: &str| {
        let name = name.trim();
        let known = DAYS.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        known.ok_or_else(|| InvalidRange::NoDay(name.to_owned()))
    };
    let mut days = [false; 7];
    for item in text.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        // A list may pass the end of the week: `fri-mon`.
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

/// The minute of a day that `22:00` names; `24:00` is its end.
fn minute_of(text: &str) -> Result<u16, InvalidRange> {
    let text = text.trim();
    let number = |part: &str, most: u16| {
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|number| is_number && *number <= most)
    };
    let minute = text.split_once(':').and_then(|(hour, minute)| {
        let minute = number(hour, 24)? * 60 + number(minute, 59)?;
        (minute <= DAY).then_some(minute)
    });
    minute.ok_or_else(|| InvalidRange::NoTime(text.to_owned()))
}

impl QuietRange {
    fn begins_on(&self, day: Weekday) -> bool {
        self.days[usize::from(day.to_monday_zero_offset().unsigned_abs())]
    }

    /// The minutes of the week that it covers, counted from Monday, midnight.
    fn minutes(&self) -> impl Iterator<Item = usize> {
        let days = (0_usize..).zip(self.days).filter(|(_, is_quiet)| *is_quiet);
        let (from, length) = (usize::from(self.from), usize::from(self.length));
        days.flat_map(move |(day, _)| {
            (0..length).map(move |minute| (day * usize::from(DAY) + from + minute) % WEEK)
        })
    }

    /// The stretch of time that begins on `date`; `None` if none does, or if the clocks skip it.
    fn on(&self, date: Date, zone: &TimeZone) -> Option<Stretch> {
        if !self.begins_on(date.weekday()) {
            return None;
        }
        let begins = date.to_datetime(Time::midnight());
        let begins = begins.checked_add(SignedDuration::from_mins(self.from.into())).ok()?;
        let ends = begins.checked_add(SignedDuration::from_mins(self.length.into())).ok()?;
        let stretch = Stretch { since: first(begins, zone)?, until: last(ends, zone)? };
        (stretch.since < stretch.until).then_some(stretch)
    }
}

/// The first instant at which the clocks show `reading`, or pass it.
fn first(reading: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(reading).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(reading).ok()
        }
        AmbiguousOffset::Gap { after, .. } => skipped(reading, after, zone),
    }
}

/// The last instant at which the clocks show `reading`, or pass it.
fn last(reading: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(reading).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { after: offset, .. } => {
            offset.to_timestamp(reading).ok()
        }
        AmbiguousOffset::Gap { after, .. } => skipped(reading, after, zone),
    }
}

/// When the clocks pass a reading that they never show.
fn skipped(reading: DateTime, after: Offset, zone: &TimeZone) -> Option<Timestamp> {
    // By the offset that is in force after the gap, the reading is before it.
    let before = after.to_timestamp(reading).ok()?;
    zone.following(before).next().map(|transition| transition.timestamp())
}

/// A stretch of quiet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first instant.
    pub since: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

/// The quiet hours of a target. Clones share the ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietHours {
    ranges: Arc<[QuietRange]>,
    zone: TimeZone,
}

impl QuietHours {
    /// The hours in these ranges, as clocks in `zone` show them.
    ///
    /// # Errors
    /// If there are no ranges, or if they leave no minute of the week.
    pub fn new(ranges: Vec<QuietRange>, zone: TimeZone) -> Result<Self, InvalidQuietHours> {
        if ranges.is_empty() {
            return Err(InvalidQuietHours::NoRanges);
        }
        let mut is_quiet = vec![false; WEEK];
        for minute in ranges.iter().flat_map(QuietRange::minutes) {
            is_quiet[minute] = true;
        }
        if is_quiet.iter().all(|is_quiet| *is_quiet) {
            return Err(InvalidQuietHours::WholeWeek);
        }
        Ok(Self { ranges: ranges.into(), zone })
    }

    /// The same hours, as clocks in another zone show them.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// The time zone whose clocks they follow.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The quiet time that `now` is in; `None` if it is in none.
    pub fn at(&self, now: Timestamp) -> Option<Stretch> {
        let Stretch { mut since, mut until } = self.around(now, |one| one.since <= now && now < one.until)?;
        // Each step adds a range that begins or ends outside what is known so far, and a week has a minute without any.
        while let Some(later) = self.around(until, |one| one.since <= until && until < one.until) {
            until = later.until;
        }
        while let Some(earlier) = self.around(since, |one| one.since < since && since <= one.until) {
            since = earlier.since;
        }
        Some(Stretch { since, until })
    }

    /// All of the ranges near `moment` that `belongs` accepts, as one stretch.
    fn around(&self, moment: Timestamp, belongs: impl Fn(&Stretch) -> bool) -> Option<Stretch> {
        let today = self.zone.to_datetime(moment).date();
        // A range lasts a day at most, and clocks are set by less than another.
        let dates = (-2..=1).filter_map(|days: i64| today.checked_add(days.days()).ok());
        let all =
            dates.flat_map(|date| self.ranges.iter().filter_map(move |range| range.on(date, &self.zone)));
        all.filter(belongs).reduce(|one, other| Stretch {
            since: one.since.min(other.since),
            until: one.until.max(other.until),
        })
    }
}

/// The end of quiet hours as a person reads it: `07:00 (Europe/Madrid)`, with the day if it is not within a day.
#[derive(Debug, Clone)]
pub struct QuietUntil<'a> {
    hours: &'a QuietHours,
    until: Timestamp,
    is_far: bool,
}

impl QuietHours {
    /// The end of quiet time as a person reads it at `now`.
    pub fn shown(&self, until: Timestamp, now: Timestamp) -> QuietUntil<'_> {
        let is_far = until.duration_since(now) >= SignedDuration::from_hours(24);
        QuietUntil { hours: self, until, is_far }
    }
}

impl fmt::Display for QuietUntil<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = &self.hours.zone;
        let reading = zone.to_datetime(self.until);
        if self.is_far {
            write!(f, "{} ", reading.date())?;
        }
        write!(f, "{:02}:{:02}", reading.hour(), reading.minute())?;
        write!(f, " ({})", zone.iana_name().unwrap_or("local time"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Madrid's rules: clocks are set at 01:00 UTC on the last Sundays of March and October.
    const MADRID: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    /// Zones with other rules: the southern hemisphere by half an hour, the west, and none at all.
    const ZONES: [&str; 4] =
        [MADRID, "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "NST3:30NDT,M3.2.0,M11.1.0", "UTC0"];

    fn hours(ranges: &[&str], zone: &str) -> QuietHours {
        let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        QuietHours::new(ranges, TimeZone::posix(zone).unwrap()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn assert_quiet(hours: &QuietHours, moment: &str, since: &str, until: &str) {
        assert_eq!(hours.at(at(moment)), Some(Stretch { since: at(since), until: at(until) }), "{moment}");
    }

    #[test]
    fn a_night_is_quiet_over_midnight_the_end_of_a_month_and_of_a_year() {
        let hours = hours(&["22:00-07:00"], MADRID);
        for (moment, since, until) in [
            ("2026-11-30T22:30:00Z", "2026-11-30T21:00:00Z", "2026-12-01T06:00:00Z"),
            ("2026-12-31T23:59:59Z", "2026-12-31T21:00:00Z", "2027-01-01T06:00:00Z"),
            ("2028-02-28T23:00:00Z", "2028-02-28T21:00:00Z", "2028-02-29T06:00:00Z"),
        ] {
            assert_quiet(&hours, moment, since, until);
        }
        assert_eq!(hours.at(at("2026-12-01T06:00:00Z")), None);
        assert_eq!(hours.at(at("2026-12-01T20:59:59.999Z")), None);
    }

    #[test]
    fn a_night_in_which_clocks_are_set_is_an_hour_shorter_or_longer() {
        let hours = hours(&["22:00-07:00"], MADRID);
        assert_quiet(&hours, "2026-03-29T01:00:00Z", "2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z");
        assert_quiet(&hours, "2026-10-25T01:00:00Z", "2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z");
    }

    #[test]
    fn a_bound_that_the_clocks_skip_is_when_they_skip_it() {
        let from = hours(&["02:30-04:00"], MADRID);
        assert_quiet(&from, "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z");
        let to = hours(&["01:00-02:30"], MADRID);
        assert_quiet(&to, "2026-03-29T00:30:00Z", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z");
        let within = hours(&["02:10-02:50"], MADRID);
        for minute in 0..180 {
            let moment = at("2026-03-29T00:00:00Z") + SignedDuration::from_mins(minute);
            assert_eq!(within.at(moment), None, "{moment}");
        }
    }

    #[test]
    fn a_bound_that_the_clocks_show_twice_does_not_interrupt_the_quiet() {
        let from = hours(&["02:30-04:00"], MADRID);
        assert_quiet(&from, "2026-10-25T01:10:00Z", "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z");
        let to = hours(&["01:00-02:30"], MADRID);
        assert_quiet(&to, "2026-10-25T00:40:00Z", "2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z");
    }

    #[test]
    fn a_range_belongs_to_the_day_on_which_it_begins() {
        let hours = hours(&["22:00-07:00", "sat-sun 20:00-10:00"], "UTC0");
        // 2026-11-28 is a Saturday.
        assert_quiet(&hours, "2026-11-28T06:00:00Z", "2026-11-27T22:00:00Z", "2026-11-28T07:00:00Z");
        assert_eq!(hours.at(at("2026-11-28T09:00:00Z")), None);
        assert_quiet(&hours, "2026-11-29T09:00:00Z", "2026-11-28T20:00:00Z", "2026-11-29T10:00:00Z");
        assert_quiet(&hours, "2026-11-30T09:59:59Z", "2026-11-29T20:00:00Z", "2026-11-30T10:00:00Z");
    }

    #[test]
    fn ranges_that_touch_are_one_stretch() {
        let hours = hours(&["fri 20:00-24:00", "sat-sun 00:00-24:00", "mon 00:00-07:00"], "UTC0");
        for moment in ["2026-11-27T20:00:00Z", "2026-11-28T12:00:00Z", "2026-11-30T06:59:59Z"] {
            assert_quiet(&hours, moment, "2026-11-27T20:00:00Z", "2026-11-30T07:00:00Z");
        }
    }

    #[test]
    fn a_list_of_days_may_pass_the_end_of_the_week() {
        let days = |text: &str| text.parse::<QuietRange>().unwrap().days;
        assert_eq!(days("fri-mon 01:00-02:00"), [true, false, false, false, true, true, true]);
        assert_eq!(days("Mon,wed 01:00-02:00"), [true, false, true, false, false, false, false]);
        assert_eq!(days(" sun  01:00-02:00 "), [false, false, false, false, false, false, true]);
        assert_eq!(days("01:00-02:00"), [true; 7]);
    }

    #[test]
    fn every_mistake_in_a_range_has_its_own_error() {
        let error = |text: &str| text.parse::<QuietRange>().unwrap_err();
        assert_eq!(error("22:00"), InvalidRange::NoRange("22:00".into()));
        assert_eq!(error(""), InvalidRange::NoRange(String::new()));
        for time in ["25:00", "24:01", "7:00", "22", "22:60", "-1:00", "+1:00", "22:0é"] {
            assert!(matches!(error(&format!("{time}-06:00")), InvalidRange::NoTime(_)), "{time}");
        }
        assert_eq!(error("24:00-06:00"), InvalidRange::NoTime("24:00".into()));
        assert_eq!(error("sunday 22:00-06:00"), InvalidRange::NoDay("sunday".into()));
        assert_eq!(error("mon, 22:00-06:00"), InvalidRange::NoDay(String::new()));
        assert_eq!(error("22:00-22:00"), InvalidRange::Empty("22:00-22:00".into()));
    }

    #[test]
    fn hours_that_leave_no_minute_of_the_week_are_refused() {
        let new = |ranges: &[&str]| {
            let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
            QuietHours::new(ranges, TimeZone::UTC)
        };
        assert_eq!(new(&[]).unwrap_err(), InvalidQuietHours::NoRanges);
        for ranges in
            [&["00:00-24:00"][..], &["22:00-12:00", "12:00-22:00"], &["mon-sun 07:00-06:59", "06:59-07:00"]]
        {
            assert_eq!(new(ranges).unwrap_err(), InvalidQuietHours::WholeWeek, "{ranges:?}");
        }
        assert!(new(&["mon-sun 07:00-06:59"]).is_ok());
    }

    #[test]
    fn an_end_that_is_days_away_is_shown_with_its_date() {
        let hours = hours(&["22:00-07:00", "sat-sun 00:00-24:00"], "UTC0");
        let shown = |moment: &str| {
            let now = at(moment);
            hours.shown(hours.at(now).unwrap().until, now).to_string()
        };
        assert_eq!(shown("2026-11-25T23:00:00Z"), "07:00 (local time)");
        assert_eq!(shown("2026-11-28T01:00:00Z"), "2026-11-30 07:00 (local time)");
    }

    /// A few ranges, and whether each leaves a minute of the week.
    fn some_hours() -> impl Strategy<Value = QuietHours> {
        let range = (1_u8..128, 0..DAY, 1..=DAY).prop_map(|(days, from, length)| QuietRange {
            days: std::array::from_fn(|day| days & (1 << day) != 0),
            from,
            length,
        });
        let zone = proptest::sample::select(&ZONES[..]);
        (proptest::collection::vec(range, 1..4), zone).prop_filter_map("all is quiet", |(ranges, zone)| {
            QuietHours::new(ranges, TimeZone::posix(zone).unwrap()).ok()
        })
    }

    /// Instants of two years, most of them near the nights in which some clocks are set.
    fn moments() -> impl Strategy<Value = Timestamp> {
        let near = |day: &str| {
            let noon = at(day).as_second();
            (noon - 200_000..noon + 200_000).prop_map(|second| Timestamp::from_second(second).unwrap())
        };
        prop_oneof![
            near("2026-03-29T01:00:00Z"),
            near("2026-10-25T01:00:00Z"),
            near("2027-04-03T15:00:00Z"),
            near("2026-10-03T15:30:00Z"),
            near("2026-12-31T23:00:00Z"),
            (1_767_225_600_i64..1_830_297_600).prop_map(|second| Timestamp::from_second(second).unwrap()),
        ]
    }

    /// What the clocks show, read as a person reads it: the minute of the week.
    fn is_shown_as_quiet(hours: &QuietHours, moment: Timestamp) -> bool {
        let reading = hours.zone.to_datetime(moment);
        let day = usize::from(reading.date().weekday().to_monday_zero_offset().unsigned_abs());
        let minute = day * usize::from(DAY)
            + usize::from(reading.hour().unsigned_abs()) * 60
            + usize::from(reading.minute().unsigned_abs());
        hours.ranges.iter().flat_map(QuietRange::minutes).any(|quiet| quiet == minute)
    }

    proptest! {
        #[test]
        fn whether_it_is_quiet_and_until_when_always_agree(hours in some_hours(), moment in moments(), part in 0.0..1.0) {
            let Some(Stretch { since, until }) = hours.at(moment) else { return Ok(()) };
            prop_assert!(since <= moment && moment < until);
            prop_assert_eq!(hours.at(until), None);
            prop_assert_eq!(hours.at(since - SignedDuration::from_nanos(1)), None);
            let within = since + until.duration_since(since).mul_f64(part);
            if within < until {
                prop_assert_eq!(hours.at(within), Some(Stretch { since, until }));
            }
        }

        #[test]
        fn what_the_clocks_show_as_quiet_is_quiet(hours in some_hours(), moment in moments()) {
            if is_shown_as_quiet(&hours, moment) {
                prop_assert!(hours.at(moment).is_some());
            }
        }

        #[test]
        fn on_days_on_which_no_clock_is_set_the_clocks_decide(hours in some_hours(), moment in moments()) {
            let offset = |hours_away: i64| hours.zone.to_offset(moment + SignedDuration::from_hours(hours_away));
            prop_assume!((-50..=50).all(|hours_away| offset(hours_away) == offset(0)));
            prop_assert_eq!(hours.at(moment).is_some(), is_shown_as_quiet(&hours, moment));
        }
    }
}
