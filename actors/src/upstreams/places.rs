//! The calls to one service that may be under way at once, as places: whoever calls takes one first and keeps it for as
//! long as the call lasts, and no longer. How many there are is [`Concurrency`]'s to say, how much goes into a call
//! [`Batch`]'s; here they are shared by all who call.
//!
//! Who waits for a place holds none, so that nobody waits for who waits; the first to come is the first to go on; and who
//! gives up waiting, or dies with a place, leaves nothing behind.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use log::info;
use mynah_domain::{
    batch::{Batch, Took},
    concurrency::{Call, Concurrency, Went},
};
use tokio::sync::Semaphore;

/// The places of one service.
#[derive(Debug)]
pub struct Places {
    upstream: &'static str,
    state: Mutex<State>,
    /// As many permits as places are free. Fair, and nothing is lost where a wait is given up.
    free: Semaphore,
    waiting: AtomicUsize,
    ended: AtomicUsize,
}

#[derive(Debug)]
struct State {
    concurrency: Concurrency,
    batch: Batch,
    /// Places that are taken.
    under_way: usize,
    /// Places that are taken or free. More than the limit after a cut, until enough of them are given back.
    issued: usize,
}

/// What is seen of a service's places from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many calls may be under way at once, now.
    pub limit: usize,
    /// How many there may ever be.
    pub limit_most: usize,
    /// How many are under way.
    pub under_way: usize,
    /// How many wait for a place.
    pub waiting: usize,
    /// How many items go into a call at most, now.
    pub batch: usize,
    /// How many may ever.
    pub batch_most: usize,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was answered.
    Well {
        /// How long that took.
        took: Duration,
        /// The answer was spoiled, and parts of it were asked for again.
        spoiled: bool,
    },
    /// "Not now."
    NotNow,
    /// No whole answer came.
    Unanswered,
}

impl Places {
    pub(super) fn new(upstream: &'static str, most: usize, batch: usize) -> Self {
        let concurrency = Concurrency::new(most);
        let issued = concurrency.limit();
        let state = State { concurrency, batch: Batch::new(batch), under_way: 0, issued };
        Self {
            upstream,
            state: Mutex::new(state),
            free: Semaphore::new(issued),
            waiting: AtomicUsize::default(),
            ended: AtomicUsize::default(),
        }
    }

    /// How many calls have ended so far, well or not. While it grows, whoever waits for a place or for another worker's
    /// answer waits for something that moves.
    pub fn calls_ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Takes a place where one is free and nobody waits for it.
    pub fn try_take(self: &Arc<Self>) -> Option<Place> {
        self.free.try_acquire().ok()?.forget();
        Some(Place::new(self))
    }

    /// Waits for a place, behind those who wait already.
    pub async fn take(self: &Arc<Self>) -> Place {
        let waiting = Waiting::new(&self.waiting);
        // It is never closed.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        drop(waiting);
        Place::new(self)
    }

    /// How many items go into a call at most, now.
    pub fn batch(&self) -> usize {
        self.state().batch.size()
    }

    /// Over how many calls so many items are spread where nothing else waits, with a place taken already.
    pub fn spread(&self, items: usize) -> usize {
        self.state().batch.spread(items, self.free.available_permits() + 1)
    }

    /// What is seen from outside.
    pub fn pace(&self) -> Pace {
        let state = self.state();
        Pace {
            limit: state.concurrency.limit(),
            limit_most: state.concurrency.most(),
            under_way: state.under_way,
            waiting: self.waiting.load(Ordering::Relaxed),
            batch: state.batch.size(),
            batch_most: state.batch.most(),
        }
    }

    pub(super) fn allow(&self, most: usize) {
        let mut state = self.state();
        state.concurrency.set_most(most);
        self.fit(&mut state);
    }

    pub(super) fn allow_batch(&self, most: usize) {
        let mut state = self.state();
        if state.batch.most() != most {
            state.batch.set_most(most);
        }
    }

    /// Makes or takes away free places, so that there are as many as the limit says. Those that are taken are taken away
    /// when they are given back.
    fn fit(&self, state: &mut State) {
        let limit = state.concurrency.limit();
        if state.issued < limit {
            self.free.add_permits(limit - state.issued);
            state.issued = limit;
        } else if state.issued > limit {
            state.issued -= self.free.forget_permits(state.issued - limit);
        }
    }

    /// Nothing that is done under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the service's sight: the right to make one call. It is given back when this ends, however that comes.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    call: Call,
}

impl Place {
    fn new(places: &Arc<Places>) -> Self {
        let mut state = places.state();
        state.under_way += 1;
        let under_way = state.under_way;
        let call = state.concurrency.begin(under_way);
        drop(state);
        Self { places: places.clone(), call }
    }

    /// The call that it was taken for, for so many items, ended so. One that is not told of says nothing.
    pub fn ended(self, items: usize, ended: Ended) {
        let mut state = self.places.state();
        let went = match ended {
            Ended::Well { took, spoiled: false } => {
                state.batch.hear(items, Took::Well(took));
                // How long several calls took says nothing of one.
                Some(Went::Well { took, items })
            }
            Ended::Well { spoiled: true, .. } => {
                state.batch.hear(items, Took::TooMuch);
                None
            }
            Ended::NotNow => Some(Went::NotNow),
            Ended::Unanswered => {
                state.batch.hear(items, Took::TooMuch);
                Some(Went::NotNow)
            }
        };
        let under_way = state.under_way;
        let cut = went.and_then(|went| state.concurrency.hear(self.call, under_way, went));
        self.places.fit(&mut state);
        drop(state);
        if let Some(cut) = cut {
            info!(upstream = self.places.upstream, before = cut.before, limit = cut.after; "upstream refuses calls; fewer are made at once");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Runs while unwinding, too: nothing here can panic.
        self.places.ended.fetch_add(1, Ordering::Relaxed);
        let mut state = self.places.state();
        state.under_way = state.under_way.saturating_sub(1);
        if state.issued > state.concurrency.limit() {
            state.issued -= 1;
        } else {
            self.places.free.add_permits(1);
        }
    }
}

/// Somebody waits, for as long as this lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};

    use super::*;

    fn places(most: usize) -> Arc<Places> {
        Arc::new(Places::new("engine", most, 40))
    }

    fn all(places: &Arc<Places>) -> Vec<Place> {
        std::iter::from_fn(|| places.try_take()).collect()
    }

    #[actix_rt::test]
    async fn who_comes_first_goes_on_first_and_who_gives_up_leaves_nothing_behind() {
        let places = places(1);
        let taken = places.try_take().unwrap();
        let mut first = Box::pin(places.take());
        let mut second = Box::pin(places.take());
        let mut third = Box::pin(places.take());
        for waits in [&mut first, &mut second, &mut third] {
            assert!(poll!(waits).is_pending());
        }
        assert_eq!(places.pace().waiting, 3);
        drop(first);
        drop(taken);
        assert!(places.try_take().is_none(), "it is the second's");
        assert!(poll!(&mut third).is_pending());
        let Some(place) = second.now_or_never() else { panic!("it is the second's step") };
        drop(third);
        assert_eq!((places.pace().waiting, places.pace().under_way), (0, 1));
        drop(place);
        assert_eq!(all(&places).len(), 1);
    }

    #[actix_rt::test]
    async fn who_gives_up_when_it_has_its_turn_passes_it_on() {
        let places = places(1);
        let taken = places.try_take().unwrap();
        let mut first = Box::pin(places.take());
        let mut second = Box::pin(places.take());
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        drop(taken);
        drop(first);
        assert!(second.now_or_never().is_some());
        assert_eq!(all(&places).len(), 1);
    }

    #[test]
    fn after_a_cut_places_that_are_taken_are_taken_away_when_they_are_given_back() {
        let places = places(8);
        let mut taken = all(&places);
        assert_eq!(taken.len(), 8);
        taken.pop().unwrap().ended(1, Ended::NotNow);
        assert_eq!(places.pace().limit, 4);
        for _ in 0..3 {
            assert!(places.try_take().is_none(), "{} are under way", places.pace().under_way);
            taken.pop();
        }
        assert_eq!(places.pace().under_way, 4);
        assert!(places.try_take().is_none());
        taken.pop();
        assert_eq!(all(&places).len(), 1);
        drop(taken);
        assert_eq!(all(&places).len(), 4);
    }

    #[test]
    fn another_most_makes_and_takes_away_places() {
        let places = places(2);
        let taken = all(&places);
        places.allow(1);
        drop(taken);
        assert_eq!(all(&places).len(), 1);
        places.allow(300);
        for _ in 0..100 {
            for place in all(&places) {
                place.ended(1, Ended::Well { took: Duration::from_secs(1), spoiled: false });
            }
        }
        assert_eq!(places.pace().limit, 300);
        assert_eq!(all(&places).len(), 300);
    }

    #[test]
    fn a_call_that_is_not_told_of_says_nothing_and_gives_its_place_back() {
        let places = places(8);
        for _ in 0..100 {
            drop(all(&places));
        }
        assert_eq!((places.pace().limit, places.pace().under_way), (8, 0));
    }

    #[test]
    fn what_is_spoiled_or_never_answered_makes_calls_smaller() {
        let places = places(8);
        let end = |items, ended| places.try_take().unwrap().ended(items, ended);
        end(40, Ended::Well { took: Duration::from_secs(3), spoiled: true });
        assert_eq!((places.pace().limit, places.batch()), (8, 20));
        end(20, Ended::Unanswered);
        assert_eq!((places.pace().limit, places.batch()), (4, 10));
        end(10, Ended::NotNow);
        assert_eq!((places.pace().limit, places.batch()), (2, 10));
    }

    #[test]
    fn places_are_given_back_on_every_thread() {
        let places = places(16);
        std::thread::scope(|threads| {
            for thread in 0..4_u64 {
                let places = places.clone();
                threads.spawn(move || {
                    for call in 0..2000_u64 {
                        let Some(place) = places.try_take() else { continue };
                        match (call + thread) % 97 {
                            0 => place.ended(40, Ended::NotNow),
                            1 => drop(place),
                            _ => {
                                let took = Duration::from_micros(900 + call % 200);
                                place.ended(40, Ended::Well { took, spoiled: false });
                            }
                        }
                    }
                });
            }
        });
        let pace = places.pace();
        assert_eq!(pace.under_way, 0);
        assert_eq!(all(&places).len(), pace.limit);
    }
}
