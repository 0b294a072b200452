//! Decides which calls fail and how. The plan is data, so that a test, a flag or a request can set it, and its draws
//! depend on a seed, so that the same run fails in the same way again.
//!
//! A plan is a list of rules. Every matching rule counts each request to a known endpoint; delays add up, and the first
//! other rule that fires decides.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    endpoint::{Endpoint, Service},
    hash,
    model::{AnthropicFault, GeminiFault, OpenAiFault},
    profiles::{ActiveProfiles, ECHO_BYTES, Fate, Profile},
};

/// The faults to produce.
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
    /// Seeds every random draw.
    #[serde(default)]
    pub seed: u64,
    /// The rules, in order of precedence.
    #[serde(default)]
    pub rules: Vec<FaultRule>,
    /// Kinds of misbehavior, each at its own rate. They apply to calls that no rule decides.
    #[serde(default)]
    pub profiles: Vec<Profile>,
    /// The minimum size of an error answer of the profile `echo` in bytes; default 256 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_bytes: Option<usize>,
}

impl FaultPlan {
    /// A plan with profiles and no rules.
    pub fn of_profiles(seed: u64, profiles: impl IntoIterator<Item = Profile>) -> Self {
        Self { seed, profiles: profiles.into_iter().collect(), ..Self::default() }
    }

    /// What the profiles do to the followed account's post with this [number](crate::StoredPost::number).
    pub fn fate(&self, number: u64) -> Fate {
        Fate::of(self.active_profiles(), number)
    }

    fn active_profiles(&self) -> ActiveProfiles {
        ActiveProfiles::new(
            self.seed,
            &self.profiles,
            self.echo_bytes.unwrap_or(ECHO_BYTES).min(MAX_ECHO_BYTES),
        )
    }
}

/// The largest possible `echo_bytes`.
const MAX_ECHO_BYTES: usize = 16 * 1024 * 1024;

/// A fault and the requests that it applies to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The calls that it applies to.
    pub endpoint: EndpointPattern,
    /// What happens to these calls.
    pub fault: Fault,
    /// The probability for a request that meets all other conditions; default 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Only the n-th matching request since the plan was set, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Only calls about this account: its lookup and its timeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Not the first this many matching requests.
    #[serde(default)]
    pub after: u64,
    /// At most this many times in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

fn always() -> f64 {
    1.0
}

impl FaultRule {
    /// A rule that always fires; restrict it with the public fields.
    pub fn new(endpoint: impl Into<EndpointPattern>, fault: Fault) -> Self {
        Self {
            endpoint: endpoint.into(),
            fault,
            probability: always(),
            nth: None,
            account: None,
            after: 0,
            count: None,
        }
    }

    /// Restricts the rule to the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Restricts the rule to this many times.
    #[must_use]
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Restricts the rule to this probability.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

/// One endpoint, all of a service, or `*` for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EndpointPattern {
    /// One endpoint.
    One(Endpoint),
    /// Every endpoint of one service.
    Of(ServiceStar),
    /// `"*"`: every endpoint.
    All(Star),
}

/// All endpoints of a service, in an [`EndpointPattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceStar {
    /// Those of X.
    #[serde(rename = "x.*")]
    X,
    /// Those of Gemini.
    #[serde(rename = "gemini.*")]
    Gemini,
    /// Those of services with OpenAI's API.
    #[serde(rename = "openai.*")]
    OpenAi,
    /// Those of Anthropic.
    #[serde(rename = "anthropic.*")]
    Anthropic,
    /// Those of Bluesky.
    #[serde(rename = "bluesky.*")]
    Bluesky,
    /// Those of Mastodon.
    #[serde(rename = "mastodon.*")]
    Mastodon,
    /// Those of DeepL.
    #[serde(rename = "deepl.*")]
    Deepl,
    /// Those of LibreTranslate.
    #[serde(rename = "libretranslate.*")]
    LibreTranslate,
}

impl ServiceStar {
    fn service(self) -> Service {
        match self {
            Self::X => Service::X,
            Self::Gemini => Service::Gemini,
            Self::OpenAi => Service::OpenAi,
            Self::Anthropic => Service::Anthropic,
            Self::Bluesky => Service::Bluesky,
            Self::Mastodon => Service::Mastodon,
            Self::Deepl => Service::Deepl,
            Self::LibreTranslate => Service::LibreTranslate,
        }
    }
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
            Self::Of(star) => star.service() == endpoint.service(),
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
    /// Does nothing and answers this status, with the body that the service sends with it.
    Status(u16),
    /// Does nothing and answers one of X's named problems. Elsewhere: 500.
    X(XFault),
    /// Answers as a misbehaving Gemini does. Elsewhere: no effect.
    Gemini(GeminiFault),
    /// Answers as a misbehaving service with OpenAI's API does. Elsewhere: no effect.
    #[serde(rename = "openai")]
    OpenAi(OpenAiFault),
    /// Answers as a misbehaving Anthropic does. Elsewhere: no effect.
    Anthropic(AnthropicFault),
    /// Does nothing and answers one of Bluesky's named problems. Elsewhere: 500.
    Bluesky(BlueskyFault),
    /// Answers as some servers of the fediverse do. Elsewhere: no effect.
    Mastodon(MastodonFault),
    /// Does nothing and answers one of DeepL's named problems. Elsewhere: 500.
    Deepl(DeeplFault),
    /// Does nothing and answers one of LibreTranslate's named problems. Elsewhere: 500.
    #[serde(rename = "libretranslate")]
    LibreTranslate(LibreTranslateFault),
    /// Answers as a misbehaving DeepL or LibreTranslate does. Elsewhere: no effect.
    Translator(TranslatorFault),
    /// Waits this many milliseconds, then continues normally.
    DelayMs(u64),
    /// Does nothing and never answers; the connection stays open until the client or the sandbox closes it.
    Hang,
    /// Acts, then never answers.
    HangAfterAct,
    /// Does nothing and closes the connection without a status line.
    DropConnection,
    /// Acts, then closes the connection without a status line.
    DropAfterAct,
    /// Acts, then answers this status as if it had not acted.
    StatusAfterAct(u16),
    /// Acts, sends the head and half of the answer, and closes the connection.
    HalfBody,
    /// Acts, then answers the right status with a body that is not JSON.
    Garbage,
    /// Acts, then answers the right status with a body in which each letter `a` is no UTF-8.
    InvalidUtf8,
    /// Does nothing and answers 200 with a body that never ends.
    EndlessBody,
    /// Does nothing and answers 403 with the HTML page of a bot guard.
    HtmlPage,
    /// Does nothing and answers 200 with a page of HTML: somebody's website, and not the service.
    Website,
}

/// Problems of X that the sandbox reports only on demand.
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
    /// 403 for a reply to a post that did not mention the account.
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
    /// 429 with a reset in the year 2100, for a limit that is not used up.
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

/// Problems of Bluesky that the sandbox reports on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlueskyFault {
    /// 400 `ExpiredToken`.
    ExpiredToken,
    /// 400 `InvalidToken`.
    InvalidToken,
    /// 401 `AuthFactorTokenRequired`: the account has a second factor, and this is not an app password.
    AuthFactor,
    /// 401 `AccountTakedown`.
    Takedown,
    /// 401 `AccountDeactivated`.
    Deactivated,
    /// 400 `InvalidSwap`: another writer was faster.
    InvalidSwap,
    /// 400 "Could not find repo", for an account that is on another server now.
    RepoMoved,
    /// 429 with a reset an hour ago.
    ResetPast,
    /// 429 with a reset in the year 2100.
    ResetFar,
    /// 429 without any header.
    NoReset,
}

/// Problems of DeepL that the sandbox reports on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeeplFault {
    /// 403, as for a key that was revoked.
    WrongKey,
    /// 456 "Quota Exceeded".
    QuotaExceeded,
    /// 456 in the words of DeepL's own stand-in.
    QuotaOfPeriodExceeded,
    /// 429 with a message.
    TooManyRequests,
    /// 429 without a body.
    TooManyRequestsEmpty,
    /// 413 for a request of more than one text.
    TooLarge,
    /// 400: the target language is not supported.
    UnsupportedTarget,
    /// 400: the target language has no forms of address.
    UnsupportedFormality,
    /// 529 without a body.
    Busy,
    /// 200 with a message and no translations.
    ErrorInSuccess,
}

/// Problems of LibreTranslate that the sandbox reports on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LibreTranslateFault {
    /// 403 "Invalid API key".
    InvalidKey,
    /// 400: the server wants a key, and has a page where to get one.
    KeyNeeded,
    /// 400: the server wants a key, and has no such page.
    KeyFromOperator,
    /// 403 "Too many request limits violations".
    Banned,
    /// 429 "Slowdown: 80 per 1 minute".
    SlowDown,
    /// 400 for a request of more than one text: it exceeds the text limit.
    TooManyTexts,
    /// 400: the text exceeds the text limit.
    TextLimit,
    /// 400 "xx is not supported".
    NotSupported,
    /// 400: the target is not available from the source.
    NotAvailable,
    /// 500 "Cannot translate text: …".
    CannotTranslate,
    /// 200 with an error about the key.
    ErrorInSuccess,
}

/// The ways in which a translation service misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TranslatorFault {
    /// The last translation is missing.
    MissingTranslation,
    /// There is one translation more than texts.
    ExtraTranslation,
    /// The list of translations is empty.
    NoTranslations,
    /// Null in place of the list of translations.
    NullTranslations,
    /// Null in place of each text.
    NullText,
    /// Empty texts.
    EmptyText,
    /// The source text, unchanged.
    SourceText,
    /// A sentence in a language other than the target's.
    WrongLanguage,
    /// The first protected part of each text is missing.
    MissingPlaceholder,
    /// The first protected part of each text appears twice.
    DoubledPlaceholder,
    /// The first protected part of each text is cut off.
    BrokenPlaceholder,
    /// The first protected part of each text has spaces around it and other quotes in it: legal, but a trap.
    SpacedPlaceholder,
    /// Counts that are null or negative.
    OddCounts,
}

/// Habits of servers that speak Mastodon's API, and problems that the sandbox reports on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MastodonFault {
    /// 403 "Your login is currently disabled".
    Disabled,
    /// 403 "This action is outside the authorized scopes".
    OutsideScopes,
    /// 401 "This method requires an authenticated user": the server shows nothing to strangers.
    MembersOnly,
    /// 410 with no body: the account or status was deleted for good.
    Gone,
    /// 429 with a reset in Unix seconds, as servers other than Mastodon send it.
    ResetUnix,
    /// 429 without any header.
    NoReset,
    /// Ignores the `Idempotency-Key`, as snac2 and Pixelfed do.
    KeyIgnored,
    /// Acts as usual, but answers a repeated `Idempotency-Key` with 500, as Mastodon did (mastodon#40399).
    KeyFails,
    /// Ignores `limit`, `max_id`, `min_id` and `since_id`, and sends no `Link`, as snac2 does.
    PagingIgnored,
    /// An uploaded medium is never done.
    NeverProcessed,
}

/// The plan's decision for one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The sum of all delays.
    pub(crate) delay: Duration,
    /// The fault, if one fired.
    pub(crate) fault: Option<Fault>,
    /// The profiles that shape the answer.
    pub(crate) profiles: ActiveProfiles,
}

/// A plan and how often its rules matched and fired.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    plan: FaultPlan,
    tallies: Vec<Tally>,
    profiles: ActiveProfiles,
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
        let profiles = plan.active_profiles();
        Self { plan, tallies, profiles, calls: HashMap::new() }
    }

    pub(crate) fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// Whether any rule names an account.
    pub(crate) fn concern_accounts(&self) -> bool {
        self.plan.rules.iter().any(|rule| rule.account.is_some())
    }

    /// Decides about one request, perhaps about an account.
    pub(crate) fn draw(&mut self, endpoint: Endpoint, account: Option<&str>) -> Verdict {
        let call = self.calls.entry(endpoint).or_default();
        *call += 1;
        let mut verdict = Verdict { profiles: self.profiles.for_call(endpoint, *call), ..Verdict::default() };
        for (index, (rule, tally)) in self.plan.rules.iter().zip(&mut self.tallies).enumerate() {
            let is_about =
                |named: &String| account.is_some_and(|account| account.eq_ignore_ascii_case(named));
            if !rule.endpoint.matches(endpoint) || !rule.account.as_ref().is_none_or(is_about) {
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
                // An earlier rule decided, so this one does not count as fired.
                _ => continue,
            }
            tally.fired += 1;
        }
        verdict
    }
}

/// A number in `0..1` that depends only on the seed, the rule and the number of the request.
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
    fn only_the_nth_request_fails() {
        let rule = FaultRule::new(Endpoint::Post, Fault::Status(503)).nth(2);
        let mut faults = Faults::new(FaultPlan { rules: vec![rule], ..FaultPlan::default() });
        let fired: Vec<bool> = (0..3).map(|_| faults.draw(Endpoint::Post, None).fault.is_some()).collect();
        assert_eq!(fired, [false, true, false]);
        assert_eq!(faults.draw(Endpoint::Timeline, None).fault, None);
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
            (0..1000).map(|_| faults.draw(Endpoint::User, None).fault.is_some()).collect::<Vec<_>>()
        };
        let drawn = draw(&plan);
        assert_eq!(drawn, draw(&plan));
        let fired = drawn.iter().filter(|fired| **fired).count();
        assert!((250..350).contains(&fired), "{fired} of 1000 at 0.3");
    }

    #[test]
    fn delays_add_up_and_do_not_hide_other_faults() {
        let mut faults = Faults::new(FaultPlan {
            rules: vec![
                FaultRule::new(EndpointPattern::ALL, Fault::DelayMs(10)),
                FaultRule::new(Endpoint::Post, Fault::DropAfterAct).count(1),
                FaultRule::new(Endpoint::Post, Fault::DelayMs(5)),
            ],
            ..FaultPlan::default()
        });
        let first = faults.draw(Endpoint::Post, None);
        assert_eq!(first.delay, Duration::from_millis(15));
        assert_eq!(first.fault, Some(Fault::DropAfterAct));
        assert_eq!(faults.draw(Endpoint::Post, None).fault, None);
    }

    #[test]
    fn a_plan_parses_as_documented() {
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
