//! Review by people: drafts, and decisions about them.

use mynah_domain::{
    JobEvent, JobState, Skip, Translation,
    ports::{
        Ledger,
        ledger::{Change, ChangeError, JobFilter, JobLine},
    },
    review::{Doubt, Draft, Guidance, ReviewAction, ReviewDecision, TEXT},
};

use super::{Bench, TestClock, all_jobs, begun, change, line, page, positions, sent, target};

fn draft(text: &str) -> Draft {
    let doubt = Doubt {
        about: TEXT.into(),
        rule: "numbers".into(),
        message: "the translation lacks “5”".into(),
        is_final: false,
    };
    Draft { translation: Translation::by("test", vec![text.into()]), doubts: vec![doubt], accepted: None }
}

fn drafted(text: &str) -> JobEvent {
    JobEvent::Drafted(Box::new(draft(text)))
}

fn decision(action: ReviewAction, note: Option<&str>) -> ReviewDecision {
    ReviewDecision { who: Some("ana".into()), action, note: note.map(str::to_owned) }
}

/// Records two posts, and drafts the translation of the first. Returns its job as it is then.
async fn with_draft(ledger: &dyn Ledger) -> JobLine {
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let job = line(ledger, "es").await.remove(0);
    let events = vec![JobEvent::LeasedForTranslation, drafted("Hola")];
    assert_eq!(change(ledger, &job, 0, events).await.unwrap().state, JobState::Review);
    all_jobs(ledger).await.remove(0)
}

async fn decide(
    ledger: &dyn Ledger,
    job: &JobLine,
    events: Vec<JobEvent>,
    decision: ReviewDecision,
) -> Result<JobState, ChangeError> {
    let change = Change::decided(job.id, job.token, events, decision);
    ledger.advance([change].into()).await.unwrap().remove(0).map(|advanced| advanced.state)
}

fn approved(draft: &Draft) -> Vec<JobEvent> {
    vec![JobEvent::Translated(draft.translation.clone())]
}

pub(crate) async fn a_draft_keeps_its_place_until_it_is_set_aside_and_is_published_after_an_approval<
    B: Bench,
>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let job = with_draft(&*ledger).await;
    assert_eq!(
        (job.state, job.draft.as_deref(), &job.translation),
        (JobState::Review, Some(&draft("Hola")), &None)
    );
    assert_eq!(job.reason.as_deref(), Some("the translation lacks “5” [numbers]"));
    drop(ledger);

    let ledger = bench.open();
    assert_eq!(ledger.recover(&[target("es")]).await.unwrap(), 0);
    let waiting = line(&*ledger, "es").await;
    assert_eq!(
        (positions(&waiting), waiting[0].state, waiting[0].token),
        (vec![1, 2], JobState::Review, job.token)
    );
    let reason = "others waited".to_owned();
    change(&*ledger, &waiting[0], job.token, vec![JobEvent::SetAside { reason }]).await.unwrap();
    assert_eq!(positions(&line(&*ledger, "es").await), [2]);
    let aside = all_jobs(&*ledger).await.remove(0);
    assert_eq!((aside.state, aside.kind.as_deref()), (JobState::Review, Some("stalled")));
    let edit = decision(ReviewAction::Edit, None);
    assert_eq!(decide(&*ledger, &aside, vec![drafted("Hola")], edit).await, Ok(JobState::Review));
    let aside = all_jobs(&*ledger).await.remove(0);
    assert_eq!(aside.kind.as_deref(), Some("stalled"), "an edit brings it back no more than time does");
    let words = JobFilter { words: Some("hola".into()), ..JobFilter::default() };
    assert_eq!(ledger.jobs(&words, None, 9).await.unwrap().len(), 1);
    assert_eq!(ledger.counts().await.unwrap()[&(target("es"), JobState::Review)], 1);
    assert_eq!(
        ledger.held_since("2026-11-23T12:00:00Z".parse().unwrap()).await.unwrap()[&target("es")].jobs,
        1
    );

    let approve = decision(ReviewAction::Approve, Some("as agreed"));
    assert_eq!(decide(&*ledger, &aside, approved(&draft("Hola")), approve).await, Ok(JobState::Ready));
    let back = line(&*ledger, "es").await;
    assert_eq!(positions(&back), [1, 2]);
    let token =
        change(&*ledger, &back[0], back[0].token, vec![JobEvent::LeasedForPublication]).await.unwrap().token;
    change(&*ledger, &back[0], token, vec![begun(0), sent(0, "77"), JobEvent::Published]).await.unwrap();
    let done = all_jobs(&*ledger).await.remove(0);
    assert_eq!((done.state, done.kind, done.draft), (JobState::Published, None, None));
}

pub(crate) async fn of_two_decisions_about_one_draft_the_second_is_refused<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    let job = with_draft(&*ledger).await;
    let edit = decision(ReviewAction::Edit, Some("the 5 is in the picture"));
    assert_eq!(decide(&*ledger, &job, vec![drafted("Buenas")], edit.clone()).await, Ok(JobState::Review));
    for events in [vec![drafted("Adiós")], approved(&draft("Hola")), vec![JobEvent::Skipped(Skip::ByHand)]] {
        let late = decide(&*ledger, &job, events, decision(ReviewAction::Approve, None)).await;
        assert!(matches!(late, Err(ChangeError::Stale { .. })), "{late:?}");
    }
    let edited = all_jobs(&*ledger).await.remove(0);
    assert_eq!(edited.draft.as_deref(), Some(&draft("Buenas")));
    clock.set("2026-11-23T13:00:00Z");
    let approve = decision(ReviewAction::Approve, None);
    let change = Change::decided(edited.id, edited.token, approved(&draft("Buenas")), approve.clone());
    for _ in 0..2 {
        // The answer to the first was lost.
        let answer = ledger.advance([change.clone()].into()).await.unwrap().remove(0).unwrap();
        assert_eq!(answer.state, JobState::Ready);
    }
    let made = ledger.draft_decisions(job.id).await.unwrap();
    let on_record: Vec<_> =
        made.iter().map(|made| (made.at.to_string(), made.token, made.decision.clone())).collect();
    assert_eq!(
        on_record,
        [
            ("2026-11-23T12:00:00Z".to_owned(), job.token, edit),
            ("2026-11-23T13:00:00Z".to_owned(), edited.token, approve)
        ]
    );
    assert!(ledger.draft_decisions(mynah_domain::JobId(99)).await.unwrap().is_empty());
}

pub(crate) async fn what_a_person_wants_of_the_next_translation_goes_with_the_job<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let job = with_draft(&*ledger).await;
    let guidance = Guidance { hint: Some("say “tú”".into()), engine: Some("gemini".into()) };
    let again = decision(ReviewAction::Again, Some("say “tú”"));
    let events = vec![JobEvent::Again(guidance.clone())];
    assert_eq!(decide(&*ledger, &job, events, again).await, Ok(JobState::Queued));
    drop(ledger);

    let ledger = bench.open();
    ledger.recover(&[target("es")]).await.unwrap();
    let queued = line(&*ledger, "es").await.remove(0);
    assert_eq!((queued.post.position, queued.guidance.as_deref()), (1, Some(&guidance)));
    let events = vec![JobEvent::LeasedForTranslation, drafted("Hola tú")];
    change(&*ledger, &queued, queued.token, events).await.unwrap();
    assert_eq!(line(&*ledger, "es").await[0].guidance, None, "it is done");
    assert_eq!(all_jobs(&*ledger).await[0].draft.as_deref(), Some(&draft("Hola tú")));
}

pub(crate) async fn a_skipped_draft_waits_again_after_an_undo<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    let job = with_draft(&*ledger).await;
    let skip = decision(ReviewAction::Skip, None);
    let skipped = decide(&*ledger, &job, vec![JobEvent::Skipped(Skip::ByHand)], skip).await;
    assert_eq!(skipped, Ok(JobState::Skipped));
    let skipped = all_jobs(&*ledger).await.remove(0);
    let before = skipped.before_skip.clone().unwrap().event(skipped.draft.as_deref()).unwrap();
    let restored = vec![JobEvent::Restored { translated: false }, before];
    let restored = Change::new(skipped.id, skipped.token, restored);
    assert_eq!(ledger.advance([restored].into()).await.unwrap()[0].as_ref().unwrap().state, JobState::Review);
    assert_eq!(all_jobs(&*ledger).await[0].draft.as_deref(), Some(&draft("Hola")));
    assert_eq!(positions(&line(&*ledger, "es").await), [1, 2]);
}

pub(crate) async fn a_forgotten_post_has_no_draft_and_no_reasons<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    let job = with_draft(&*ledger).await;
    assert!(ledger.forget(&job.post).await.unwrap().is_err(), "a draft is work");
    let skip = decision(ReviewAction::Skip, Some("it says “Hola”"));
    decide(&*ledger, &job, vec![JobEvent::Skipped(Skip::ByHand)], skip).await.unwrap();
    assert!(ledger.forget(&job.post).await.unwrap().is_ok());
    let forgotten = all_jobs(&*ledger).await.remove(0);
    assert_eq!((forgotten.draft, forgotten.reason), (None, None));
    let made = ledger.draft_decisions(job.id).await.unwrap();
    assert_eq!((made.len(), made[0].decision.note.as_deref()), (1, None));
    assert_eq!(made[0].decision.who.as_deref(), Some("ana"));
}
