//! Nights and days: a publisher and a router under a clock that tests move.

use jiff::{SignedDuration, tz::TimeZone};
use mynah_domain::quiet_hours::QuietHours;

use super::*;

const DAY: Duration = Duration::from_hours(24);

/// Clocks that are set forward an hour on the last Sunday of November, the 29th in 2026, at 02:00.
const SPRING: &str = "AAA0BBB,M11.5.0/2,M3.5.0/2";

/// Clocks that are set back an hour on that night, at 03:00.
const AUTUMN: &str = "AAA-1BBB,M3.5.0/2,M11.5.0/3";

fn quiet(ranges: &[&str], zone: &str) -> Network {
    let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
    let quiet = QuietHours::new(ranges, TimeZone::posix(zone).unwrap()).unwrap();
    Network { schedule: Schedule { quiet: Some(quiet), ..Schedule::default() }, ..Network::default() }
}

/// When messages were published.
fn published_at(town: &Town) -> Vec<Timestamp> {
    let calls = town.account.calls.borrow();
    let published = calls.iter().filter(|(name, _)| *name == "publish");
    published.map(|(_, after)| noon() + *after).collect()
}

#[track_caller]
fn assert_at(moment: Timestamp, expected: &str) {
    let expected: Timestamp = expected.parse().unwrap();
    // The clock is looked at every half minute.
    assert!(moment >= expected, "{moment} is too early for {expected}");
    assert!(
        moment.duration_since(expected) <= SignedDuration::from_secs(30),
        "{moment} is too late for {expected}"
    );
}

#[actix_rt::test]
async fn what_waits_in_quiet_hours_keeps_its_place_and_attempts_and_goes_on_by_itself() {
    tokio::time::pause();
    let jobs = vec![job(1, 0), in_two_parts(2), job(3, 0)];
    let town = Town::on(quiet(&["11:00-13:00"], "UTC0"), jobs, Account::default());
    town.pass(Duration::from_mins(59)).await;
    assert_eq!(town.ledger.states(), [JobState::Ready; 3]);
    assert_eq!(town.account.count("publish"), 0);
    assert_eq!(town.router.send(crate::router::AskActivity).await.unwrap(), [], "nothing is stalled");
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Published; 3]);
    assert!((1..=3).all(|job| town.ledger.job(job).attempt <= 1));
    assert!(published_at(&town).iter().all(|moment| *moment >= noon() + HOUR));
}

#[actix_rt::test]
async fn a_line_that_opens_for_an_hour_a_week_opens_on_time_after_a_change_of_clocks_and_a_turn_of_the_month()
{
    tokio::time::pause();
    // Open for one hour a week. Clocks are set in the night before the first.
    let ranges = ["fri-sat,mon-wed 00:00-24:00", "thu 00:00-24:00", "sun 00:00-07:00", "sun 08:00-24:00"];
    for (zone, opens, reopens) in [
        (SPRING, "2026-11-29T06:00:00Z", "2026-12-06T06:00:00Z"),
        (AUTUMN, "2026-11-29T06:00:00Z", "2026-12-06T06:00:00Z"),
    ] {
        let account = Account {
            publish: Box::new(|before| match before {
                0 => Err(PublishError::Denied(limited(Some("2026-11-29T10:00:00Z")))),
                _ => Ok(PostId(before.to_string())),
            }),
            begun: tokio::time::Instant::now(),
            ..Account::default()
        };
        let town = Town::on(quiet(&ranges, zone), vec![job(1, 0)], account);
        town.pass(DAY * 14).await;
        assert_eq!(town.ledger.states(), [JobState::Published], "{zone}");
        let calls = published_at(&town);
        assert_eq!(calls.len(), 2, "{zone}: {calls:?}");
        let zone = TimeZone::posix(zone).unwrap();
        for (moment, expected) in calls.iter().zip([opens, reopens]) {
            assert_eq!(zone.to_datetime(*moment).hour(), 7, "{moment} for {expected}");
            assert_eq!(zone.to_datetime(*moment).minute(), 0, "{moment}");
        }
        assert!(
            calls[0] < calls[1] && calls[1].duration_since(calls[0]) > SignedDuration::from_hours(6 * 24)
        );
    }
}

#[actix_rt::test]
async fn a_batch_stops_when_quiet_hours_begin_and_a_job_in_the_middle_of_its_parts_is_finished() {
    tokio::time::pause();
    let jobs = vec![job(1, 0), in_two_parts(2), job(3, 0), job(4, 0)];
    let slow = Account { takes: Duration::from_mins(5), ..Account::default() };
    let town = Town::on(quiet(&["12:08-13:00"], "UTC0"), jobs, slow);
    town.pass(Duration::from_mins(40)).await;
    let (published, ready) = (JobState::Published, JobState::Ready);
    assert_eq!(town.ledger.states(), [published, published, ready, ready]);
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [published; 4]);
    let moments = published_at(&town);
    assert_at(moments[1], "2026-11-26T12:05:00Z");
    assert_at(moments[2], "2026-11-26T12:10:00Z");
    assert_at(moments[3], "2026-11-26T13:00:00Z");
}

#[actix_rt::test]
async fn a_batch_that_quiet_hours_interrupt_is_given_back_unchanged() {
    tokio::time::pause();
    let jobs = vec![job(1, 0), job(2, 0), job(3, 0), job(4, 0)];
    let slow = Account { takes: Duration::from_mins(5), ..Account::default() };
    let town = Town::on(quiet(&["12:08-13:00"], "UTC0"), jobs, slow);
    town.pass(Duration::from_mins(40)).await;
    let (published, ready) = (JobState::Published, JobState::Ready);
    assert_eq!(town.ledger.states(), [published, published, ready, ready]);
    assert!(town.ledger.job(3).publications.is_empty(), "its intent was withdrawn");
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [published; 4]);
    assert_eq!(town.account.count("publish"), 4);
}

#[actix_rt::test]
async fn a_delayed_post_is_published_when_its_delay_ends() {
    tokio::time::pause();
    let schedule = Schedule { delay: Duration::from_mins(10), ..Schedule::default() };
    let town = Town::on(Network { schedule, ..Network::default() }, vec![job(1, 0)], Account::default());
    town.pass(Duration::from_secs(599)).await;
    assert_eq!(town.account.count("publish"), 0);
    town.pass(Duration::from_mins(1)).await;
    assert_at(published_at(&town)[0], "2026-11-26T12:10:00Z");
}
