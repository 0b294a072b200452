use super::*;
use crate::alerts::{
    causes::{self, Finding},
    testing::{at, condition, observe},
};

const DAY: i64 = 24 * 3600;
const REPEAT: Duration = Duration::from_hours(24);

/// Sends a receiver all that it must be sent at this second.
fn send(record: &mut Record, receiver: &str, second: i64) -> Vec<State> {
    let mut sent = Vec::new();
    while let Some((key, state)) = record.claim(receiver, "me", at(second), REPEAT) {
        record.delivered(&key, receiver, state, at(second));
        sent.push(state);
    }
    sent
}

/// Looks every ten seconds in this stretch, and sends after each look.
fn pass(record: &mut Record, seconds: std::ops::Range<i64>, conditions: &[Condition]) -> Vec<State> {
    let mut sent = Vec::new();
    for second in seconds.step_by(10) {
        observe(record, second, conditions);
        sent.extend(send(record, "mail", second));
    }
    sent
}

#[test]
fn a_cause_is_reported_once_it_has_lasted_and_over_once_it_was_gone() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    assert_eq!(pass(&mut record, 0..60, &blocked), []);
    assert_eq!(pass(&mut record, 60..3600, &blocked), [State::Began]);
    assert_eq!(pass(&mut record, 3600..3640, &[]), []);
    assert_eq!(pass(&mut record, 3640..3700, &[]), [State::Over]);
    observe(&mut record, 3700, &[]);
    assert!(record.entries.is_empty(), "everybody knows");
}

#[test]
fn a_cause_that_comes_and_goes_sends_no_flood() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    let mut sent = Vec::new();
    for minute in 0..60 {
        let begin = minute * 60;
        sent.extend(pass(&mut record, begin..begin + 30, &blocked));
        sent.extend(pass(&mut record, begin + 30..begin + 60, &[]));
    }
    sent.extend(pass(&mut record, 3600..3900, &[]));
    assert_eq!(sent, [State::Began, State::Over]);
    // One that shows for a moment is nothing.
    assert_eq!(pass(&mut record, 4000..4040, &blocked), []);
    assert_eq!(pass(&mut record, 4040..4200, &[]), []);
    assert!(record.entries.is_empty());
}

#[test]
fn while_a_cause_lasts_it_is_reported_again_after_a_time() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    let sent = pass(&mut record, 0..2 * DAY + 7200, &blocked);
    assert_eq!(sent, [State::Began, State::Lasts, State::Lasts]);
}

#[test]
fn a_restart_neither_repeats_nor_forgets() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    assert_eq!(pass(&mut record, 0..300, &blocked), [State::Began]);
    let text = serde_json::to_string(&record).unwrap();
    let mut record: Record = serde_json::from_str(&text).unwrap();
    assert_eq!(pass(&mut record, 4000..4300, &blocked), []);
    // A new process does not know yet, and has not watched for long enough.
    let look = |now, watching_since, is_over: &dyn Fn(&Entry) -> bool, record: &mut Record| {
        let (by, interval) = ("me", Duration::from_secs(10));
        let look =
            Look { now: at(now), watching_since: at(watching_since), by, interval, conditions: &[], is_over };
        record.observe(&look, Duration::from_mins(1));
    };
    look(8000, 7990, &|_| true, &mut record);
    assert_eq!(send(&mut record, "mail", 8000), []);
    // What only a try can show is not over before somebody tried.
    look(9000, 7990, &|_| false, &mut record);
    assert_eq!(send(&mut record, "mail", 9000), []);
    look(9010, 7990, &|_| true, &mut record);
    assert_eq!(send(&mut record, "mail", 9010), [State::Over]);
}

#[test]
fn each_receiver_is_sent_what_it_does_not_know() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    assert_eq!(pass(&mut record, 0..300, &blocked), [State::Began]);
    assert_eq!(send(&mut record, "slack", 300), [State::Began], "it was away");
    observe(&mut record, 310, &[]);
    observe(&mut record, 400, &[]);
    assert_eq!(send(&mut record, "mail", 400), [State::Over]);
    observe(&mut record, 410, &[]);
    assert_eq!(record.entries.len(), 1, "one receiver does not know yet");
    assert_eq!(send(&mut record, "slack", 500), [State::Over]);
    observe(&mut record, 510, &[]);
    assert!(record.entries.is_empty());
}

#[test]
fn a_receiver_that_was_away_is_sent_what_is_true_then() {
    let (mut record, es, fr) = (Record::default(), condition("x:es"), condition("x:fr"));
    for second in (0..300).step_by(10) {
        observe(&mut record, second, &[es.clone(), fr.clone()]);
    }
    for second in (300..600).step_by(10) {
        observe(&mut record, second, std::slice::from_ref(&fr));
    }
    assert_eq!(send(&mut record, "mail", 600), [State::Began], "only what is still wrong");
}

#[test]
fn a_cause_that_returns_before_a_receiver_heard_of_its_end_is_the_same_to_it() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    assert_eq!(pass(&mut record, 0..300, &blocked), [State::Began]);
    observe(&mut record, 310, &[]);
    observe(&mut record, 400, &[]);
    // Nothing was sent in between.
    for second in (410..600).step_by(10) {
        observe(&mut record, second, &blocked);
    }
    assert_eq!(send(&mut record, "mail", 600), []);
    assert_eq!(pass(&mut record, 610..800, &[]), [State::Over]);
    // One that is back after its end was reported is new.
    assert_eq!(pass(&mut record, 800..1000, &blocked), [State::Began]);
}

#[test]
fn a_message_belongs_to_one_instance_until_it_sends_or_its_claim_runs_out() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    observe(&mut record, 0, &blocked);
    observe(&mut record, 60, &blocked);
    let (key, state) = record.claim("mail", "one", at(60), REPEAT).unwrap();
    assert_eq!(record.claim("mail", "two", at(61), REPEAT), None);
    assert!(record.claim("slack", "two", at(61), REPEAT).is_some(), "another receiver");
    assert!(record.claim("mail", "two", at(200), REPEAT).is_some(), "the first one died");
    record.not_delivered(&key, "mail");
    assert!(record.claim("mail", "one", at(201), REPEAT).is_some());
    record.delivered(&key, "mail", state, at(201));
    assert_eq!(record.claim("mail", "two", at(500), REPEAT), None);
}

#[test]
fn what_is_over_waits_for_a_message_that_is_on_its_way() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    observe(&mut record, 0, &blocked);
    observe(&mut record, 60, &blocked);
    let (key, state) = record.claim("mail", "me", at(60), REPEAT).unwrap();
    observe(&mut record, 130, &[]);
    record.delivered(&key, "mail", state, at(135));
    assert_eq!(send(&mut record, "mail", 140), [State::Over]);
}

#[test]
fn something_over_is_dropped_after_a_week_if_a_receiver_is_never_reached() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    pass(&mut record, 0..300, &blocked);
    observe(&mut record, 400, &[]);
    observe(&mut record, 400 + 6 * DAY, &[]);
    assert_eq!(record.entries.len(), 1);
    observe(&mut record, 500 + 7 * DAY, &[]);
    assert!(record.entries.is_empty());
}

#[test]
fn what_often_passes_by_itself_must_last_longer() {
    let mut record = Record::default();
    let down = Condition {
        cause: causes::named("engine_down").unwrap(),
        finding: Finding {
            about: "gemini".into(),
            summary: "gemini does not answer".into(),
            details: String::new(),
            since: None,
        },
    };
    assert_eq!(pass(&mut record, 0..300, std::slice::from_ref(&down)), []);
    assert_eq!(pass(&mut record, 300..400, std::slice::from_ref(&down)), [State::Began]);
}

#[test]
fn a_clock_that_is_set_back_sends_nothing_twice() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    assert_eq!(pass(&mut record, 10_000..10_300, &blocked), [State::Began]);
    assert_eq!(pass(&mut record, 0..300, &blocked), []);
    assert_eq!(
        pass(&mut record, 300..400, &[]),
        [State::Over],
        "it is not silent until the old time comes again"
    );
    assert_eq!(pass(&mut record, 10_300..10_500, &[]), []);
}

#[test]
fn a_claim_of_a_clock_that_was_ahead_runs_out() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    pass(&mut record, 9_900..9_960, &blocked);
    observe(&mut record, 10_000, &blocked);
    assert!(record.claim("mail", "one", at(10_000), REPEAT).is_some());
    observe(&mut record, 0, &blocked);
    assert!(record.claim("mail", "two", at(0), REPEAT).is_none());
    assert!(record.claim("mail", "two", at(130), REPEAT).is_some());
}

#[test]
fn while_a_cause_lasts_it_is_reported_again_although_the_clock_was_set_back() {
    let (mut record, blocked) = (Record::default(), [condition("x:es")]);
    assert_eq!(pass(&mut record, 30 * DAY..30 * DAY + 300, &blocked), [State::Began]);
    assert_eq!(pass(&mut record, 0..DAY + 300, &blocked), [State::Lasts]);
}

#[test]
fn what_only_one_instance_finds_is_not_over_because_another_looks_more_often_or_later() {
    let (interval, settle) = (Duration::from_mins(5), Duration::from_mins(1));
    let look = |record: &mut Record, by: &str, now: i64, conditions: &[Condition]| {
        let watching_since = Timestamp::MIN;
        let look =
            Look { now: at(now), watching_since, by, interval, conditions, is_over: &|_: &Entry| true };
        record.observe(&look, settle)
    };
    for ahead in [0, 60, -60] {
        let (mut record, full) = (Record::default(), [condition("x:es")]);
        let (mut began, mut over) = (0, 0);
        for minute in 0..120 {
            let now = minute * 60;
            if minute % 5 == 0 {
                began += look(&mut record, "a", now, &full).began.len();
            } else {
                over += look(&mut record, "b", now + ahead, &[]).over.len();
            }
        }
        assert_eq!((began, over), (1, 0), "{ahead}");
        // The instance that found it is gone.
        let over = look(&mut record, "b", 7200 + 3600, &[]).over;
        assert_eq!(over.len(), 1);
    }
}

#[test]
fn a_record_of_an_older_version_is_read() {
    let mut record = Record::default();
    pass(&mut record, 0..300, &[condition("x:es")]);
    let mut stored = serde_json::to_value(&record).unwrap();
    let entry = stored["entries"]["account_blocked x:es"].as_object_mut().unwrap();
    let reported_since = entry.remove("reported_since").unwrap();
    entry.insert("counts".into(), reported_since);
    entry.remove("seen_by");
    let read: Record = serde_json::from_value(stored).unwrap();
    assert!(read.entries["account_blocked x:es"].is_on());
}
