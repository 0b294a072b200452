//! Validates query parameters as X does: each endpoint has a list of its parameters, and any other is a 400 that names
//! it.

use url::form_urlencoded;

use super::problems::Problem;

/// Parameters that every reading endpoint accepts.
pub(crate) const FIELD_PARAMETERS: [&str; 7] = [
    "tweet.fields",
    "post.fields",
    "expansions",
    "user.fields",
    "media.fields",
    "poll.fields",
    "place.fields",
];

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query string that may contain only `own` and the field parameters.
    pub(crate) fn parse(text: &str, own: &[&str]) -> Result<Self, Problem> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        for (name, value) in &pairs {
            if !own.contains(&&**name) && !FIELD_PARAMETERS.contains(&&**name) {
                let known = own.iter().chain(&FIELD_PARAMETERS).copied().collect::<Vec<_>>();
                let message = format!("The query parameter [{name}] is not one of [{}]", known.join(","));
                return Err(Problem::parameter(name, value, message));
            }
        }
        Ok(Self(pairs))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| &**value)
    }

    /// The members of a comma-separated list, or none if the parameter is missing.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<&str>> {
        self.get(name).map(|value| value.split(',').filter(|member| !member.is_empty()).collect())
    }

    /// A number within a range, or `default` if the parameter is missing.
    pub(crate) fn number(&self, name: &str, min: u64, max: u64, default: u64) -> Result<u64, Problem> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        match value.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(Problem::parameter(
                name,
                value,
                format!("The `{name}` query parameter value [{value}] is not between {min} and {max}"),
            )),
        }
    }

    /// An id of one to nineteen digits.
    pub(crate) fn id(&self, name: &str) -> Result<Option<u64>, Problem> {
        self.get(name)
            .map(|value| {
                id(value).ok_or_else(|| {
                    let message = format!(
                        "The `{name}` query parameter value [{value}] does not match ^[0-9]{{1,19}}$"
                    );
                    Problem::parameter(name, value, message)
                })
            })
            .transpose()
    }
}

/// Parses an id of one to nineteen digits.
pub(crate) fn id(text: &str) -> Option<u64> {
    let digits = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Parses an id from a path.
pub(crate) fn path_id(text: &str) -> Result<u64, Problem> {
    id(text).ok_or_else(|| {
        let message = format!("The `id` query parameter value [{text}] does not match ^[0-9]{{1,19}}$");
        Problem::parameter("id", text, message)
    })
}
