//! What engines charge: the settings' price, else that of a list beside the engine's code. Prices change; each list names its
//! date, and `engine.….price_…` overrides it.

use mynah_domain::{Money, tariff::Tariff};

use super::EngineSection;
use crate::settings::{Reader, kinds::price};

/// What a model costs, in millionths of a dollar for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ModelPrice {
    /// The model's name without its version.
    model: &'static str,
    input: u64,
    output: u64,
}

impl ModelPrice {
    /// Prices in hundredths of a dollar, as lists state them.
    pub(crate) const fn in_cents(model: &'static str, input: u64, output: u64) -> Self {
        Self { model, input: input * 10_000, output: output * 10_000 }
    }

    /// Whether it is the price of this model, of which a name may end with a version: `gpt-5.4-mini-2026-03-17`.
    fn is_of(&self, model: &str) -> bool {
        let Some(version) = model.strip_prefix(self.model) else { return false };
        let is_version = |version: &str| {
            version == "latest" || version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        };
        version.is_empty() || version.strip_prefix('-').is_some_and(is_version)
    }
}

/// The price that a list has for a model.
pub(crate) fn listed(list: &[ModelPrice], model: &str) -> Option<ModelPrice> {
    list.iter().copied().filter(|price| price.is_of(model)).max_by_key(|price| price.model.len())
}

/// Reads what a model costs by the token. If the settings have no price, `otherwise` is it, if it is known.
pub(crate) fn by_token(
    section: &EngineSection<'_>,
    reader: &mut Reader<'_>,
    otherwise: Option<ModelPrice>,
) -> Option<Tariff> {
    let (of_input, of_output) = (section.key("price_input"), section.key("price_output"));
    let (input, output) = (reader.optional(&of_input, price), reader.optional(&of_output, price));
    let listed = |price: fn(ModelPrice) -> u64| otherwise.map(price).map(Money::from_micros);
    let input = input.ok()?.or_else(|| listed(|price| price.input));
    let output = output.ok()?.or_else(|| listed(|price| price.output));
    Some(match (input, output) {
        (Some(input), Some(output)) => Tariff::Tokens { input, output },
        (None, _) => Tariff::Unknown { setting: of_input.into() },
        (_, None) => Tariff::Unknown { setting: of_output.into() },
    })
}

/// The price of a model that costs nothing, because it runs on a machine of the operator's.
pub(crate) const FREE: ModelPrice = ModelPrice::in_cents("", 0, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_price_of_its_longest_name() {
        let list = [
            ModelPrice::in_cents("gpt-5.4", 250, 1500),
            ModelPrice::in_cents("gpt-5.4-mini", 75, 450),
            ModelPrice::in_cents("claude-opus-4", 1500, 7500),
            ModelPrice::in_cents("claude-opus-4-5", 500, 2500),
        ];
        let model_of = |model: &str| listed(&list, model).map(|price| price.model);
        for (model, expected) in [
            ("gpt-5.4", Some("gpt-5.4")),
            ("gpt-5.4-2026-03-05", Some("gpt-5.4")),
            ("gpt-5.4-mini", Some("gpt-5.4-mini")),
            ("gpt-5.4-mini-latest", Some("gpt-5.4-mini")),
            ("claude-opus-4-5-20251101", Some("claude-opus-4-5")),
            ("gpt-5.4-pro", None),
            ("gpt-5.45", None),
            ("my-gpt-5.4", None),
        ] {
            assert_eq!(model_of(model), expected, "{model}");
        }
    }
}
