//! What was spent, and what is left of the budgets. Amounts are texts of US dollars, `"0.015"`, because JSON's numbers are not
//! exact everywhere.

use jiff::{Timestamp, civil::Date};
use mynah_domain::{Money, budget::Budgets};
use serde::{Deserialize, Serialize};

/// The query of `GET /api/costs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostsQuery {
    /// The first day; by default, that of this month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
}

/// `GET /api/costs`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// The first day of `charges`.
    pub since: Date,
    /// Where days begin: `budget.time_zone`.
    pub time_zone: String,
    /// What was spent and is reserved, by day, source, target, service and purpose.
    pub charges: Vec<CostLine>,
    /// Everything today.
    #[serde(with = "dollars")]
    pub today: Money,
    /// Everything this month.
    #[serde(with = "dollars")]
    pub this_month: Money,
    /// What this month will cost if it goes on as until now; `null` on its first day.
    #[serde(with = "maybe_dollars")]
    pub forecast: Option<Money>,
    /// The budgets.
    pub budgets: Vec<BudgetState>,
    /// Services that charge something that is not included, because their prices are unknown.
    pub unknown_prices: Vec<String>,
}

impl Costs {
    /// What was spent before the first start.
    pub fn nothing(budgets: &Budgets, since: Option<Date>, now: Timestamp) -> Self {
        Self {
            since: since.unwrap_or_else(|| budgets.month(now).0),
            time_zone: budgets.zone.iana_name().unwrap_or("UTC").to_owned(),
            charges: Vec::new(),
            today: Money::ZERO,
            this_month: Money::ZERO,
            forecast: None,
            budgets: Vec::new(),
            unknown_prices: Vec::new(),
        }
    }
}

/// What was spent on one day by one source, for one target, on one service, for one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    /// The day.
    pub day: Date,
    /// The source's id.
    pub source: String,
    /// The target's id; `null` for what serves all targets of the source.
    pub target: Option<String>,
    /// The network or the engine that charges it.
    pub service: String,
    /// `publish`, `read`, `look_up`, `media` or `translate`.
    pub purpose: String,
    /// How many messages, posts or requests.
    pub units: u64,
    /// What they cost.
    #[serde(with = "dollars")]
    pub cost: Money,
}

/// A budget in its current period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetState {
    /// The key that sets it.
    pub setting: String,
    /// What it limits: `everything`, `source x:town`, `target x:town_es`, or a service.
    pub scope: String,
    /// `daily` or `monthly`.
    pub period: String,
    /// The most money.
    #[serde(with = "dollars")]
    pub most: Money,
    /// What is spent and reserved.
    #[serde(with = "dollars")]
    pub spent: Money,
    /// What is left.
    #[serde(with = "dollars")]
    pub left: Money,
    /// When the next period begins.
    pub until: Timestamp,
}

/// What was spent, for the status and for monitors.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Everything today.
    #[serde(with = "dollars")]
    pub today: Money,
    /// Everything this month.
    #[serde(with = "dollars")]
    pub this_month: Money,
    /// By service and purpose; only what cost something this month.
    pub services: Vec<SpentOn>,
    /// The budgets.
    pub budgets: Vec<BudgetState>,
}

/// What was spent on one service for one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentOn {
    /// The network or the engine.
    pub service: String,
    /// `publish`, `read`, `look_up`, `media` or `translate`.
    pub purpose: String,
    /// Today.
    #[serde(with = "dollars")]
    pub today: Money,
    /// This month.
    #[serde(with = "dollars")]
    pub this_month: Money,
}

/// An amount as text, without its sign.
pub(super) mod dollars {
    use mynah_domain::Money;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(in super::super) fn serialize<S: Serializer>(money: &Money, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(money.to_string().trim_start_matches('$'))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Money, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

mod maybe_dollars {
    use mynah_domain::Money;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::dollars;

    #[allow(clippy::ref_option, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(money: &Option<Money>, to: S) -> Result<S::Ok, S::Error> {
        match money {
            Some(money) => dollars::serialize(money, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Money>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_texts() {
        let costs = Costs {
            today: Money::from_micros(15_001),
            forecast: Some(Money::from_micros(1_000_000)),
            ..Costs::nothing(&Budgets::default(), None, "2026-11-16T00:00:00Z".parse().unwrap())
        };
        let json = serde_json::to_value(&costs).unwrap();
        assert_eq!((&json["today"], &json["forecast"]), (&"0.015001".into(), &"1.00".into()));
        assert_eq!(serde_json::from_value::<Costs>(json).unwrap(), costs);
    }
}
