//! Rate limits as Bluesky and Mastodon have them: a call takes points from several windows at once, and some windows are
//! shared by all endpoints. X's limits, which belong to one endpoint each, are in `limits`.

use std::collections::HashMap;

/// When a window begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// With its first call.
    AtFirstCall,
    /// At a multiple of its length since 1970.
    AtItsMultiple,
}

/// A limit, and what a call takes from it.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The name of the limit.
    pub(crate) limit: &'static str,
    /// Whose window it is: an account, or the machine that calls.
    pub(crate) of: String,
    pub(crate) points: u32,
    pub(crate) max: u32,
    /// The length of the window, in seconds.
    pub(crate) seconds: u64,
    pub(crate) begins: Begins,
}

/// A window, as headers report it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) max: u32,
    pub(crate) remaining: u32,
    pub(crate) seconds: u64,
    /// Unix seconds.
    pub(crate) reset: u64,
}

impl Usage {
    /// A window that is used up.
    pub(crate) fn used_up(self) -> Self {
        Self { remaining: 0, ..self }
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    used: u32,
    ends: u64,
}

/// The points that were taken.
#[derive(Debug)]
pub(crate) struct Windows {
    /// If not, headers report unused windows.
    enforced: bool,
    windows: HashMap<(&'static str, String), Window>,
}

impl Windows {
    pub(crate) fn new(enforced: bool) -> Self {
        Self { enforced, windows: HashMap::new() }
    }

    /// Takes points from all windows, and reports the fullest. `Err` means that one was used up, and that nothing was
    /// taken.
    pub(crate) fn take(&mut self, claims: &[Claim], now: u64) -> Result<Option<Usage>, Usage> {
        let mut usages: Vec<Usage> = Vec::new();
        for claim in claims {
            let window = self.window(claim, now);
            let usage = usage(claim, window);
            if self.enforced && usage.remaining < claim.points {
                return Err(usage.used_up());
            }
            usages.push(usage);
        }
        for (claim, usage) in claims.iter().zip(&mut usages) {
            if self.enforced {
                let mut window = self.window(claim, now);
                window.used += claim.points;
                self.windows.insert((claim.limit, claim.of.clone()), window);
                usage.remaining -= claim.points;
            }
        }
        Ok(usages.into_iter().min_by_key(|usage| usage.remaining))
    }

    fn window(&self, claim: &Claim, now: u64) -> Window {
        let known = self.windows.get(&(claim.limit, claim.of.clone())).copied();
        known.filter(|window| window.ends > now).unwrap_or(Window {
            used: 0,
            ends: match claim.begins {
                Begins::AtFirstCall => now + claim.seconds,
                Begins::AtItsMultiple => now - now % claim.seconds + claim.seconds,
            },
        })
    }
}

fn usage(claim: &Claim, window: Window) -> Usage {
    Usage {
        max: claim.max,
        remaining: claim.max.saturating_sub(window.used),
        seconds: claim.seconds,
        reset: window.ends,
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn claim(limit: &'static str, points: u32, max: u32) -> Claim {
        Claim { limit, of: "a".into(), points, max, seconds: 100, begins: Begins::AtFirstCall }
    }

    #[test]
    fn a_call_takes_from_all_windows_or_from_none() {
        let mut windows = Windows::new(true);
        let claims = [claim("all", 1, 10), claim("writes", 3, 4)];
        let usage = windows.take(&claims, 1_000).unwrap().unwrap();
        assert_eq!((usage.remaining, usage.reset), (1, 1_100), "the fullest window");
        let refused = windows.take(&claims, 1_001).unwrap_err();
        assert_eq!((refused.max, refused.remaining, refused.reset), (4, 0, 1_100));
        let usage = windows.take(&claims[..1], 1_002).unwrap().unwrap();
        assert_eq!(usage.remaining, 8, "the refused call took nothing");
        assert!(windows.take(&claims, 1_100).is_ok(), "a new window");
    }

    #[test]
    fn windows_may_begin_at_their_multiple_and_may_not_be_enforced() {
        let aligned = Claim { begins: Begins::AtItsMultiple, ..claim("all", 1, 1) };
        let mut windows = Windows::new(true);
        assert_eq!(windows.take(slice::from_ref(&aligned), 1_030).unwrap().unwrap().reset, 1_100);
        assert!(windows.take(slice::from_ref(&aligned), 1_031).is_err());
        let mut windows = Windows::new(false);
        for _ in 0..3 {
            assert_eq!(windows.take(slice::from_ref(&aligned), 1_030).unwrap().unwrap().remaining, 1);
        }
    }
}
