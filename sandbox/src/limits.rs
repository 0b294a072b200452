//! X's rate limits (those of other networks are in `windows`): how many calls of each endpoint a window allows, per app and per user, and the headers that report
//! them. A window begins with its first call, as on X.

use std::{collections::BTreeMap, collections::HashMap, time::Duration};

use crate::endpoint::Endpoint;

/// Limits per endpoint. The default is the pay-per-use table of August 2026.
#[derive(Debug, Clone)]
pub struct RateLimits {
    /// Length of the short window; X's is 15 minutes.
    pub window: Duration,
    /// Length of the long window; X's is 24 hours.
    pub day: Duration,
    /// Whether the headers `x-app-limit-24hour-*` and `x-user-limit-24hour-*` report daily limits. X sent them on its
    /// older tiers, but has been seen not to under pay-per-use.
    pub day_headers: bool,
    /// The limits. An endpoint that is missing here has none.
    pub table: BTreeMap<Endpoint, Limit>,
    /// Whether Bluesky's and Mastodon's own limits apply.
    pub elsewhere: bool,
}

/// How often one endpoint may be called. `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// Calls per window with app-only authentication.
    pub app: Option<u32>,
    /// Calls per window by one user.
    pub user: Option<u32>,
    /// Calls per day by the whole app.
    pub app_day: Option<u32>,
    /// Calls per day by one user.
    pub user_day: Option<u32>,
}

impl Default for RateLimits {
    fn default() -> Self {
        let window = |app: u32, user: u32| Limit {
            app: (app > 0).then_some(app),
            user: Some(user),
            ..Limit::default()
        };
        let daily =
            |app_day: u32, user: u32| Limit { app_day: Some(app_day), user: Some(user), ..Limit::default() };
        Self {
            window: Duration::from_mins(15),
            day: Duration::from_hours(24),
            day_headers: false,
            elsewhere: true,
            table: BTreeMap::from([
                (Endpoint::User, window(300, 900)),
                (Endpoint::Me, window(0, 75)),
                (Endpoint::Timeline, window(10_000, 900)),
                (Endpoint::Lookup, window(3_500, 5_000)),
                (Endpoint::LookupOne, window(450, 900)),
                (Endpoint::Post, daily(10_000, 100)),
                (Endpoint::Delete, window(0, 50)),
                (Endpoint::MediaUpload, daily(50_000, 500)),
                (Endpoint::MediaStatus, daily(100_000, 1_000)),
                (Endpoint::MediaChunk, daily(180_000, 1_875)),
                (Endpoint::MediaMetadata, daily(50_000, 500)),
            ]),
        }
    }
}

impl RateLimits {
    /// No effective limits, for benchmarks; the headers are still sent.
    pub fn unlimited() -> Self {
        Self { table: BTreeMap::new(), elsewhere: false, ..Self::default() }
    }

    /// Replaces the limit of one endpoint.
    #[must_use]
    pub fn with(mut self, endpoint: Endpoint, limit: Limit) -> Self {
        self.table.insert(endpoint, limit);
        self
    }
}

/// The state of one limit, as the headers report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitStatus {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Unix seconds.
    pub(crate) reset: u64,
}

/// All limits that the headers of one answer report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitStatuses {
    pub(crate) window: LimitStatus,
    pub(crate) app_day: Option<LimitStatus>,
    pub(crate) user_day: Option<LimitStatus>,
}

/// The id of the calling user, or `None` for the app itself.
pub(crate) type Caller = Option<u64>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Span {
    Window(Caller),
    AppDay,
    UserDay(Caller),
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    used: u32,
    ends: u64,
}

/// The calls counted so far.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: RateLimits,
    buckets: HashMap<(Endpoint, Span), Bucket>,
}

/// The limit that headers report for an unlimited endpoint.
const NO_LIMIT: u32 = 1_000_000;

impl Limiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits, buckets: HashMap::new() }
    }

    pub(crate) fn day_headers(&self) -> bool {
        self.limits.day_headers
    }

    /// The limits in an answer whose call was not counted.
    pub(crate) fn unused(&self, endpoint: Endpoint, now_ms: u64) -> LimitStatuses {
        let limit = self.limits.table.get(&endpoint).copied().unwrap_or_default();
        let max = limit.user.or(limit.app).unwrap_or(NO_LIMIT);
        let reset = end_of(now_ms, self.limits.window);
        LimitStatuses {
            window: LimitStatus { limit: max, remaining: max, reset: to_seconds(reset) },
            app_day: None,
            user_day: None,
        }
    }

    /// Counts a call. `Err` has the same data, and means that a limit was used up already.
    pub(crate) fn count(
        &mut self,
        endpoint: Endpoint,
        caller: Caller,
        now_ms: u64,
    ) -> Result<LimitStatuses, LimitStatuses> {
        let limit = self.limits.table.get(&endpoint).copied().unwrap_or_default();
        let short = if caller.is_some() { limit.user } else { limit.app };
        let day = self.limits.day;
        let spans = [
            (Span::Window(caller), Some(short.unwrap_or(NO_LIMIT)), self.limits.window),
            (Span::AppDay, limit.app_day, day),
            (Span::UserDay(caller), limit.user_day, day),
        ];
        // A call that one limit refuses counts toward none.
        let exceeded = spans
            .iter()
            .any(|(span, max, _)| max.is_some_and(|max| self.used(endpoint, *span, now_ms) >= max));
        let mut statuses = spans.map(|(span, max, length)| {
            let max = max?;
            let bucket = self.buckets.entry((endpoint, span)).or_insert(Bucket { used: 0, ends: 0 });
            if bucket.ends <= now_ms {
                *bucket = Bucket { used: 0, ends: end_of(now_ms, length) };
            }
            if !exceeded {
                bucket.used += 1;
            }
            Some(LimitStatus {
                limit: max,
                remaining: max.saturating_sub(bucket.used),
                reset: to_seconds(bucket.ends),
            })
        });
        let window = statuses[0].take().unwrap_or(LimitStatus {
            limit: NO_LIMIT,
            remaining: NO_LIMIT,
            reset: to_seconds(now_ms),
        });
        let statuses = LimitStatuses { window, app_day: statuses[1], user_day: statuses[2] };
        if exceeded { Err(statuses) } else { Ok(statuses) }
    }

    fn used(&self, endpoint: Endpoint, span: Span, now_ms: u64) -> u32 {
        self.buckets
            .get(&(endpoint, span))
            .filter(|bucket| bucket.ends > now_ms)
            .map_or(0, |bucket| bucket.used)
    }
}

fn end_of(now_ms: u64, length: Duration) -> u64 {
    now_ms + u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2)
}

/// Rounds up, so that the window is over for a client that waits until the reported second.
fn to_seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(limit: Limit) -> Limiter {
        Limiter::new(RateLimits {
            window: Duration::from_secs(10),
            ..RateLimits::unlimited().with(Endpoint::Post, limit)
        })
    }

    #[test]
    fn a_used_up_window_resets() {
        let mut limiter = limiter(Limit { user: Some(2), ..Limit::default() });
        let remaining = |result: Result<LimitStatuses, LimitStatuses>| result.map(|r| r.window.remaining);
        assert_eq!(remaining(limiter.count(Endpoint::Post, Some(1), 0)), Ok(1));
        assert_eq!(remaining(limiter.count(Endpoint::Post, Some(1), 1)), Ok(0));
        let refused = limiter.count(Endpoint::Post, Some(1), 2).unwrap_err();
        assert_eq!((refused.window.remaining, refused.window.reset), (0, 10));
        assert_eq!(remaining(limiter.count(Endpoint::Post, Some(2), 2)), Ok(1), "another user");
        assert_eq!(remaining(limiter.count(Endpoint::Post, Some(1), 10_000)), Ok(1), "a new window");
    }

    #[test]
    fn a_used_up_daily_limit_does_not_use_up_the_window() {
        let mut limiter = limiter(Limit { user: Some(100), app_day: Some(1), ..Limit::default() });
        assert!(limiter.count(Endpoint::Post, Some(1), 0).is_ok());
        let refused = limiter.count(Endpoint::Post, Some(2), 1).unwrap_err();
        assert_eq!(refused.window.remaining, 100);
        assert_eq!(refused.app_day.unwrap().remaining, 0);
    }
}
