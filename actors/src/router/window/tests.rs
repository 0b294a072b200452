//! Which jobs a line hands out, to which worker, and in what order.

use mynah_domain::{AccountId, Hold, PostId, PostKind, job::HoldKind};

mod schedule;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mynah_domain::{JobEvent, JobId, JobState, Post, Translation, ports::ledger::Advanced};

use super::*;
use crate::router::messages::{Drained, JobReport};

fn target(name: &str) -> TargetId {
    TargetId::new("net", name)
}

/// The account of a target that shares it with no other.
fn account(name: &str) -> AccountId {
    AccountId::from(&target(name))
}

fn noon() -> Now {
    static NOON: std::sync::OnceLock<Now> = std::sync::OnceLock::new();
    *NOON.get_or_init(|| Now { wall: "2026-11-23T12:00:00Z".parse().unwrap(), steady: Instant::now() })
}

fn later(after: Duration) -> Now {
    Now { wall: noon().wall + after, steady: noon().steady + after }
}

/// The next job of "es", alone.
fn pick(window: &mut Window) -> Option<(Job, bool)> {
    match window.pick_for_publication(&"p#1".into(), &account("es"), 1, noon(), none_paused) {
        Picked::Nothing => None,
        Picked::Alone { job, touched } => Some((*job, touched)),
        Picked::Batch(mut row) => row.pop().map(|job| (job, false)),
    }
}

fn job(target_name: &str, position: u64) -> Job {
    let post = Post {
        id: PostId(position.to_string()),
        position,
        text: "Hello".into(),
        entities: None,
        language: None,
        kind: PostKind::Original,
        created_at: Timestamp::UNIX_EPOCH,
        media: vec![],
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: vec![],
    };
    Job {
        id: JobId(i64::try_from(position).unwrap() * 10 + i64::from(target_name == "ca")),
        post: Arc::new(post),
        source: "net:town".into(),
        target: target(target_name),
        state: JobState::Queued,
        token: 0,
        attempt: 0,
        not_before: None,
        written_at: Timestamp::UNIX_EPOCH,
        translation: None,
        guidance: None,
        publications: vec![],
    }
}

/// A window whose lines this instance works on, with nothing loaded.
fn taken_up(routes: &[Route], blocks: Blocks) -> Window {
    let mut window = Window::new(routes, blocks);
    window.take_up(&routes.iter().map(|route| route.target.clone()).collect::<Vec<_>>());
    window
}

/// A window on lines that hold these positions and no more.
fn window(lines: &[(&str, &[u64])]) -> Window {
    let routes: Vec<Route> = lines.iter().map(|(name, _)| Route::alone(target(name))).collect();
    let mut window = taken_up(&routes, Blocks::default());
    for (name, positions) in lines {
        let (_, room) = window.wants(&target(name), 100).unwrap();
        window.load(&target(name), positions.iter().map(|at| job(name, *at)).collect(), room, noon());
    }
    window
}

/// The ledger's answer to the report of a leased job.
fn advanced(job: &Job, state: JobState) -> Advanced {
    Advanced { state, token: job.token + 1, attempt: job.attempt }
}

fn report(window: &mut Window, job: &Job, event: JobEvent, state: JobState) -> Option<Moved> {
    window.moved(&JobReport::new(job, vec![event]), advanced(job, state), noon())
}

fn translated() -> JobEvent {
    JobEvent::Translated(Translation {
        parts: vec!["Hola".into()],
        engine: "test".into(),
        alts: vec![],
        warning: None,
        card: None,
    })
}

/// Nothing is paused.
fn none_paused(_: &TargetId) -> bool {
    false
}

fn places(jobs: &[Job]) -> Vec<(u64, &str)> {
    jobs.iter().map(|job| (job.post.position, job.target.as_str())).collect()
}

#[test]
fn the_oldest_posts_go_first_with_all_their_languages() {
    let mut window = window(&[("es", &[1, 2, 3]), ("ca", &[1, 2, 3])]);
    let picked = window.pick_for_translation(&"t#1".into(), 3);
    assert_eq!(places(&picked), [(1, "net:es"), (1, "net:ca"), (2, "net:es")]);
    assert_eq!(places(&window.pick_for_translation(&"t#2".into(), 10)).len(), 3);
    assert!(window.pick_for_translation(&"t#3".into(), 10).is_empty());
}

#[test]
fn only_the_next_job_of_a_line_can_be_begun_with_its_translation() {
    let mut window = window(&[("es", &[1, 2, 3, 4])]);
    let picked = window.pick_for_translation(&"t#1".into(), 4);
    let one = |parts: &[&str]| Translation {
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        engine: "test".into(),
        alts: vec![],
        warning: None,
        card: None,
    };
    let (short, long) = (one(&["Hola"]), one(&["Hola,", "mundo"]));
    let next = |window: &Window, translated: &[(usize, &Translation)], max| {
        let translated =
            translated.iter().map(|(index, translation)| (picked[*index].id, *translation)).collect();
        window
            .next_to_publish(&account("es"), &translated, max, noon(), none_paused)
            .map_or(vec![], |(_, jobs)| jobs)
    };
    assert_eq!(next(&window, &[(1, &short), (2, &short)], 9), [], "the first job is not translated");
    assert_eq!(next(&window, &[(1, &short), (0, &short)], 9), [picked[0].id, picked[1].id]);
    assert_eq!(next(&window, &[(1, &short), (0, &short)], 1), [picked[0].id]);
    assert_eq!(next(&window, &[(0, &short), (1, &long), (2, &short)], 9), [picked[0].id]);
    window.block(&account("es"), "revoked".into());
    assert_eq!(next(&window, &[(0, &short)], 9), []);
}

#[test]
fn a_line_is_published_in_order_even_when_translations_finish_out_of_order() {
    let mut window = window(&[("es", &[1, 2])]);
    let picked = window.pick_for_translation(&"t#1".into(), 2);
    report(&mut window, &picked[1], translated(), JobState::Ready);
    assert!(pick(&mut window).is_none(), "the first job is not ready");
    report(&mut window, &picked[0], translated(), JobState::Ready);
    let (first, touched) = pick(&mut window).unwrap();
    assert_eq!((first.post.position, touched), (1, false));
    assert!(pick(&mut window).is_none(), "one at a time");
    report(&mut window, &first, JobEvent::Published, JobState::Published);
    assert_eq!(pick(&mut window).unwrap().0.post.position, 2);
}

#[test]
fn jobs_of_a_dead_worker_are_found_and_then_go_alone() {
    let mut window = window(&[("es", &[1, 2, 3])]);
    window.pick_for_translation(&"t#1".into(), 2);
    let lost = window.leased_by("t#1", true);
    assert_eq!(
        lost.iter().map(|(job, panics)| (job.post.position, *panics)).collect::<Vec<_>>(),
        [(1, 1), (2, 1)]
    );
    for (job, _) in &lost {
        let back = JobEvent::HandedBack { not_before: None, reason: "died".into() };
        report(&mut window, job, back, JobState::Queued);
    }
    assert_eq!(places(&window.pick_for_translation(&"t#2".into(), 10)), [(1, "net:es")]);
}

const SECOND: Duration = Duration::from_secs(1);

/// A window whose first job is delayed for ten seconds, with ready jobs behind it.
fn with_a_delayed_job(ready: usize) -> Window {
    let positions: Vec<u64> = (1..=1 + ready as u64).collect();
    let mut window = window(&[("es", &positions)]);
    let picked = window.pick_for_translation(&"t#1".into(), 10);
    let not_before = Some(noon().wall + 10 * SECOND);
    let back = JobEvent::HandedBack { not_before, reason: "busy".into() };
    report(&mut window, &picked[0], back, JobState::Queued);
    for job in &picked[1..] {
        report(&mut window, job, translated(), JobState::Ready);
    }
    window
}

#[test]
fn a_delayed_job_wakes_when_its_delay_ends() {
    let mut window = with_a_delayed_job(0);
    assert_eq!(window.wake(later(9 * SECOND)), Wake::In(SECOND));
    assert!(window.pick_for_translation(&"t#1".into(), 1).is_empty());
    assert_eq!(window.wake(later(10 * SECOND)), Wake::Now);
    assert_eq!(window.wake(later(10 * SECOND)), Wake::Never);
    assert_eq!(window.pick_for_translation(&"t#1".into(), 1).len(), 1);
}

#[test]
fn setting_the_clock_back_does_not_extend_a_delay() {
    let mut window = with_a_delayed_job(0);
    let mut set_back = later(9 * SECOND);
    set_back.wall -= 3600 * SECOND;
    assert_eq!(window.wake(set_back), Wake::In(SECOND));
    set_back.steady += SECOND;
    assert_eq!(window.wake(set_back), Wake::Now);
    let mut window = with_a_delayed_job(0);
    let mut set_forward = later(SECOND);
    set_forward.wall += 3600 * SECOND;
    assert_eq!(window.wake(set_forward), Wake::Now);
}

#[test]
fn a_job_that_blocks_others_is_overdue_after_patience() {
    let up = |_: &Job| false;
    let mut window = with_a_delayed_job(1);
    let overdue = |window: &mut Window, after| window.overdue(later(after), 60 * SECOND, up);
    let (none, next) = overdue(&mut window, SECOND);
    assert!(none.is_empty());
    assert_eq!(next, Some(60 * SECOND));
    // It is retried in between, and fails again.
    window.wake(later(30 * SECOND));
    let picked = window.pick_for_translation(&"t#1".into(), 1);
    assert!(overdue(&mut window, 31 * SECOND).0.is_empty());
    let back = JobEvent::HandedBack { not_before: Some(Timestamp::MAX), reason: "busy".into() };
    report(&mut window, &picked[0], back, JobState::Queued);
    assert_eq!(overdue(&mut window, 40 * SECOND).1, Some(21 * SECOND));
    let (job, _) = overdue(&mut window, 61 * SECOND);
    assert_eq!((job[0].job.post.position, job[0].reason.as_str()), (1, "busy"));
}

#[test]
fn each_job_that_blocks_others_has_its_own_patience() {
    let mut window = with_a_delayed_job(2);
    let overdue = |window: &mut Window, after| window.overdue(later(after), 60 * SECOND, |_| false);
    assert_eq!(overdue(&mut window, SECOND).1, Some(60 * SECOND));
    window.wake(later(30 * SECOND));
    let first = window.pick_for_translation(&"t#1".into(), 1).remove(0);
    report(&mut window, &first, JobEvent::Failed { reason: "refused".into() }, JobState::Failed);
    let (second, _) = pick(&mut window).unwrap();
    let back = JobEvent::NotSent { not_before: Some(Timestamp::MAX), reason: "busy".into() };
    report(&mut window, &second, back, JobState::Ready);
    let (none, next) = overdue(&mut window, 70 * SECOND);
    assert!(none.is_empty(), "the second job has only begun to block");
    assert_eq!(next, Some(60 * SECOND));
}

#[test]
fn a_job_is_not_overdue_if_it_blocks_nothing_or_its_upstream_is_down() {
    let mut alone = with_a_delayed_job(0);
    assert_eq!(alone.overdue(later(SECOND), Duration::ZERO, |_| false).1, None);
    let mut window = with_a_delayed_job(1);
    assert_eq!(window.overdue(later(SECOND), 5 * SECOND, |_| false).1, Some(5 * SECOND));
    assert_eq!(window.overdue(later(9 * SECOND), 5 * SECOND, |_| true).1, None);
    let (none, next) = window.overdue(later(9 * SECOND), 5 * SECOND, |_| false);
    assert!(none.is_empty(), "the time counts again");
    assert_eq!(next, Some(5 * SECOND));
}

#[test]
fn time_during_which_a_limit_holds_the_head_does_not_count_against_it() {
    let mut window = with_a_delayed_job(1);
    let overdue = |window: &mut Window, after| window.overdue(later(after), 60 * SECOND, |_| false);
    assert_eq!(overdue(&mut window, SECOND).1, Some(60 * SECOND));
    window.wake(later(30 * SECOND));
    let picked = window.pick_for_translation(&"t#1".into(), 1);
    let hold = Hold { kind: HoldKind::Quota, reason: "limit".into(), until: Some(Timestamp::MAX) };
    report(&mut window, &picked[0], JobEvent::Held(hold), JobState::Held);
    let (none, next) = overdue(&mut window, 600 * SECOND);
    assert!(none.is_empty() && next.is_none());
    let back = JobEvent::HandedBack { not_before: Some(Timestamp::MAX), reason: "busy".into() };
    report(&mut window, &picked[0], back, JobState::Queued);
    let (none, next) = overdue(&mut window, 601 * SECOND);
    assert!(none.is_empty(), "the time counts from here");
    assert_eq!(next, Some(60 * SECOND));
}

#[test]
fn a_hold_for_a_person_leaves_the_line_and_one_until_a_time_stays_in_it() {
    let mut window = window(&[("es", &[1, 2])]);
    let picked = window.pick_for_translation(&"t#1".into(), 2);
    let hold = |until| JobEvent::Held(Hold { kind: HoldKind::Cap, reason: "cap".into(), until });
    report(&mut window, &picked[0], hold(None), JobState::Held);
    report(&mut window, &picked[1], hold(Some(Timestamp::MAX)), JobState::Held);
    let drained = window.drained(3, noon(), none_paused).expect("nothing can be done now");
    assert_eq!(drained.waiting[&target("es")], (1, "cap".into()));
}

#[test]
fn a_run_is_not_over_while_something_can_be_done() {
    let mut window = window(&[("es", &[1])]);
    assert_eq!(window.drained(3, noon(), none_paused), None);
    let picked = window.pick_for_translation(&"t#1".into(), 1);
    assert_eq!(window.drained(3, noon(), none_paused), None);
    report(&mut window, &picked[0], translated(), JobState::Ready);
    assert_eq!(window.drained(3, noon(), none_paused), None);
    let (job, _) = pick(&mut window).unwrap();
    assert_eq!(window.drained(3, noon(), none_paused), None);
    report(&mut window, &job, JobEvent::Published, JobState::Published);
    assert_eq!(window.drained(3, noon(), none_paused), Some(Drained::default()));
    window.expect_more(&target("es"));
    assert_eq!(window.drained(3, noon(), none_paused), None, "the ledger may hold more");
}

#[test]
fn jobs_behind_a_stuck_one_wait_with_it() {
    let window = with_a_delayed_job(2);
    assert_eq!(window.drained(2, noon(), none_paused), None, "one more attempt is left");
    assert_eq!(window.drained(1, noon(), none_paused).unwrap().waiting[&target("es")], (3, "busy".into()));
}

#[test]
fn only_a_job_that_a_translator_holds_is_being_translated() {
    let mut window = window(&[("es", &[1, 2])]);
    let held = window.pick_for_translation(&"t#1".into(), 1).remove(0);
    assert!(window.is_translating(held.id));
    assert!(!window.is_translating(job("es", 2).id));
    report(&mut window, &held, translated(), JobState::Ready);
    pick(&mut window).expect("it is ready");
    assert!(!window.is_translating(held.id));
}

#[test]
fn a_blocked_target_stops_alone_and_costs_no_more_translations() {
    let mut window = window(&[("es", &[1]), ("ca", &[1])]);
    window.block(&account("es"), "its token was revoked".into());
    assert_eq!(places(&window.pick_for_translation(&"t#1".into(), 10)), [(1, "net:ca")]);
}

#[test]
fn a_fixed_target_continues_with_its_jobs() {
    let mut window = window(&[("es", &[1, 2])]);
    window.block(&account("es"), "its token was revoked".into());
    assert_eq!(window.accounts.why_blocked(&account("es")).as_deref(), Some("its token was revoked"));
    assert_eq!(window.unblock(&target("es")), Some(account("es")));
    assert_eq!(places(&window.pick_for_translation(&"t#1".into(), 10)), [(1, "net:es"), (2, "net:es")]);
    assert!(!window.accounts.is_blocked(&account("es")) && window.unblock(&target("es")).is_none());
}

#[test]
fn jobs_in_progress_are_counted_by_worker_name() {
    let mut window = window(&[("es", &[1, 2]), ("ca", &[1])]);
    window.pick_for_translation(&"translator-1#7".into(), 2);
    window.pick_for_translation(&"translator-2#1".into(), 1);
    assert_eq!(window.in_progress(), [("translator-1".into(), 2), ("translator-2".into(), 1)].into());
}

#[test]
fn a_paused_target_does_not_prevent_a_run_from_ending_once_all_is_translated() {
    let mut window = window(&[("es", &[1]), ("ca", &[])]);
    let paused = |target_id: &TargetId| *target_id == target("es");
    assert_eq!(window.drained(3, noon(), paused), None, "its posts are still translated");
    let picked = window.pick_for_translation(&"t#1".into(), 1);
    report(&mut window, &picked[0], translated(), JobState::Ready);
    let drained = window.drained(3, noon(), paused).unwrap();
    assert_eq!(drained.blocked[&target("es")], "paused; `mynah resume net:es` resumes it");
    assert_eq!(drained.blocked.len(), 1, "nothing waits on the other");
}

#[test]
fn a_reloaded_line_has_no_gap_and_keeps_its_order() {
    let mut window = window(&[("es", &[1, 2, 3])]);
    for job in window.pick_for_translation(&"t#1".into(), 3) {
        report(&mut window, &job, translated(), JobState::Ready);
    }
    let (first, _) = pick(&mut window).unwrap();
    // A future loads more of the line; before the answer arrives, the line changes.
    window.expect_more(&target("es"));
    let (after, room) = window.wants(&target("es"), 100).unwrap();
    assert_eq!(after, Some(LinePosition::of(&job("es", 3))));
    window.reload(&target("es"));
    window.load(&target("es"), vec![job("es", 4)], room, noon());
    report(
        &mut window,
        &first,
        JobEvent::NotSent { not_before: None, reason: String::new() },
        JobState::Ready,
    );
    assert!(pick(&mut window).is_none(), "other jobs may come before it");
    let (after, room) = window.wants(&target("es"), 100).unwrap();
    assert_eq!(after, None, "from the beginning, because the older answer left a gap");
    let ready = |position| Job { state: JobState::Ready, ..job("es", position) };
    window.load(&target("es"), (0..=4).map(ready).collect(), room, noon());
    assert_eq!(pick(&mut window).unwrap().0.post.position, 0);
}

#[test]
fn a_reloaded_line_leaves_the_others_as_they_are() {
    let mut window = window(&[("es", &[1]), ("ca", &[1])]);
    window.reload(&target("es"));
    assert_eq!(places(&window.pick_for_translation(&"t#1".into(), 10)), [(1, "net:ca")]);
}

#[test]
fn a_translated_job_that_was_held_until_a_time_is_published_then_and_not_translated_again() {
    let minute = Duration::from_mins(1);
    let mut window = taken_up(&[Route::alone(target("es"))], Blocks::default());
    let translation = Translation {
        parts: vec!["Hola".into()],
        engine: "test".into(),
        alts: vec![],
        warning: None,
        card: None,
    };
    let held = Job {
        state: JobState::Held,
        translation: Some(translation),
        not_before: Some(later(minute).wall),
        ..job("es", 1)
    };
    let (_, room) = window.wants(&target("es"), 100).unwrap();
    window.load(&target("es"), vec![held], room, noon());
    assert!(pick(&mut window).is_none(), "its time has not come");
    assert_eq!(window.wake(later(minute)), Wake::Now);
    assert!(!window.has_work());
    assert_eq!(pick(&mut window).unwrap().0.post.position, 1);
}

#[test]
fn an_answer_from_before_more_was_recorded_is_not_final() {
    let mut window = taken_up(&[Route::alone(target("es"))], Blocks::default());
    let (_, room) = window.wants(&target("es"), 100).unwrap();
    window.expect_more(&target("es"));
    window.load(&target("es"), vec![job("es", 1)], room, noon());
    assert!(window.wants(&target("es"), 100).is_some());
}

#[test]
fn memory_never_exceeds_its_bound() {
    let mut window = taken_up(&[Route::alone(target("es"))], Blocks::default());
    let (after, room) = window.wants(&target("es"), 4).unwrap();
    assert_eq!((after, room), (None, 4));
    window.load(&target("es"), (1..=4).map(|at| job("es", at)).collect(), room, noon());
    assert_eq!(window.wants(&target("es"), 4), None, "full");
    for job in window.pick_for_translation(&"t#1".into(), 2) {
        report(&mut window, &job, JobEvent::Failed { reason: String::new() }, JobState::Failed);
    }
    assert_eq!(window.wants(&target("es"), 4), Some((Some(LinePosition::of(&job("es", 4))), 2)));
}

#[test]
fn jobs_with_one_part_are_published_together_and_any_other_goes_alone() {
    let mut window = taken_up(&[Route::alone(target("es"))], Blocks::default());
    assert!(window.wants(&target("es"), 100).is_some());
    let ready = |position: u64, parts: usize| {
        let parts = vec!["Hola".to_owned(); parts];
        let translation =
            Translation { parts, engine: "test".into(), alts: Vec::new(), warning: None, card: None };
        Job { state: JobState::Ready, translation: Some(translation), ..job("es", position) }
    };
    let jobs = [(1, 1), (2, 1), (3, 2), (4, 1), (5, 1), (6, 1)];
    window.load(&target("es"), jobs.map(|(position, parts)| ready(position, parts)).into(), 100, noon());
    let row = |window: &mut Window| -> Vec<u64> {
        let picked = match window.pick_for_publication(&"p#1".into(), &account("es"), 2, noon(), none_paused)
        {
            Picked::Nothing => Vec::new(),
            Picked::Alone { job, .. } => vec![*job],
            Picked::Batch(row) => row,
        };
        for job in &picked {
            report(window, job, JobEvent::Published, JobState::Published);
        }
        picked.into_iter().map(|job| job.post.position).collect()
    };
    assert_eq!(row(&mut window), [1, 2]);
    assert_eq!(row(&mut window), [3], "a thread of two goes alone");
    assert_eq!(row(&mut window), [4, 5]);
    let (last, _) = pick(&mut window).unwrap();
    assert!(pick(&mut window).is_none(), "one publisher at a time");
    report(&mut window, &last, JobEvent::Untouched, JobState::Ready);
    assert!(pick(&mut window).unwrap().1, "a publisher held it, so it is read again");
}

/// A window on two targets that share one account. All jobs are translated except those at these positions.
fn shared(positions: &[u64], untranslated: &[(&str, u64)]) -> Window {
    let route = |name: &str| Route { account: account("town"), ..Route::alone(target(name)) };
    let mut window = taken_up(&[route("parks"), route("roads")], Blocks::default());
    for name in ["parks", "roads"] {
        let (_, room) = window.wants(&target(name), 100).unwrap();
        let ready = |position: &u64| {
            let translation = Translation {
                parts: vec!["Hola".into()],
                engine: "test".into(),
                alts: vec![],
                warning: None,
                card: None,
            };
            let number = i64::try_from(*position).unwrap() * 10 + i64::from(name == "roads");
            let job = Job { id: JobId(number), ..job(name, *position) };
            if untranslated.contains(&(name, *position)) {
                job
            } else {
                Job { state: JobState::Ready, translation: Some(translation), ..job }
            }
        };
        window.load(&target(name), positions.iter().map(ready).collect(), room, noon());
    }
    window
}

/// Publishes the jobs that the shared account's publisher gets next, and returns them.
fn publish_next(
    window: &mut Window,
    max: usize,
    is_paused: impl Fn(&TargetId) -> bool,
) -> Vec<(u64, String)> {
    let picked = match window.pick_for_publication(&"p#1".into(), &account("town"), max, noon(), is_paused) {
        Picked::Nothing => Vec::new(),
        Picked::Alone { job, .. } => vec![*job],
        Picked::Batch(batch) => batch,
    };
    for job in &picked {
        report(window, job, JobEvent::Published, JobState::Published);
    }
    picked.into_iter().map(|job| (job.post.position, job.target.as_str().to_owned())).collect()
}

#[test]
fn lines_that_share_an_account_take_turns_and_each_keeps_its_order() {
    let mut window = shared(&[1, 2, 3], &[]);
    let mut published = Vec::new();
    loop {
        let batch = publish_next(&mut window, 2, none_paused);
        if batch.is_empty() {
            break;
        }
        published.push(batch);
    }
    let batch = |name: &str, positions: &[u64]| -> Vec<(u64, String)> {
        positions.iter().map(|position| (*position, format!("net:{name}"))).collect()
    };
    assert_eq!(
        published,
        [batch("parks", &[1, 2]), batch("roads", &[1, 2]), batch("parks", &[3]), batch("roads", &[3])]
    );
}

#[test]
fn a_line_whose_head_is_not_ready_does_not_delay_the_other_lines_of_its_account() {
    let mut window = shared(&[1, 2], &[("parks", 1)]);
    assert_eq!(publish_next(&mut window, 9, none_paused), [(1, "net:roads".into()), (2, "net:roads".into())]);
    assert_eq!(publish_next(&mut window, 9, none_paused), [], "the head of the other line is not translated");
    let picked = window.pick_for_translation(&"t#1".into(), 1);
    report(&mut window, &picked[0], translated(), JobState::Ready);
    assert_eq!(publish_next(&mut window, 9, none_paused), [(1, "net:parks".into()), (2, "net:parks".into())]);
}

#[test]
fn a_pause_of_one_target_does_not_affect_the_others_of_its_account() {
    let mut window = shared(&[1, 2], &[]);
    let parks_is_paused = |paused: &TargetId| *paused == target("parks");
    assert_eq!(publish_next(&mut window, 1, parks_is_paused), [(1, "net:roads".into())]);
    assert_eq!(publish_next(&mut window, 1, parks_is_paused), [(2, "net:roads".into())]);
    assert_eq!(publish_next(&mut window, 1, parks_is_paused), []);
    assert_eq!(publish_next(&mut window, 1, none_paused), [(1, "net:parks".into())]);
}

#[test]
fn a_blocked_account_stops_all_its_lines() {
    let mut window = shared(&[1, 2], &[("roads", 2)]);
    window.block(&account("town"), "its token was revoked".into());
    assert_eq!(publish_next(&mut window, 9, none_paused), []);
    assert!(!window.has_work(), "a translation would waste money");
    assert!(window.accounts.is_blocked(&account("town")));
    assert_eq!(window.unblock(&target("roads")), Some(account("town")));
    assert!(window.has_work());
    assert_eq!(publish_next(&mut window, 9, none_paused), [(1, "net:parks".into()), (2, "net:parks".into())]);
}

#[test]
fn jobs_begun_with_their_translation_come_from_one_line_and_count_as_its_turn() {
    let mut window = shared(&[1, 2], &[("parks", 1), ("roads", 1)]);
    let picked = window.pick_for_translation(&"t#1".into(), 9);
    assert_eq!(places(&picked), [(1, "net:parks"), (1, "net:roads")]);
    let translation = Translation {
        parts: vec!["Hola".into()],
        engine: "test".into(),
        alts: vec![],
        warning: None,
        card: None,
    };
    let both = picked.iter().map(|job| (job.id, &translation)).collect();
    let next = |window: &Window| window.next_to_publish(&account("town"), &both, 9, noon(), none_paused);
    assert_eq!(next(&window), Some((target("parks"), vec![picked[0].id])));
    for job in &picked {
        report(&mut window, job, translated(), JobState::Ready);
    }
    window.begun(&target("parks"), LinePosition::of(&picked[0]), &"p#1".into()).unwrap();
    assert_eq!(publish_next(&mut window, 9, none_paused), [(1, "net:roads".into()), (2, "net:roads".into())]);
}

#[test]
fn a_repeated_report_takes_no_job_from_the_worker_that_holds_it_by_now() {
    let mut window = shared(&[1], &[]);
    let pick = |window: &mut Window| match window.pick_for_publication(
        &"p#1".into(),
        &account("town"),
        1,
        noon(),
        none_paused,
    ) {
        Picked::Alone { job, .. } => *job,
        Picked::Batch(mut jobs) => jobs.remove(0),
        Picked::Nothing => panic!("a job is ready"),
    };
    let job = pick(&mut window);
    let leased = Job { state: JobState::Publishing, token: 1, ..job };
    window.leased(&leased);
    let not_sent = JobEvent::NotSent { not_before: None, reason: "503".into() };
    let report = JobReport::new(&leased, vec![not_sent]);
    let ready = Advanced { state: JobState::Ready, token: 1, attempt: 1 };
    assert!(window.moved(&report, ready, noon()).is_some());
    assert_eq!(pick(&mut window).target, target("roads"), "it is the other line's turn");
    assert_eq!(pick(&mut window).target, target("parks"));
    // Its lease is on its way to the ledger, which answers the report as it did before.
    assert!(window.moved(&report, ready, noon()).is_none());
    let (in_progress, holders) = window.to_publish(&target("parks"), false);
    assert_eq!((in_progress, holders), (1, vec!["p#1".into()]));
}

#[test]
fn a_block_outlives_the_router_that_made_it() {
    let (routes, blocks) = ([Route::alone(target("es"))], Blocks::default());
    taken_up(&routes, blocks.clone()).block(&account("es"), "its token was revoked".into());
    let mut next = taken_up(&routes, blocks.clone());
    next.block(&account("fr"), "nothing is published on this account".into());
    assert_eq!(blocks.all(), [(account("es"), "its token was revoked".to_owned())].into());
    assert_eq!(next.unblock(&target("es")), Some(account("es")));
    assert!(blocks.all().is_empty());
}

#[test]
fn a_line_is_loaded_only_while_this_instance_works_on_it() {
    let mut window = Window::new(&[Route::alone(target("es"))], Blocks::default());
    assert_eq!(window.wants(&target("es"), 10), None);
    assert_eq!(
        window.drained(3, noon(), none_paused),
        Some(Drained::default()),
        "another instance does the rest"
    );
    window.take_up(&[target("es")]);
    let (_, room) = window.wants(&target("es"), 10).unwrap();
    window.load(&target("es"), vec![job("es", 1), job("es", 2)], room, noon());
    window.block(&account("es"), "its token was revoked".into());
    window.put_down(&account("es"));
    assert_eq!((window.depths()[&target("es")], window.has_work()), ([0; 4], false));
    assert_eq!(window.wants(&target("es"), 10), None);
    window.take_up(&[target("es")]);
    assert_eq!(window.unblock(&target("es")), None, "what blocks it is found out again");
    assert_eq!(window.wants(&target("es"), 10), Some((None, 10)), "from the beginning");
}

#[test]
fn what_was_being_loaded_for_a_line_that_was_put_down_does_not_come_into_the_next_one() {
    let mut window = taken_up(&[Route::alone(target("es"))], Blocks::default());
    let (_, room) = window.wants(&target("es"), 10).unwrap();
    window.put_down(&account("es"));
    window.take_up(&[target("es")]);
    window.load(&target("es"), vec![job("es", 1)], room, noon());
    assert_eq!(window.depths()[&target("es")], [0; 4]);
    assert_eq!(window.wants(&target("es"), 10), Some((None, 10)));
}

fn drafted() -> JobEvent {
    let translation = Translation::by("test", vec!["Hola".into()]);
    JobEvent::Drafted(Box::new(mynah_domain::review::Draft { translation, doubts: vec![], accepted: None }))
}

/// A line of four jobs: the first two in review, the third ready, and the last queued.
fn with_two_in_review() -> Window {
    let mut window = window(&[("es", &[1, 2, 3, 4])]);
    let picked = window.pick_for_translation(&"t#1".into(), 3);
    report(&mut window, &picked[0], drafted(), JobState::Review);
    report(&mut window, &picked[1], drafted(), JobState::Review);
    report(&mut window, &picked[2], translated(), JobState::Ready);
    window
}

#[test]
fn jobs_behind_one_in_review_are_translated_and_wait_for_their_turn() {
    let mut window = with_two_in_review();
    assert!(pick(&mut window).is_none(), "the first waits for a person");
    assert_eq!(window.to_publish(&target("es"), true), (0, vec![]), "which is no stall");
    assert_eq!(window.depths()[&target("es")], [1, 0, 1, 0]);
    assert_eq!(window.drained(3, noon(), none_paused), None, "the last is to be translated");
    let last = window.pick_for_translation(&"t#1".into(), 1).remove(0);
    assert_eq!(last.post.position, 4);
    report(&mut window, &last, drafted(), JobState::Review);
    let in_review = [(target("es"), 1)].into();
    assert_eq!(window.drained(3, noon(), none_paused), Some(Drained { in_review, ..Drained::default() }));
}

#[test]
fn jobs_in_review_give_their_places_up_together_when_what_is_ready_behind_them_waited_for_too_long() {
    let mut window = with_two_in_review();
    let overdue = |window: &mut Window, after| window.overdue(later(after), 60 * SECOND, |_| true);
    assert_eq!(overdue(&mut window, SECOND).1, Some(60 * SECOND));
    let (set_aside, _) = overdue(&mut window, 61 * SECOND);
    let positions: Vec<u64> = set_aside.iter().map(|one| one.job.post.position).collect();
    assert_eq!(positions, [1, 2]);
    for Overdue { job, .. } in set_aside {
        let aside = JobEvent::SetAside { reason: "others waited".into() };
        let report = JobReport::without_lease(&job, vec![aside]);
        let advanced = Advanced { state: JobState::Review, token: job.token, attempt: job.attempt };
        assert!(window.moved(&report, advanced, noon()).is_some());
    }
    assert_eq!(pick(&mut window).unwrap().0.post.position, 3);
}

#[test]
fn a_job_in_review_blocks_nothing_while_nothing_is_ready_behind_it() {
    let mut window = window(&[("es", &[1, 2])]);
    let picked = window.pick_for_translation(&"t#1".into(), 2);
    for job in &picked {
        report(&mut window, job, drafted(), JobState::Review);
    }
    let (none, next) = window.overdue(later(600 * SECOND), SECOND, |_| false);
    assert!(none.is_empty() && next.is_none());
}
