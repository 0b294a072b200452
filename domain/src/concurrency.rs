//! How many calls to a service may be under way at once. Too few waste time; too many only make each of them wait in the
//! service's own queue, or are refused. Nobody knows the right number beforehand and it changes, so it is found by trying:
//! it grows while calls take no longer than usual and shrinks when they do, or when the service says "not now".
//!
//! The rules are those of TCP's congestion control (RFC 5681), with calls for packets, and of Netflix's
//! [concurrency-limits](https://github.com/Netflix/concurrency-limits) where that needs no lost packet to notice a queue:
//!
//! - Calls are taken together in **rounds** of as many as were under way at once: about a round trip.
//! - *Slow start*: the limit doubles in each round that goes well, up to half of where the service last refused.
//! - After that, with every round, `limit × gradient + √limit`, where the gradient is 1 while calls take what they usually
//!   take, and below that `usual × tolerance / now`, never less than ½ (Gradient2's formula). So it settles where the queue
//!   that it makes in the service is about √limit long.
//! - *Refused* (429, 503, silence): half, once for all calls that were under way at that moment, as in RFC 6582.
//!   Where the trials after that fail, too, what slow start aims at stays (RFC 5681, 3.1).
//! - It grows only while at least half of it is in use: what nobody tries proves nothing.
//!
//! What is usual is learnt apart for calls of one item, of two or three, of four to seven and so on, as a call of forty
//! items may well take longer than a call of one. It falls fast and rises slowly, and not at all while calls are slow. A
//! service that became slower for good would hold the limit down for ever, and one that was busy from the first call would
//! never be known otherwise. So after some slow rounds one is made with a quarter of the calls, and what they take is what
//! is usual from then on (so do TCP's BBR and Netflix's first gradient limit).

use std::time::Duration;

/// Where slow start begins: about where TCP does, with its ten packets (RFC 6928).
const START: usize = 16;

/// A round has at least as many calls: fewer tell more of chance than of the service.
const ROUND: usize = 4;

/// As a thousandth: calls may take a quarter longer than usual before the limit gives way.
const TOLERANCE: u64 = 1250;

/// As a thousandth: a single sort of call counts as this slow at most.
const SLOWEST: u64 = 4000;

/// So many slow rounds, and what is usual is learnt anew.
const SLOW_ROUNDS: u32 = 16;

/// Sorts of calls by their number of items: 1, 2 to 3, 4 to 7, …, 64 and more.
const SORTS: usize = 7;

/// The limit of one service. It counts nothing but what it is told, and reads no clock.
#[derive(Debug, Clone)]
pub struct Concurrency {
    most: usize,
    limit: usize,
    /// What slow start aims at.
    threshold: usize,
    /// How often the limit was cut: what began before a cut says nothing of what came after.
    cuts: u32,
    /// A call went well since the last cut.
    well: bool,
    round: Round,
    /// What a call of each sort usually takes, in microseconds.
    usual: [Option<u64>; SORTS],
    slow_rounds: u32,
    /// The limit before the round in which what is usual is learnt anew, while that goes on.
    learning: Option<usize>,
}

/// A call that began; its end is told with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    cuts: u32,
}

/// What became of a call, as far as it says something of how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    /// It was answered.
    Well {
        /// How long that took.
        took: Duration,
        /// For how many items.
        items: usize,
    },
    /// "Not now", or silence.
    NotNow,
}

/// The limit was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// What it was.
    pub before: usize,
    /// What it is.
    pub after: usize,
}

/// The calls of a round so far.
#[derive(Debug, Clone, Default)]
struct Round {
    /// The most that were under way at once.
    peak: usize,
    heard: usize,
    /// Of each sort how many, and how long they took together, in microseconds.
    sorts: [(u64, u64); SORTS],
}

impl Round {
    /// The mean of each sort that was heard of.
    fn means(&self) -> impl Iterator<Item = (usize, u64)> {
        let heard = self.sorts.iter().enumerate().filter(|(_, (count, _))| *count > 0);
        heard.map(|(sort, (count, sum))| (sort, sum / count))
    }

    /// How long calls took, in thousandths of what is usual for their sort; none where that is not known of any.
    fn slowness(&self, usual: &[Option<u64>; SORTS]) -> Option<u64> {
        let known = self.means().filter_map(|(sort, mean)| {
            let slowness = mean.saturating_mul(1000) / usual[sort]?.max(1);
            Some((self.sorts[sort].0, slowness.min(SLOWEST)))
        });
        let (calls, sum) =
            known.fold((0, 0), |(calls, sum), (count, slowness)| (calls + count, sum + count * slowness));
        (calls > 0).then(|| sum / calls)
    }
}

impl Concurrency {
    /// For a service of which nothing is known, with `most` calls at once at the very most; at least 1.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            most,
            limit: START.min(most),
            threshold: usize::MAX,
            cuts: 0,
            well: false,
            round: Round::default(),
            usual: [None; SORTS],
            slow_rounds: 0,
            learning: None,
        }
    }

    /// How many calls may be under way at once now: 1 to [`Concurrency::most`].
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The most there may ever be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Has another number be the most there may ever be; at least 1.
    pub fn set_most(&mut self, most: usize) {
        self.most = most.max(1);
        self.limit = self.limit.min(self.most);
    }

    /// A call begins; with it so many are under way.
    pub fn begin(&mut self, under_way: usize) -> Call {
        self.round.peak = self.round.peak.max(under_way);
        Call { cuts: self.cuts }
    }

    /// A call ended so; with it so many were under way. Answers the cut, where it made one.
    pub fn hear(&mut self, call: Call, under_way: usize, went: Went) -> Option<Cut> {
        if call.cuts != self.cuts {
            return None;
        }
        self.round.peak = self.round.peak.max(under_way);
        match went {
            Went::NotNow => return self.cut(),
            Went::Well { took, items } => {
                self.well = true;
                let sort = items.checked_ilog2().and_then(|sort| usize::try_from(sort).ok());
                let (count, sum) = &mut self.round.sorts[sort.unwrap_or_default().min(SORTS - 1)];
                *count += 1;
                *sum = sum.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                self.round.heard += 1;
            }
        }
        if self.round.heard >= self.round.peak.max(ROUND) {
            self.end_round();
        }
        None
    }

    fn cut(&mut self) -> Option<Cut> {
        let before = self.limit;
        self.learning = None;
        self.limit = (before / 2).max(1);
        if std::mem::take(&mut self.well) {
            self.threshold = self.limit;
        }
        self.slow_rounds = 0;
        self.begin_anew();
        (self.limit < before).then_some(Cut { before, after: self.limit })
    }

    /// What is under way says nothing of what comes.
    fn begin_anew(&mut self) {
        self.cuts = self.cuts.wrapping_add(1);
        self.round = Round::default();
    }

    fn end_round(&mut self) {
        let round = std::mem::take(&mut self.round);
        if let Some(limit) = self.learning.take() {
            for (sort, mean) in round.means() {
                self.usual[sort] = Some(mean);
            }
            self.limit = limit.min(self.most);
            return;
        }
        let slowness = round.slowness(&self.usual).unwrap_or(1000);
        // Slow without much to do is not slow by what we do.
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
        self.limit = self.limit.clamp(1, self.most);
        if self.slow_rounds >= SLOW_ROUNDS {
            self.slow_rounds = 0;
            self.learning = Some(self.limit);
            self.limit = (self.limit / 4).max(1);
            self.begin_anew();
        }
    }

    fn learn(&mut self, round: &Round, slow: bool) {
        for (sort, mean) in round.means() {
            let usual = &mut self.usual[sort];
            *usual = Some(match *usual {
                None => mean,
                Some(usual) if mean < usual => usual - (usual - mean) / 2,
                Some(usual) if slow => usual,
                Some(usual) => usual + (mean - usual) / 8,
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

    /// As many calls as may be under way begin together and end together.
    fn fly(limit: &mut Concurrency, went: impl Fn(usize) -> Went) {
        let calls: Vec<Call> = (1..=limit.limit()).map(|under_way| limit.begin(under_way)).collect();
        let together = calls.len();
        for (ended, call) in calls.into_iter().enumerate() {
            limit.hear(call, together - ended, went(together));
        }
    }

    fn well(took: Duration) -> Went {
        Went::Well { took, items: 40 }
    }

    /// A service that works on so many calls at once; the others wait.
    fn served(capacity: usize) -> impl Fn(usize) -> Went {
        move |together| {
            let share = u32::try_from(together.max(capacity) * 100 / capacity).unwrap();
            well(SECOND * share / 100)
        }
    }

    #[test]
    fn steady_answers_bring_it_to_the_most_in_a_few_rounds() {
        let mut limit = Concurrency::new(64);
        let mut rounds = 0;
        while limit.limit() < 64 {
            fly(&mut limit, |_| well(SECOND));
            rounds += 1;
        }
        assert!(rounds <= 3, "{rounds}");
    }

    #[test]
    fn what_is_not_used_does_not_grow() {
        let mut limit = Concurrency::new(64);
        for _ in 0..1000 {
            let call = limit.begin(1);
            limit.hear(call, 1, well(SECOND));
        }
        assert_eq!(limit.limit(), START);
    }

    #[test]
    fn a_refusal_halves_it_once_for_all_that_was_under_way() {
        let mut limit = Concurrency::new(64);
        for _ in 0..3 {
            fly(&mut limit, |_| well(SECOND));
        }
        let calls: Vec<Call> = (1..=64).map(|under_way| limit.begin(under_way)).collect();
        let cuts: Vec<Cut> =
            calls.into_iter().filter_map(|call| limit.hear(call, 64, Went::NotNow)).collect();
        assert_eq!(cuts, [Cut { before: 64, after: 32 }]);
        assert_eq!(limit.limit(), 32);
    }

    #[test]
    fn after_an_outage_it_comes_back_fast_to_half_of_what_went_well_and_slowly_from_there() {
        let mut limit = Concurrency::new(64);
        for _ in 0..3 {
            fly(&mut limit, |_| well(SECOND));
        }
        for _ in 0..10 {
            let call = limit.begin(1);
            limit.hear(call, 1, Went::NotNow);
        }
        assert_eq!(limit.limit(), 1);
        let mut seen = vec![1];
        while limit.limit() < 64 {
            let before = limit.limit();
            fly(&mut limit, |_| well(SECOND));
            if limit.limit() != before {
                seen.push(limit.limit());
            }
        }
        assert_eq!(seen, [1, 2, 4, 8, 16, 32, 37, 43, 49, 56, 63, 64]);
    }

    #[test]
    fn it_settles_near_what_the_service_can_do_at_once() {
        for capacity in [4, 8, 16, 24, 32] {
            let mut limit = Concurrency::new(256);
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
    fn a_service_that_is_slower_for_good_gets_as_many_calls_as_before_after_a_while() {
        let mut limit = Concurrency::new(64);
        for _ in 0..10 {
            fly(&mut limit, |_| well(SECOND));
        }
        let mut least = 64;
        for _ in 0..80 {
            fly(&mut limit, |_| well(SECOND * 2));
            least = least.min(limit.limit());
        }
        assert!(least < 40, "it gave way: {least}");
        assert_eq!(limit.limit(), 64);
    }

    #[test]
    fn long_calls_of_many_items_are_not_slow_for_that() {
        let mut limit = Concurrency::new(64);
        for round in 0..20_u32 {
            let items = 1 << (round % 6);
            fly(&mut limit, |_| Went::Well { took: SECOND * items, items: usize::try_from(items).unwrap() });
        }
        assert_eq!(limit.limit(), 64);
    }

    #[test]
    fn what_is_set_anew_holds_at_once() {
        let mut limit = Concurrency::new(64);
        limit.set_most(5);
        assert_eq!((limit.limit(), limit.most()), (5, 5));
        limit.set_most(0);
        assert_eq!((limit.limit(), limit.most()), (1, 1));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Begin,
        End(usize, Went),
        Most(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let went = prop_oneof![
            4 => (0..u64::MAX, 0..1000_usize)
                .prop_map(|(micros, items)| Went::Well { took: Duration::from_micros(micros), items }),
            4 => (0..5_000_u64, 1..100_usize)
                .prop_map(|(millis, items)| Went::Well { took: Duration::from_millis(millis), items }),
            1 => Just(Went::NotNow),
        ];
        let step = prop_oneof![
            10 => Just(Step::Begin),
            10 => (any::<usize>(), went).prop_map(|(which, went)| Step::End(which, went)),
            1 => (0..300_usize).prop_map(Step::Most),
        ];
        proptest::collection::vec(step, 0..600)
    }

    proptest! {
        #[test]
        fn whatever_is_heard_it_stays_within_its_bounds(most in 0..300_usize, steps in steps()) {
            let mut limit = Concurrency::new(most);
            let mut calls = Vec::new();
            for step in steps {
                match step {
                    Step::Begin if calls.len() < limit.limit() => calls.push(limit.begin(calls.len() + 1)),
                    Step::End(which, went) if !calls.is_empty() => {
                        let call = calls.swap_remove(which % calls.len());
                        let before = limit.limit();
                        let cut = limit.hear(call, calls.len() + 1, went);
                        prop_assert!(cut.is_none_or(|cut| went == Went::NotNow && cut.after < cut.before));
                        prop_assert!(went != Went::NotNow || limit.limit() <= before);
                    }
                    Step::Most(most) => limit.set_most(most),
                    Step::Begin | Step::End(..) => {}
                }
                prop_assert!((1..=limit.most()).contains(&limit.limit()));
            }
        }

        #[test]
        fn from_wherever_it_is_steady_answers_bring_it_back_to_the_most(
            most in 1..300_usize, steps in steps(), millis in 1..10_000_u64
        ) {
            let mut limit = Concurrency::new(most);
            let mut calls = Vec::new();
            for step in steps {
                match step {
                    Step::Begin if calls.len() < limit.limit() => calls.push(limit.begin(calls.len() + 1)),
                    Step::End(which, went) if !calls.is_empty() => {
                        let call = calls.swap_remove(which % calls.len());
                        limit.hear(call, calls.len() + 1, went);
                    }
                    _ => {}
                }
            }
            for _ in 0..200 {
                fly(&mut limit, |_| well(Duration::from_millis(millis)));
            }
            prop_assert_eq!(limit.limit(), most);
        }

        #[test]
        fn slow_answers_alone_never_bring_it_below_four(
            most in 4..300_usize, millis in proptest::collection::vec(1..60_000_u64, 1..200)
        ) {
            let mut limit = Concurrency::new(most);
            for millis in millis {
                fly(&mut limit, |_| well(Duration::from_millis(millis)));
                let learning = limit.learning.is_some();
                prop_assert!(limit.limit() >= if learning { 1 } else { 4 }, "{}", limit.limit());
            }
        }
    }
}
