//! Decides how many calls to a service may be in flight at once. Too few waste time; too many only wait in the
//! service's own queue, or are rejected. The right number is unknown and changes, so it is found by trying: the limit
//! grows while calls take no longer than usual, and shrinks when they do, or when the service rejects them.
//!
//! The rules are those of TCP's congestion control (RFC 5681), with calls in place of packets, and of Netflix's
//! [concurrency-limits](https://github.com/Netflix/concurrency-limits), which detects a queue before anything is lost:
//!
//! - Calls are grouped in **rounds** of as many as were in flight at once: about a round trip.
//! - *Slow start*: the limit doubles in each round that goes well, up to half of where the service last rejected a
//!   call.
//! - After that, each round sets `limit × gradient + √limit`. The gradient is 1 while calls take as long as usual,
//!   otherwise `baseline × tolerance / now`, but never less than ½ (Gradient2's formula). So the limit settles where it
//!   causes a queue of about √limit in the service.
//! - *Rejected* (429, 503, silence): the limit is halved, once for all calls in flight at that moment, as in RFC 6582.
//!   While the trials after that fail too, the target of slow start stays (RFC 5681, 3.1).
//! - The limit grows only while at least half of it is in use: calls that are not made prove nothing.
//!
//! The baseline is learned separately for calls of one item, of two or three, of four to seven and so on, because a
//! call of forty items may well take longer than a call of one. It falls fast and rises slowly, and not at all while
//! calls are slow. Alone, that rule would let a service that became permanently slower hold the limit down forever, and
//! a service that was busy from the first call would never get a true baseline. So after a number of slow rounds, one
//! round is made with a quarter of the calls, and their duration becomes the new baseline (TCP's BBR and Netflix's
//! first gradient limit do the same).

use std::time::Duration;

/// Where slow start begins: about where TCP does, with its ten packets (RFC 6928).
const START: usize = 16;

/// The fewest calls in a round: with fewer, chance dominates.
const MIN_ROUND: usize = 4;

/// In thousandths: calls may take a quarter longer than usual before the limit shrinks.
const TOLERANCE: u64 = 1250;

/// In thousandths: the most that one size of call may count as slow.
const MAX_SLOWNESS: u64 = 4000;

/// After this many slow rounds, the baseline is learned again.
const SLOW_ROUNDS: u32 = 16;

/// Sizes of calls by their number of items: 1, 2 to 3, 4 to 7, …, 64 and more.
const SIZES: usize = 7;

/// The limit of one service. It knows only the calls that are recorded with it, and reads no clock.
#[derive(Debug, Clone)]
pub struct AdaptiveLimit {
    max: usize,
    limit: usize,
    /// The target of slow start.
    threshold: usize,
    /// How often the limit was cut: a call that began before a cut proves nothing about what came after it.
    cuts: u32,
    /// Whether a call was answered since the last cut.
    answered: bool,
    round: Round,
    /// What a call of each size usually takes, in microseconds.
    baseline: [Option<u64>; SIZES],
    slow_rounds: u32,
    /// While the baseline is learned again: the limit before that round.
    learning: Option<usize>,
}

/// A call in flight, to be returned with its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    cuts: u32,
}

/// The outcome of a call, if it shows how many calls are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// It was answered.
    Answered {
        /// How long it took.
        took: Duration,
        /// How many items it had.
        items: usize,
    },
    /// The service rejected it or did not answer.
    Rejected,
}

/// The limit was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The limit before.
    pub before: usize,
    /// The limit after.
    pub after: usize,
}

/// The calls of a round so far.
#[derive(Debug, Clone, Default)]
struct Round {
    /// The most that were in flight at once.
    peak: usize,
    answered: usize,
    /// For each size, the number of calls and their total duration, in microseconds.
    sizes: [(u64, u64); SIZES],
}

impl Round {
    /// The mean duration of each size seen in this round.
    fn means(&self) -> impl Iterator<Item = (usize, u64)> {
        let seen = self.sizes.iter().enumerate().filter(|(_, (count, _))| *count > 0);
        seen.map(|(size, (count, sum))| (size, sum / count))
    }

    /// How long calls took, in thousandths of the baseline for their size; `None` if there is no baseline.
    fn slowness(&self, baseline: &[Option<u64>; SIZES]) -> Option<u64> {
        let known = self.means().filter_map(|(size, mean)| {
            let slowness = mean.saturating_mul(1000) / baseline[size]?.max(1);
            Some((self.sizes[size].0, slowness.min(MAX_SLOWNESS)))
        });
        let (calls, sum) =
            known.fold((0, 0), |(calls, sum), (count, slowness)| (calls + count, sum + count * slowness));
        (calls > 0).then(|| sum / calls)
    }
}

impl AdaptiveLimit {
    /// Creates the limit of a service about which nothing is known; it never exceeds `max`, which is at least 1.
    pub fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            max,
            limit: START.min(max),
            threshold: usize::MAX,
            cuts: 0,
            answered: false,
            round: Round::default(),
            baseline: [None; SIZES],
            slow_rounds: 0,
            learning: None,
        }
    }

    /// How many calls may be in flight at once now: 1 to [`AdaptiveLimit::max`].
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The highest value that the limit may reach.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Changes the highest value that the limit may reach; it is at least 1.
    pub fn set_max(&mut self, max: usize) {
        self.max = max.max(1);
        self.limit = self.limit.min(self.max);
    }

    /// Begins a call; `in_flight` includes it.
    pub fn begin(&mut self, in_flight: usize) -> Call {
        self.round.peak = self.round.peak.max(in_flight);
        Call { cuts: self.cuts }
    }

    /// Records the outcome of a call; `in_flight` includes it. Returns the cut if it caused one.
    pub fn record(&mut self, call: Call, in_flight: usize, sample: Sample) -> Option<Cut> {
        if call.cuts != self.cuts {
            return None;
        }
        self.round.peak = self.round.peak.max(in_flight);
        match sample {
            Sample::Rejected => return self.cut(),
            Sample::Answered { took, items } => {
                self.answered = true;
                let size = items.checked_ilog2().and_then(|size| usize::try_from(size).ok());
                let (count, sum) = &mut self.round.sizes[size.unwrap_or_default().min(SIZES - 1)];
                *count += 1;
                *sum = sum.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                self.round.answered += 1;
            }
        }
        if self.round.answered >= self.round.peak.max(MIN_ROUND) {
            self.end_round();
        }
        None
    }

    fn cut(&mut self) -> Option<Cut> {
        let before = self.limit;
        self.learning = None;
        self.limit = (before / 2).max(1);
        if std::mem::take(&mut self.answered) {
            self.threshold = self.limit;
        }
        self.slow_rounds = 0;
        self.disregard_calls_in_flight();
        (self.limit < before).then_some(Cut { before, after: self.limit })
    }

    /// Ignores the calls in flight: they prove nothing about later ones.
    fn disregard_calls_in_flight(&mut self) {
        self.cuts = self.cuts.wrapping_add(1);
        self.round = Round::default();
    }

    fn end_round(&mut self) {
        let round = std::mem::take(&mut self.round);
        if let Some(limit) = self.learning.take() {
            for (size, mean) in round.means() {
                self.baseline[size] = Some(mean);
            }
            self.limit = limit.min(self.max);
            return;
        }
        let slowness = round.slowness(&self.baseline).unwrap_or(1000);
        // If a service is slow while Mynah makes few calls, Mynah is not the cause.
        let in_use = round.peak.saturating_mul(2) >= self.limit;
        let slow = in_use && slowness > TOLERANCE;
        self.learn(&round, slow);
        if !in_use {
            return;
        }
        if slow {
            self.threshold = self.limit;
            self.slow_rounds += 1;
            let gradient = (TOLERANCE * 1000 / slowness).max(500);
            self.limit = per_mille(self.limit, gradient) + self.limit.isqrt();
        } else if self.limit < self.threshold {
            self.limit = self.limit.saturating_mul(2).min(self.threshold);
        } else {
            self.limit += self.limit.isqrt();
        }
        self.limit = self.limit.clamp(1, self.max);
        if self.slow_rounds >= SLOW_ROUNDS {
            self.slow_rounds = 0;
            self.learning = Some(self.limit);
            self.limit = (self.limit / 4).max(1);
            self.disregard_calls_in_flight();
        }
    }

    fn learn(&mut self, round: &Round, slow: bool) {
        for (size, mean) in round.means() {
            let baseline = &mut self.baseline[size];
            *baseline = Some(match *baseline {
                None => mean,
                Some(known) if mean < known => known - (known - mean) / 2,
                Some(known) if slow => known,
                Some(known) => known + (mean - known) / 8,
            });
        }
    }
}

fn per_mille(count: usize, thousandths: u64) -> usize {
    let count = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(thousandths) / 1000;
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// As many calls as are allowed begin together and end together.
    fn fly(limit: &mut AdaptiveLimit, sample: impl Fn(usize) -> Sample) {
        let calls: Vec<Call> = (1..=limit.limit()).map(|in_flight| limit.begin(in_flight)).collect();
        let together = calls.len();
        for (ended, call) in calls.into_iter().enumerate() {
            limit.record(call, together - ended, sample(together));
        }
    }

    fn answered(took: Duration) -> Sample {
        Sample::Answered { took, items: 40 }
    }

    /// A service that processes this many calls at once; the others wait.
    fn served(capacity: usize) -> impl Fn(usize) -> Sample {
        move |together| {
            let share = u32::try_from(together.max(capacity) * 100 / capacity).unwrap();
            answered(SECOND * share / 100)
        }
    }

    #[test]
    fn steady_answers_raise_the_limit_to_the_maximum_in_a_few_rounds() {
        let mut limit = AdaptiveLimit::new(64);
        let mut rounds = 0;
        while limit.limit() < 64 {
            fly(&mut limit, |_| answered(SECOND));
            rounds += 1;
        }
        assert!(rounds <= 3, "{rounds}");
    }

    #[test]
    fn the_baseline_follows_faster_answers_halfway_and_slower_ones_by_an_eighth() {
        let mut limit = AdaptiveLimit::new(64);
        let mut baseline_after = |millis: u64, slow: bool| {
            let mut round = Round::default();
            round.sizes[0] = (2, 2000 * millis);
            limit.learn(&round, slow);
            limit.baseline[0].unwrap() / 1000
        };
        assert_eq!(baseline_after(800, false), 800);
        assert_eq!(baseline_after(400, false), 600);
        assert_eq!(baseline_after(1400, false), 700);
        assert_eq!(baseline_after(1400, true), 700);
        assert_eq!(baseline_after(500, true), 600);
    }

    #[test]
    fn a_limit_that_is_not_used_does_not_grow() {
        let mut limit = AdaptiveLimit::new(64);
        for _ in 0..1000 {
            let call = limit.begin(1);
            limit.record(call, 1, answered(SECOND));
        }
        assert_eq!(limit.limit(), START);
    }

    #[test]
    fn a_rejection_halves_the_limit_once_for_all_calls_in_flight() {
        let mut limit = AdaptiveLimit::new(64);
        for _ in 0..3 {
            fly(&mut limit, |_| answered(SECOND));
        }
        let calls: Vec<Call> = (1..=64).map(|in_flight| limit.begin(in_flight)).collect();
        let cuts: Vec<Cut> =
            calls.into_iter().filter_map(|call| limit.record(call, 64, Sample::Rejected)).collect();
        assert_eq!(cuts, [Cut { before: 64, after: 32 }]);
        assert_eq!(limit.limit(), 32);
    }

    #[test]
    fn after_an_outage_the_limit_returns_fast_to_half_of_what_worked_and_slowly_from_there() {
        let mut limit = AdaptiveLimit::new(64);
        for _ in 0..3 {
            fly(&mut limit, |_| answered(SECOND));
        }
        for _ in 0..10 {
            let call = limit.begin(1);
            limit.record(call, 1, Sample::Rejected);
        }
        assert_eq!(limit.limit(), 1);
        let mut seen = vec![1];
        while limit.limit() < 64 {
            let before = limit.limit();
            fly(&mut limit, |_| answered(SECOND));
            if limit.limit() != before {
                seen.push(limit.limit());
            }
        }
        assert_eq!(seen, [1, 2, 4, 8, 16, 32, 37, 43, 49, 56, 63, 64]);
    }

    #[test]
    fn the_limit_settles_near_the_capacity_of_the_service() {
        for capacity in [4, 8, 16, 24, 32] {
            let mut limit = AdaptiveLimit::new(256);
            let mut seen = Vec::new();
            for round in 0..400 {
                fly(&mut limit, served(capacity));
                if round >= 100 {
                    seen.push(limit.limit());
                }
            }
            let mean = seen.iter().sum::<usize>() / seen.len();
            let most = capacity * 3 / 2 + 2 * capacity.isqrt();
            assert!((capacity..=most).contains(&mean), "{capacity}: {mean}, {seen:?}");
        }
    }

    #[test]
    fn a_service_that_became_permanently_slower_gets_as_many_calls_as_before_after_a_while() {
        let mut limit = AdaptiveLimit::new(64);
        for _ in 0..10 {
            fly(&mut limit, |_| answered(SECOND));
        }
        let mut least = 64;
        for _ in 0..80 {
            fly(&mut limit, |_| answered(SECOND * 2));
            least = least.min(limit.limit());
        }
        assert!(least < 40, "the limit shrank: {least}");
        assert_eq!(limit.limit(), 64);
    }

    #[test]
    fn calls_of_many_items_may_take_longer() {
        let mut limit = AdaptiveLimit::new(64);
        for round in 0..20_u32 {
            let items = 1 << (round % 6);
            fly(&mut limit, |_| Sample::Answered {
                took: SECOND * items,
                items: usize::try_from(items).unwrap(),
            });
        }
        assert_eq!(limit.limit(), 64);
    }

    #[test]
    fn a_new_maximum_takes_effect_at_once() {
        let mut limit = AdaptiveLimit::new(64);
        limit.set_max(5);
        assert_eq!((limit.limit(), limit.max()), (5, 5));
        limit.set_max(0);
        assert_eq!((limit.limit(), limit.max()), (1, 1));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Begin,
        End(usize, Sample),
        SetMax(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let sample = prop_oneof![
            4 => (0..u64::MAX, 0..1000_usize)
                .prop_map(|(micros, items)| Sample::Answered { took: Duration::from_micros(micros), items }),
            4 => (0..5_000_u64, 1..100_usize)
                .prop_map(|(millis, items)| Sample::Answered { took: Duration::from_millis(millis), items }),
            1 => Just(Sample::Rejected),
        ];
        let step = prop_oneof![
            10 => Just(Step::Begin),
            10 => (any::<usize>(), sample).prop_map(|(which, sample)| Step::End(which, sample)),
            1 => (0..300_usize).prop_map(Step::SetMax),
        ];
        proptest::collection::vec(step, 0..600)
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds_whatever_is_recorded(max in 0..300_usize, steps in steps()) {
            let mut limit = AdaptiveLimit::new(max);
            let mut calls = Vec::new();
            for step in steps {
                match step {
                    Step::Begin if calls.len() < limit.limit() => calls.push(limit.begin(calls.len() + 1)),
                    Step::End(which, sample) if !calls.is_empty() => {
                        let call = calls.swap_remove(which % calls.len());
                        let before = limit.limit();
                        let cut = limit.record(call, calls.len() + 1, sample);
                        prop_assert!(cut.is_none_or(|cut| sample == Sample::Rejected && cut.after < cut.before));
                        prop_assert!(sample != Sample::Rejected || limit.limit() <= before);
                    }
                    Step::SetMax(max) => limit.set_max(max),
                    Step::Begin | Step::End(..) => {}
                }
                prop_assert!((1..=limit.max()).contains(&limit.limit()));
            }
        }

        #[test]
        fn from_any_state_steady_answers_raise_the_limit_to_the_maximum(
            max in 1..300_usize, steps in steps(), millis in 1..10_000_u64
        ) {
            let mut limit = AdaptiveLimit::new(max);
            let mut calls = Vec::new();
            for step in steps {
                match step {
                    Step::Begin if calls.len() < limit.limit() => calls.push(limit.begin(calls.len() + 1)),
                    Step::End(which, sample) if !calls.is_empty() => {
                        let call = calls.swap_remove(which % calls.len());
                        limit.record(call, calls.len() + 1, sample);
                    }
                    _ => {}
                }
            }
            for _ in 0..200 {
                fly(&mut limit, |_| answered(Duration::from_millis(millis)));
            }
            prop_assert_eq!(limit.limit(), max);
        }

        #[test]
        fn slow_answers_alone_never_lower_the_limit_below_four(
            max in 4..300_usize, millis in proptest::collection::vec(1..60_000_u64, 1..200)
        ) {
            let mut limit = AdaptiveLimit::new(max);
            for millis in millis {
                fly(&mut limit, |_| answered(Duration::from_millis(millis)));
                let learning = limit.learning.is_some();
                prop_assert!(limit.limit() >= if learning { 1 } else { 4 }, "{}", limit.limit());
            }
        }
    }
}
