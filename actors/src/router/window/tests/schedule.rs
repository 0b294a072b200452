//! What a target's delay and quiet hours let through, and what the rest of the window makes of a line that waits.

use jiff::{SignedDuration, tz::TimeZone};
use mynah_domain::{Publication, PublicationKey, quiet_hours::QuietHours, schedule::Schedule};

use super::*;

/// No positions.
const NOTHING: [u64; 0] = [];

/// Quiet from 22:00 to 07:00 by the clocks of Madrid.
fn nights() -> Schedule {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let quiet = QuietHours::new(vec!["22:00-07:00".parse().unwrap()], zone).unwrap();
    Schedule { quiet: Some(quiet), delay: Duration::ZERO }
}

fn delayed(minutes: u64) -> Schedule {
    Schedule { quiet: None, delay: Duration::from_mins(minutes) }
}

fn at(text: &str) -> Now {
    let wall: Timestamp = text.parse().unwrap();
    let since = Duration::try_from(wall.duration_since(noon().wall)).unwrap_or_default();
    Now { wall, steady: noon().steady + since }
}

/// A job that is translated, in one part.
fn ready(position: u64) -> Job {
    let JobEvent::Translated(translation) = translated() else { unreachable!() };
    Job { state: JobState::Ready, translation: Some(translation), ..job("es", position) }
}

fn in_thread(position: u64, parent: u64, written_at: &str) -> Job {
    let job = ready(position);
    let kind = PostKind::Thread { parent: PostId(parent.to_string()) };
    let post = Arc::new(Post { kind, ..(*job.post).clone() });
    Job { post, written_at: written_at.parse().unwrap(), ..job }
}

/// A window on one line with these jobs, loaded at `now`.
fn line(schedule: Schedule, jobs: Vec<Job>, now: Now) -> Window {
    let mut window = taken_up(&[Route { schedule, ..Route::alone(target("es")) }], Blocks::default());
    let (_, room) = window.wants(&target("es"), 100).unwrap();
    window.load(&target("es"), jobs, room, now);
    window
}

/// The positions of the jobs that the publisher gets.
fn handed_out(window: &mut Window, now: Now) -> Vec<u64> {
    let picked = match window.pick_for_publication(&"p#1".into(), &account("es"), 9, now, none_paused) {
        Picked::Nothing => Vec::new(),
        Picked::Alone { job, .. } => vec![*job],
        Picked::Batch(jobs) => jobs,
    };
    picked.into_iter().map(|job| job.post.position).collect()
}

/// Publishes the job at this position, which is leased.
fn publish(window: &mut Window, position: u64) {
    report(window, &ready(position), JobEvent::Published, JobState::Published).unwrap();
}

#[test]
fn in_quiet_hours_nothing_is_handed_out_though_translation_goes_on() {
    let (night, morning) = (at("2026-11-30T21:00:00Z"), at("2026-12-01T06:00:00Z"));
    let mut window = line(nights(), vec![ready(1), ready(2), job("es", 3)], night);
    assert_eq!(handed_out(&mut window, night), NOTHING);
    assert!(window.has_work());
    let picked = window.pick_for_translation(&"t#1".into(), 9);
    assert_eq!(places(&picked), [(3, "net:es")]);
    report(&mut window, &picked[0], translated(), JobState::Ready);
    assert_eq!(handed_out(&mut window, at("2026-12-01T05:59:59.999Z")), NOTHING);
    assert_eq!(handed_out(&mut window, morning), [1, 2, 3]);
}

#[test]
fn a_night_in_which_clocks_are_set_ends_when_the_clocks_show_its_end() {
    for (last_quiet, first_open) in
        [("2026-03-29T04:59:59Z", "2026-03-29T05:00:00Z"), ("2026-10-25T05:59:59Z", "2026-10-25T06:00:00Z")]
    {
        let mut window = line(nights(), vec![ready(1)], at(last_quiet));
        assert_eq!(handed_out(&mut window, at(last_quiet)), NOTHING);
        assert_eq!(handed_out(&mut window, at(first_open)), [1]);
    }
}

#[test]
fn a_clock_that_is_set_back_into_the_night_closes_the_line_again() {
    let mut window = line(nights(), vec![ready(1)], at("2026-11-30T21:00:00Z"));
    assert_eq!(window.opened(at("2026-12-01T05:00:00Z")).1, Some(Duration::from_hours(1)));
    assert_eq!(window.opened(at("2026-12-01T06:00:00Z")).0, [account("es")]);
    assert_eq!(handed_out(&mut window, at("2026-12-01T04:00:00Z")), NOTHING);
    assert_eq!(window.opened(at("2026-12-01T04:00:00Z")), (vec![], Some(Duration::from_hours(2))));
    assert_eq!(window.opened(at("2026-12-01T06:00:00Z")).0, [account("es")]);
    assert_eq!(handed_out(&mut window, at("2026-12-01T06:00:00Z")), [1]);
}

#[test]
fn a_translation_is_not_begun_at_once_in_quiet_hours() {
    let night = at("2026-11-30T21:00:00Z");
    let mut window = line(nights(), vec![job("es", 1)], night);
    let picked = window.pick_for_translation(&"t#1".into(), 9);
    let JobEvent::Translated(translation) = translated() else { unreachable!() };
    let begun = [(picked[0].id, &translation)].into();
    let next = |now| window.next_to_publish(&account("es"), &begun, 9, now, none_paused);
    assert_eq!(next(night), None);
    assert_eq!(next(at("2026-12-01T06:00:00Z")), Some((target("es"), vec![picked[0].id])));
}

#[test]
fn a_thread_that_was_written_before_the_quiet_hours_is_completed_in_them() {
    let (evening, night) = (at("2026-11-30T20:59:00Z"), at("2026-11-30T21:01:00Z"));
    let jobs = vec![
        ready(1),
        in_thread(2, 1, "2026-11-30T20:58:00Z"),
        in_thread(3, 2, "2026-11-30T20:59:30Z"),
        in_thread(4, 3, "2026-11-30T21:00:00Z"),
        ready(5),
    ];
    let mut window = line(nights(), jobs, evening);
    assert_eq!(handed_out(&mut window, evening), [1]);
    publish(&mut window, 1);
    for position in [2, 3] {
        assert_eq!(handed_out(&mut window, night), [position]);
        publish(&mut window, position);
    }
    assert_eq!(handed_out(&mut window, night), NOTHING, "the fourth part was written in the night");
    assert_eq!(handed_out(&mut window, at("2026-12-01T06:00:00Z")), [4]);
}

#[test]
fn a_job_of_which_something_may_be_on_the_account_goes_on_in_quiet_hours() {
    let night = at("2026-11-30T21:01:00Z");
    let unknown = Job { state: JobState::Unknown, ..ready(1) };
    assert_eq!(handed_out(&mut line(nights(), vec![unknown], night), night), [1]);
    let JobEvent::Translated(one) = translated() else { unreachable!() };
    let two_parts = Translation { parts: vec!["Hola".into(), "mundo".into()], ..one };
    let long = Job { translation: Some(two_parts), ..ready(1) };
    let mut window = line(nights(), vec![long.clone()], at("2026-11-30T20:59:00Z"));
    assert_eq!(handed_out(&mut window, at("2026-11-30T20:59:00Z")), [1]);
    let put_back = JobEvent::NotSent { not_before: None, reason: "503".into() };
    report(&mut window, &long, put_back, JobState::Ready);
    assert_eq!(handed_out(&mut window, night), NOTHING, "nothing of it is on the account");
    let position = LinePosition::of(&long);
    assert!(window.may_be_begun(&target("es"), position));
    let sent = Publication {
        part: 0,
        account: account("es"),
        text: "Hola".into(),
        key: Some(PublicationKey::new(noon().wall)),
        reply: None,
        intent_at: noon().wall,
        after: None,
        remote_id: Some(PostId("7".into())),
    };
    window.note_parts(&target("es"), position, vec![sent]);
    assert_eq!(handed_out(&mut window, night), [1]);
}

#[test]
fn a_delay_counts_from_when_the_post_was_written_and_keeps_the_order() {
    let written = |position, time: &str| Job { written_at: time.parse().unwrap(), ..ready(position) };
    let jobs = vec![written(1, "2026-11-23T12:00:00Z"), written(2, "2026-11-23T11:00:00Z")];
    let mut window = line(delayed(10), jobs, noon());
    window.expect_more(&target("es"));
    let (_, room) = window.wants(&target("es"), 100).unwrap();
    window.load(&target("es"), vec![written(3, "2026-11-23T12:05:00Z")], room, later(Duration::from_mins(5)));
    assert_eq!(handed_out(&mut window, later(Duration::from_secs(599))), NOTHING);
    assert_eq!(window.opened(noon()).1, Some(Duration::from_mins(10)));
    assert_eq!(window.opened(later(Duration::from_mins(10))).0, [account("es")]);
    assert_eq!(
        handed_out(&mut window, later(Duration::from_mins(10))),
        [1, 2],
        "the third waits for its own delay"
    );
}

#[test]
fn setting_the_clock_back_does_not_extend_a_delay() {
    let job = Job { written_at: noon().wall, ..ready(1) };
    let mut window = line(delayed(10), vec![job], noon());
    let yesterday = |steady: u64| Now {
        wall: noon().wall - SignedDuration::from_hours(24),
        steady: noon().steady + Duration::from_mins(steady),
    };
    assert_eq!(handed_out(&mut window, yesterday(9)), NOTHING);
    assert_eq!(handed_out(&mut window, yesterday(10)), [1]);
}

#[test]
fn a_line_that_is_quiet_is_explained_and_is_not_stuck() {
    let night = at("2026-11-30T21:00:00Z");
    let mut window = line(nights(), vec![ready(1), ready(2)], night);
    assert!(window.waits_for_schedule(&target("es"), night));
    assert!(!window.waits_for_schedule(&target("es"), at("2026-12-01T06:00:00Z")));
    let drained = window.drained(3, night, none_paused).unwrap();
    assert_eq!(drained.scheduled[&target("es")], (2, "quiet until 07:00 (local time)".into()));
    assert_eq!(window.drained(3, at("2026-12-01T06:00:00Z"), none_paused), None);
    let delayed = line(delayed(10), vec![Job { written_at: noon().wall, ..ready(1) }], noon());
    let drained = delayed.drained(3, noon(), none_paused).unwrap();
    assert_eq!(drained.scheduled[&target("es")], (1, "delayed until 2026-11-23T12:10:00Z".into()));
    let (overdue, next) = window.overdue(night, Duration::ZERO, |_| false);
    assert!(overdue.is_empty() && next.is_none());
}

#[test]
fn a_job_that_fails_in_quiet_hours_is_not_blamed_for_the_time_that_they_last() {
    let (evening, night, morning) =
        (at("2026-11-30T20:00:00Z"), at("2026-12-01T05:00:00Z"), at("2026-12-01T06:00:00Z"));
    let retried = Job { not_before: Some("2026-12-01T09:00:00Z".parse().unwrap()), ..job("es", 1) };
    let mut window = line(nights(), vec![retried, ready(2)], evening);
    let patience = Duration::from_hours(2);
    let left = |window: &mut Window, now| {
        let (overdue, next) = window.overdue(now, patience, |_| false);
        (overdue.len(), next)
    };
    assert_eq!(left(&mut window, evening), (0, Some(patience)));
    assert_eq!(left(&mut window, night), (0, None), "nothing could be published anyway");
    assert_eq!(left(&mut window, morning), (0, Some(patience)), "its time begins again");
}

#[test]
fn a_quiet_target_does_not_affect_the_others_of_its_account() {
    let night = at("2026-11-30T21:00:00Z");
    let route =
        |name: &str, schedule| Route { account: account("town"), schedule, ..Route::alone(target(name)) };
    let mut window = taken_up(&[route("es", nights()), route("ca", Schedule::default())], Blocks::default());
    for name in ["es", "ca"] {
        let (_, room) = window.wants(&target(name), 100).unwrap();
        let ready = ready(1);
        let job = Job { id: job(name, 1).id, target: target(name), ..ready };
        window.load(&target(name), vec![job], room, night);
    }
    let mut pick =
        |now| match window.pick_for_publication(&"p#1".into(), &account("town"), 9, now, none_paused) {
            Picked::Batch(jobs) => jobs.into_iter().map(|job| job.target.to_string()).collect(),
            _ => Vec::new(),
        };
    assert_eq!(pick(night), ["net:ca"]);
    assert!(pick(night).is_empty());
    assert_eq!(pick(at("2026-12-01T06:00:00Z")), ["net:es"]);
}
