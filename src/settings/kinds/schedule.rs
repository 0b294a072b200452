//! Parsers for when a target publishes, and for what becomes of posts that come late.

use std::time::Duration;

use config::ValueKind;
use jiff::tz::TimeZone;
use mynah_domain::{
    catch_up::CatchUp,
    quiet_hours::{InvalidQuietHours, QuietHours, QuietRange},
};

use super::{Read, count, duration, quoted, refuse, shown, text_of};

const DAY: Duration = Duration::from_hours(24);

const QUIET_HOURS: &str = "write ranges such as \"22:00-07:00\", or [\"22:00-07:00\", \"sat-sun 20:00-10:00\"]; each may name the days on \
                           which it begins: mon, tue, wed, thu, fri, sat, sun";

/// Ranges of hours, of which each may name days of the week. The time zone is another setting.
pub(in crate::settings) fn quiet_hours(value: &ValueKind) -> Read<QuietHours> {
    let written = match value {
        ValueKind::Array(items) => items.iter().map(|item| shown(&item.kind)).collect(),
        other => ranges_of(text_of(other)?),
    };
    let mut mistakes = Vec::new();
    let mut ranges: Vec<QuietRange> = Vec::with_capacity(written.len());
    for range in &written {
        match range.parse() {
            Ok(range) => ranges.push(range),
            Err(mistake) => mistakes.push(format!("{mistake}")),
        }
    }
    if !mistakes.is_empty() {
        return refuse(mistakes.join("; "), QUIET_HOURS);
    }
    QuietHours::new(ranges, TimeZone::UTC).or_else(|mistake| match mistake {
        InvalidQuietHours::NoRanges => {
            refuse(mistake.to_string(), "remove the key, or write [\"22:00-07:00\"]")
        }
        InvalidQuietHours::WholeWeek => refuse(
            mistake.to_string(),
            "leave some hours, or remove the target; `mynah pause` stops one for a while",
        ),
    })
}

/// The ranges of a comma-separated text, in which days are separated by commas, too: a range ends with its hours.
fn ranges_of(text: &str) -> Vec<String> {
    let mut ranges = Vec::new();
    let mut range = String::new();
    for piece in text.split(',') {
        if !range.is_empty() {
            range.push(',');
        }
        range.push_str(piece);
        if piece.contains(':') {
            ranges.push(std::mem::take(&mut range));
        }
    }
    ranges.extend(Some(range).filter(|rest| !rest.trim().is_empty()));
    ranges
}

/// How long after it was written a post is published.
pub(in crate::settings) fn delay(value: &ValueKind) -> Read<Duration> {
    duration(Duration::ZERO..=DAY * 7)(value)
}

/// Which of the posts that came while the source was not read are republished.
pub(in crate::settings) fn catch_up(value: &ValueKind) -> Read<CatchUp> {
    let text = text_of(value)?.trim();
    let fix = "write \"all\", \"none\", or \"latest 3\" for the newest 3 posts";
    match text {
        "all" => Ok(CatchUp::All),
        "none" => Ok(CatchUp::Latest(0)),
        _ => match text.strip_prefix("latest ") {
            Some(number) => count(1..=1000_u32)(&ValueKind::from(number)).map(CatchUp::Latest),
            None => refuse(format!("{} is neither all, nor none, nor a number of posts", quoted(value)), fix),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Refusal, *};

    fn text(text: &str) -> ValueKind {
        ValueKind::from(text)
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(read: Read<T>, what: &str, fix: &str) {
        let Refusal { what: found, fix: found_fix } = read.unwrap_err();
        assert!(found.contains(what), "{found}");
        assert!(found_fix.contains(fix), "{found_fix}");
    }

    #[test]
    fn quiet_hours_are_one_range_or_several_and_a_text_or_a_list() {
        let list = ValueKind::Array(vec!["22:00-07:00".into(), "mon,wed 12:00-13:00".into()]);
        let of_list = quiet_hours(&list).unwrap();
        assert_eq!(quiet_hours(&text("22:00-07:00, mon,wed 12:00-13:00")).unwrap(), of_list);
        assert!(quiet_hours(&text("mon,wed 12:00-13:00,22:00-07:00")).is_ok());
        assert_ne!(quiet_hours(&text("22:00-07:00")).unwrap(), of_list);
    }

    #[test]
    fn every_bad_range_is_reported_and_so_are_hours_that_leave_nothing() {
        let list =
            ValueKind::Array(vec!["25:00-07:00".into(), "22:00-07:00".into(), "sunday 20:00-10:00".into()]);
        refused(
            quiet_hours(&list),
            "\"25:00\" is not a time of day; \"sunday\" is not a day of the week",
            "sat-sun",
        );
        refused(quiet_hours(&text("22:00")), "not a range of hours", "\"22:00-07:00\"");
        refused(quiet_hours(&text("00:00-24:00")), "every hour of the week is quiet", "mynah pause");
        refused(quiet_hours(&ValueKind::Array(vec![])), "no range", "remove the key");
        refused(quiet_hours(&text("")), "no range", "remove the key");
        refused(quiet_hours(&ValueKind::Boolean(true)), "not a text", "");
    }

    #[test]
    fn a_delay_is_not_negative() {
        assert_eq!(delay(&text("10m")).unwrap(), Duration::from_mins(10));
        assert_eq!(delay(&text("0s")).unwrap(), Duration::ZERO);
        refused(delay(&text("-10m")), "not a duration", "\"5m\"");
        refused(delay(&text("8d")), "out of range", "7d");
    }

    #[test]
    fn catching_up_is_all_or_none_or_a_number() {
        assert_eq!(catch_up(&text("all")).unwrap(), CatchUp::All);
        assert_eq!(catch_up(&text("none")).unwrap(), CatchUp::Latest(0));
        assert_eq!(catch_up(&text("latest 3")).unwrap(), CatchUp::Latest(3));
        refused(catch_up(&text("latest 0")), "out of range", "1 to 1000");
        refused(catch_up(&text("latest")), "neither all", "\"latest 3\"");
        refused(catch_up(&text("some")), "\"some\"", "\"none\"");
    }
}
