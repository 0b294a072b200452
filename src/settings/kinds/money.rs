//! Parsers for amounts of money, and for the time zone of budgets.

use config::ValueKind;
use jiff::tz::{TimeZone, db};
use mynah_domain::{Money, money::NoMoney};

use super::{Read, quoted, refuse, shown, text_of};
use crate::settings::nearest::nearest;

/// An amount of US dollars.
fn dollars(value: &ValueKind) -> Result<Money, NoMoney> {
    shown(value).parse()
}

/// A price in US dollars.
///
/// # Errors
/// Says how an amount is written.
pub fn price(value: &ValueKind) -> Read<Money> {
    dollars(value).or_else(|error| {
        refuse(
            error.to_string(),
            "write US dollars with at most six digits behind the point, such as \"0.005\"",
        )
    })
}

/// The most that may be spent, or `none` for no budget.
pub(in crate::settings) fn budget(value: &ValueKind) -> Read<Option<Money>> {
    if matches!(value, ValueKind::String(text) if text.trim() == "none") {
        return Ok(None);
    }
    let fix =
        "write US dollars such as \"1.00\", or \"none\" for no budget; \"0\" allows nothing that costs money";
    dollars(value).map(Some).or_else(|error| refuse(error.to_string(), fix))
}

/// A time zone by its name in the IANA database.
pub(in crate::settings) fn time_zone(value: &ValueKind) -> Read<TimeZone> {
    let text = text_of(value)?;
    TimeZone::get(text).or_else(|_| {
        let names: Vec<String> = db().available().map(|name| name.to_string()).collect();
        let near = nearest(text, names.iter().map(String::as_str));
        refuse(
            format!("there is no time zone {}", quoted(value)),
            match near {
                Some(near) => format!("did you mean {near:?}?"),
                None => "write a name of the IANA database, such as \"Europe/Madrid\" or \"UTC\"".to_owned(),
            },
        )
    })
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
    fn an_amount_may_be_a_text_or_a_number() {
        for value in [text("1.50"), text("$1.5"), ValueKind::Float(1.5)] {
            assert_eq!(price(&value).unwrap(), Money::from_micros(1_500_000));
        }
        assert_eq!(price(&ValueKind::I64(2)).unwrap(), Money::from_micros(2_000_000));
        refused(price(&text("1.50 EUR")), "not in US dollars", "\"0.005\"");
        refused(price(&ValueKind::I64(-2)), "negative", "US dollars");
        refused(price(&ValueKind::Float(0.000_000_1)), "six digits", "six digits");
        refused(price(&text("cheap")), "not an amount", "US dollars");
        refused(price(&ValueKind::Boolean(true)), "not an amount", "US dollars");
    }

    #[test]
    fn none_means_no_budget_and_zero_means_nothing() {
        assert_eq!(budget(&text("none")).unwrap(), None);
        assert_eq!(budget(&text("0")).unwrap(), Some(Money::ZERO));
        assert_eq!(budget(&text("1.00")).unwrap(), Some(Money::from_micros(1_000_000)));
        refused(budget(&text("unlimited")), "not an amount", "\"none\"");
        refused(budget(&text("-1")), "negative", "\"none\"");
    }

    #[test]
    fn a_time_zone_is_known_by_its_name() {
        let zone = time_zone(&text("Europe/Madrid")).unwrap();
        assert_eq!(zone.iana_name(), Some("Europe/Madrid"));
        assert!(time_zone(&text("UTC")).is_ok());
        refused(time_zone(&text("Europe/Madird")), "no time zone \"Europe/Madird\"", "\"Europe/Madrid\"");
        refused(time_zone(&text("nowhere at all")), "no time zone", "\"UTC\"");
        refused(time_zone(&ValueKind::I64(1)), "not a text", "\"1\"");
    }

    /// A container may have no database of its own.
    #[test]
    fn time_zones_are_known_without_a_database_of_the_system() {
        let bundled = jiff::tz::TimeZoneDatabase::bundled();
        assert_eq!(bundled.get("Europe/Madrid").unwrap().iana_name(), Some("Europe/Madrid"));
    }
}
