//! What goes wrong, and when: a plan that is data, so that a test, a flag or a request can order it, and that
//! draws from a seed, so that the same run fails the same way again.
//!
//! A plan is a list of rules. For each request to a known endpoint every matching rule counts it; delays add
//! up, and the first other rule that fires decides.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    endpoint::Endpoint,
    hash,
    impolite::{ECHO_BYTES, Fate, Manners, Profile},
};

/// Faults to order.
///
/// ```
/// let plan: mynah_sandbox::FaultPlan = serde_json::from_str(
///     r#"{"seed": 7, "rules": [
///         {"endpoint": "x.post", "fault": "drop_after_act", "nth": 2},
///         {"endpoint": "gemini.generate", "fault": {"gemini": "missing_placeholder"}, "probability": 0.1},
///         {"endpoint": "*", "fault": {"delay_ms": 50}}
///     ]}"#,
/// )
/// .unwrap();
/// assert_eq!(plan.rules.len(), 3);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// Decides every draw of a probability.
    #[serde(default)]
    pub seed: u64,
    /// Asked in order.
    #[serde(default)]
    pub rules: Vec<FaultRule>,
    /// Kinds of impoliteness, each at its own rate. They show in calls that no rule decides.
    #[serde(default)]
    pub profiles: Vec<Profile>,
    /// How many bytes an error answer of the profile `echo` has at least; 256 KiB unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_bytes: Option<usize>,
}

impl FaultPlan {
    /// A plan of nothing but profiles.
    pub fn of_profiles(seed: u64, profiles: impl IntoIterator<Item = Profile>) -> Self {
        Self { seed, profiles: profiles.into_iter().collect(), ..Self::default() }
    }

    /// What the profiles do to the followed account's post with this [number](crate::StoredPost::number).
    pub fn fate(&self, number: u64) -> Fate {
        Fate::of(self.manners(), number)
    }

    fn manners(&self) -> Manners {
        Manners::new(self.seed, &self.profiles, self.echo_bytes.unwrap_or(ECHO_BYTES).min(ECHO_MOST))
    }
}

/// The longest error answer that can be ordered.
const ECHO_MOST: usize = 16 * 1024 * 1024;

/// One way to fail, and for which requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which calls it is for.
    pub endpoint: EndpointPattern,
    /// What happens to them.
    pub fault: Fault,
    /// How often it happens to a request that the other keys let through; always, unless told.
    #[serde(default = "always")]
    pub probability: f64,
    /// Only to the n-th matching request, counted from 1 since the plan was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Not to the first so many matching requests.
    #[serde(default)]
    pub after: u64,
    /// At most so many times in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

fn always() -> f64 {
    1.0
}

impl FaultRule {
    /// A rule that always fires; narrow it with the public fields.
    pub fn new(endpoint: impl Into<EndpointPattern>, fault: Fault) -> Self {
        Self { endpoint: endpoint.into(), fault, probability: always(), nth: None, after: 0, count: None }
    }

    /// Only the n-th matching request, from 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// At most so many times.
    #[must_use]
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// With this probability.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

/// An endpoint by name, or `*` for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EndpointPattern {
    /// One endpoint.
    One(Endpoint),
    /// `"*"`: every endpoint of X and Gemini.
    All(Star),
}

/// The `*` of [`EndpointPattern::All`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Star {
    /// Written `"*"`.
    #[serde(rename = "*")]
    Star,
}

impl EndpointPattern {
    /// Every endpoint.
    pub const ALL: Self = Self::All(Star::Star);

    fn matches(self, endpoint: Endpoint) -> bool {
        match self {
            Self::One(one) => one == endpoint,
            Self::All(_) => true,
        }
    }
}

impl From<Endpoint> for EndpointPattern {
    fn from(endpoint: Endpoint) -> Self {
        Self::One(endpoint)
    }
}

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Does nothing and answers this status, with the body that X or Gemini sends with it.
    Status(u16),
    /// Does nothing and answers one of X's named problems. On Gemini: 500.
    X(XFault),
    /// Answers as Gemini sometimes does. On X: nothing happens.
    Gemini(GeminiFault),
    /// Waits so many milliseconds, then goes on as if nothing had been.
    DelayMs(u64),
    /// Does nothing and never answers; the connection stays open until the client or the sandbox ends it.
    Hang,
    /// Acts, and then never answers.
    HangAfterAct,
    /// Does nothing and closes the connection: the client sees it end without a status line.
    DropConnection,
    /// Acts, and then closes the connection without a status line.
    DropAfterAct,
    /// Acts, and then answers this status as if it had not.
    StatusAfterAct(u16),
    /// Acts, sends the head and half of the answer, and closes the connection.
    HalfBody,
    /// Acts, and then answers with the right status and a body that is no JSON.
    Garbage,
    /// Does nothing and answers 403 with the HTML page of a bot guard.
    HtmlPage,
}

/// Problems of X that the sandbox would otherwise have no reason to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum XFault {
    /// 402 `credits-depleted`, as observed since July 2026.
    CreditsDepleted,
    /// 402 `CreditsDepleted` with an account id, the older body.
    CreditsDepletedOld,
    /// 429 `UsageCapExceeded` for the month, with the rate headers still full.
    UsageCapped,
    /// 403 "You are not permitted to perform this action."
    NotPermitted,
    /// 403 for a reply where the account was not mentioned.
    ReplyNotAllowed,
    /// 403 duplicate content, whatever the text.
    Duplicate,
    /// 403 the app lacks OAuth 1 write permission.
    Oauth1Permissions,
    /// 403 the app is not attached to a project.
    ClientNotEnrolled,
    /// 429 with a reset an hour ago.
    ResetPast,
    /// 429 with a reset now, and `retry-after: 0`.
    ResetNow,
    /// 429 with a reset in the year 2100.
    ResetFar,
    /// 429 with a reset in the year 2100, of a limit that is not used up.
    ResetUnused,
    /// 403 code 185: the account is over its daily limit of updates.
    DailyUpdates,
    /// 403 code 344: the account is over its daily limit for posting.
    DailyLimit,
    /// 403 code 226: the request looks automated.
    Automated,
    /// 403 code 326: the account is locked until a person unlocks it.
    Locked,
    /// 403 code 64: the account is suspended.
    Suspended,
    /// 200 with `errors` and no `data`.
    ErrorsOnly,
    /// 200 with `errors`, no `data`, and a `result_count` of 0.
    ErrorsAndNoResults,
    /// 200 with an empty object.
    EmptyObject,
    /// 400 for a `pagination_token` that has expired.
    ExpiredToken,
}

/// The ways in which a model misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeminiFault {
    /// The answer's text is JSON that breaks off.
    GarbageJson,
    /// `promptFeedback.blockReason`, no candidates.
    Refusal,
    /// `finishReason: MAX_TOKENS` and no parts: thinking spent the budget.
    MaxTokens,
    /// `finishReason: SAFETY` and no parts.
    Safety,
    /// "Sure! Here is …" before the JSON, and a fence around it.
    Preamble,
    /// The source text, unchanged.
    SourceText,
    /// The first protected part of each text is gone.
    MissingPlaceholder,
    /// The first protected part of each text stands twice.
    DoubledPlaceholder,
    /// A sentence in a language nobody asked for.
    WrongLanguage,
    /// Far longer than the text or its limit.
    OverLong,
    /// The last item is not in the answer.
    MissingItem,
    /// The first id comes twice.
    DuplicatedId,
    /// An id that nobody sent.
    UnknownId,
    /// Empty texts.
    EmptyText,
    /// A part with `thought: true` before the answer: well-behaved, and a trap all the same.
    ThoughtPart,
    /// 429 with `RetryInfo` and a `PerMinute` quota.
    QuotaPerMinute,
    /// 429 with `RetryInfo` and a `PerDay` quota.
    QuotaPerDay,
    /// 503 overloaded.
    Overloaded,
    /// 500 INTERNAL.
    Internal,
    /// A fence around the JSON, and nothing else.
    Fenced,
    /// `{"items": [...]}` in place of the list.
    ItemsObject,
    /// `candidates: []`.
    EmptyCandidates,
    /// No id is one of those sent.
    WrongIds,
    /// Control characters in the texts.
    ControlCharacters,
    /// Characters in the texts that turn the direction of writing.
    DirectionMarks,
    /// Counts below zero in `usageMetadata`.
    NegativeCounts,
    /// 429 with a `RetryInfo` of zero seconds.
    RetryNow,
    /// `parts: null`.
    NullParts,
    /// `candidates: null`.
    NullCandidates,
    /// `content: null`.
    NullContent,
    /// A part with `text: null`.
    NullText,
    /// Counts that are null in `usageMetadata`.
    NullCounts,
    /// Counts that are strings in `usageMetadata`, as Google's JSON may write them.
    QuotedCounts,
    /// `usageMetadata: null`, and null for all that is not set.
    NullUsage,
}

/// What the plan decided for one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// All delays together.
    pub(crate) delay: Duration,
    /// The fault, if one fired.
    pub(crate) fault: Option<Fault>,
    /// How impolite the answer is.
    pub(crate) manners: Manners,
}

/// A plan and how often its rules have been asked.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    plan: FaultPlan,
    tallies: Vec<Tally>,
    manners: Manners,
    calls: HashMap<Endpoint, u64>,
}

#[derive(Debug, Default, Clone)]
struct Tally {
    matched: u64,
    fired: u64,
}

impl Faults {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        let tallies = vec![Tally::default(); plan.rules.len()];
        let manners = plan.manners();
        Self { plan, tallies, manners, calls: HashMap::new() }
    }

    pub(crate) fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// Draws for one request.
    pub(crate) fn draw(&mut self, endpoint: Endpoint) -> Verdict {
        let call = self.calls.entry(endpoint).or_default();
        *call += 1;
        let mut verdict = Verdict { manners: self.manners.for_call(endpoint, *call), ..Verdict::default() };
        for (index, (rule, tally)) in self.plan.rules.iter().zip(&mut self.tallies).enumerate() {
            if !rule.endpoint.matches(endpoint) {
                continue;
            }
            tally.matched += 1;
            let due = rule.nth.is_none_or(|nth| nth == tally.matched)
                && tally.matched > rule.after
                && rule.count.is_none_or(|count| tally.fired < count)
                && chance(self.plan.seed, index, tally.matched) < rule.probability;
            if !due {
                continue;
            }
            match rule.fault {
                Fault::DelayMs(ms) => verdict.delay += Duration::from_millis(ms),
                fault if verdict.fault.is_none() => verdict.fault = Some(fault),
                // An earlier rule decided: this one keeps its turn.
                _ => continue,
            }
            tally.fired += 1;
        }
        verdict
    }
}

/// A number in `0..1` that depends on nothing but the seed, the rule and the number of the request.
fn chance(seed: u64, rule: usize, matched: u64) -> f64 {
    let bits = hash::stable(&[&seed.to_le_bytes(), &rule.to_le_bytes(), &matched.to_le_bytes()]);
    // 32 bits are exact in an f64 and fine enough for a probability.
    let top = u32::try_from(bits >> 32).unwrap_or(u32::MAX);
    f64::from(top) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_request_alone_fails() {
        let rule = FaultRule::new(Endpoint::Post, Fault::Status(503)).nth(2);
        let mut faults = Faults::new(FaultPlan { rules: vec![rule], ..FaultPlan::default() });
        let fired: Vec<bool> = (0..3).map(|_| faults.draw(Endpoint::Post).fault.is_some()).collect();
        assert_eq!(fired, [false, true, false]);
        assert_eq!(faults.draw(Endpoint::Timeline).fault, None);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let plan = FaultPlan {
            seed: 42,
            rules: vec![FaultRule::new(EndpointPattern::ALL, Fault::Hang).probability(0.3)],
            ..FaultPlan::default()
        };
        let draw = |plan: &FaultPlan| {
            let mut faults = Faults::new(plan.clone());
            (0..1000).map(|_| faults.draw(Endpoint::User).fault.is_some()).collect::<Vec<_>>()
        };
        let drawn = draw(&plan);
        assert_eq!(drawn, draw(&plan));
        let fired = drawn.iter().filter(|fired| **fired).count();
        assert!((250..350).contains(&fired), "{fired} of 1000 at 0.3");
    }

    #[test]
    fn delays_add_up_and_leave_the_fault_to_others() {
        let mut faults = Faults::new(FaultPlan {
            rules: vec![
                FaultRule::new(EndpointPattern::ALL, Fault::DelayMs(10)),
                FaultRule::new(Endpoint::Post, Fault::DropAfterAct).count(1),
                FaultRule::new(Endpoint::Post, Fault::DelayMs(5)),
            ],
            ..FaultPlan::default()
        });
        let first = faults.draw(Endpoint::Post);
        assert_eq!(first.delay, Duration::from_millis(15));
        assert_eq!(first.fault, Some(Fault::DropAfterAct));
        assert_eq!(faults.draw(Endpoint::Post).fault, None);
    }

    #[test]
    fn a_plan_reads_as_documented() {
        let plan: FaultPlan = serde_json::from_str(
            r#"{"rules":[{"endpoint":"*","fault":{"status":503}},{"endpoint":"x.post","fault":"hang"}]}"#,
        )
        .unwrap();
        assert_eq!(plan.rules[0], FaultRule::new(EndpointPattern::ALL, Fault::Status(503)));
        assert_eq!(plan.rules[1], FaultRule::new(Endpoint::Post, Fault::Hang));
        assert!(serde_json::from_str::<FaultPlan>(r#"{"rulez":[]}"#).is_err());
        let plan: FaultPlan =
            serde_json::from_str(r#"{"profiles":["nulls","late"],"echo_bytes":9}"#).unwrap();
        assert_eq!((&*plan.profiles, plan.echo_bytes), (&[Profile::Nulls, Profile::Late][..], Some(9)));
        assert!(serde_json::from_str::<FaultPlan>(r#"{"profiles":["rude"]}"#).is_err());
    }
}
