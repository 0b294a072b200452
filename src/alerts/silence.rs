//! When a source is silent for longer than is usual for it. Some accounts post every hour and some every month, so the
//! rule follows each one's own habit: a source is silent if its last post is more than three times as old as the longest
//! pause between its last 50 posts, and older than `alerts.silence`. With fewer than five posts, there is no habit yet.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use mynah_domain::ports::{Ledger, LedgerError, ledger::Checkpoint};

use super::elapsed;

/// How many posts show a habit.
const POSTS: usize = 50;

/// With fewer posts, there is no habit.
const FEWEST: usize = 5;

/// How many times its longest pause a source may be silent.
const FACTOR: u32 = 3;

/// How often a source posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Habit {
    /// Its last post.
    pub(super) last: Timestamp,
    /// The longest pause between two posts.
    pub(super) longest: Duration,
}

impl Habit {
    /// The habit that the times of the last posts show, if there are enough.
    fn of(mut times: Vec<Timestamp>) -> Option<Self> {
        if times.len() < FEWEST {
            return None;
        }
        times.sort_unstable();
        let pauses = times.windows(2).map(|pair| elapsed(pair[0], pair[1]));
        Some(Self { longest: pauses.max()?, last: *times.last()? })
    }

    /// Whether the source is silent for longer than is usual, which is at least `least`.
    pub(super) fn is_silent(&self, least: Duration, now: Timestamp) -> bool {
        elapsed(self.last, now) > self.longest.saturating_mul(FACTOR).max(least)
    }
}

/// The habits of sources. Reading one costs the ledger more than anything else here, so it is read again only if the
/// source would count as silent and has new posts.
#[derive(Debug, Default)]
pub(super) struct Habits(HashMap<String, (Option<Checkpoint>, Option<Habit>)>);

impl Habits {
    /// The habit of a source if it is silent, as far as is known without reading the ledger; `Err` if it must be read.
    fn known(&self, source: &str, least: Duration, now: Timestamp) -> Result<Option<Habit>, Unknown<'_>> {
        match self.0.get(source) {
            None => Err(Unknown { before: None }),
            Some((_, Some(habit))) if !habit.is_silent(least, now) => Ok(None),
            Some((checkpoint, habit)) => Err(Unknown { before: Some((checkpoint, *habit)) }),
        }
    }
}

/// What was known before of a source that may be silent.
struct Unknown<'a> {
    before: Option<(&'a Option<Checkpoint>, Option<Habit>)>,
}

/// The habit of a source that is silent now; `None` if it is not.
pub(super) async fn silent(
    habits: &std::sync::Mutex<Habits>,
    ledger: &dyn Ledger,
    source: &str,
    least: Duration,
    now: Timestamp,
) -> Result<Option<Habit>, LedgerError> {
    let lock = || habits.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = match lock().known(source, least, now) {
        Ok(known) => return Ok(known),
        Err(Unknown { before }) => before.map(|(checkpoint, habit)| (checkpoint.clone(), habit)),
    };
    let checkpoint = ledger.checkpoint(source).await?;
    let habit = match before {
        Some((same, habit)) if same == checkpoint => habit,
        _ => {
            let habit = Habit::of(ledger.post_times(source, POSTS).await?);
            lock().0.insert(source.to_owned(), (checkpoint, habit));
            habit
        }
    };
    Ok(habit.filter(|habit| habit.is_silent(least, now)))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Posts at these hours.
    fn posts(hours: &[i64]) -> Vec<Timestamp> {
        hours.iter().map(|hour| at(*hour)).collect()
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    #[test]
    fn a_source_is_silent_after_three_times_its_longest_pause() {
        let habit = Habit::of(posts(&[9, 0, 1, 3, 5])).unwrap();
        assert_eq!(habit, Habit { last: at(9), longest: 4 * HOUR });
        assert!(!habit.is_silent(HOUR, at(9 + 12)));
        assert!(habit.is_silent(HOUR, at(9 + 13)));
        assert!(!habit.is_silent(24 * HOUR, at(9 + 24)), "at least a day");
        assert!(habit.is_silent(24 * HOUR, at(9 + 25)));
    }

    #[test]
    fn a_source_with_few_posts_has_no_habit() {
        assert_eq!(Habit::of(posts(&[0, 1, 2, 3])), None);
        assert_eq!(Habit::of(vec![]), None);
    }

    #[test]
    fn posts_at_the_same_moment_count_as_no_pause() {
        let habit = Habit::of(posts(&[7; 9])).unwrap();
        assert_eq!(habit.longest, Duration::ZERO);
        assert!(habit.is_silent(HOUR, at(9)) && !habit.is_silent(HOUR, at(8)));
    }

    #[actix_rt::test]
    async fn the_ledger_is_read_again_only_if_a_source_may_be_silent_and_has_new_posts() {
        use crate::alerts::testing::Posts;
        let (habits, posts) = (std::sync::Mutex::default(), Posts::default());
        let ask = async |hour| {
            let ledger = posts.ledger();
            silent(&habits, &*ledger, "net:town", HOUR, at(hour)).await.unwrap().is_some()
        };
        posts.record(&[0, 1, 2, 3, 4]).await;
        assert!(!ask(5).await);
        posts.record(&[5, 6]).await;
        assert!(!ask(7).await, "known from before");
        assert!(!ask(8).await, "the new posts count");
        assert!(ask(10).await && ask(11).await);
        posts.record(&[11]).await;
        assert!(!ask(12).await);
    }
}
