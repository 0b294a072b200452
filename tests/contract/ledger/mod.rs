//! The contract of every ledger, by area. An adapter runs it with `ledger_contract!(Bench)`.

pub(crate) mod changes;
pub(crate) mod facts;
pub(crate) mod lines;
pub(crate) mod listing;
pub(crate) mod pages;
pub(crate) mod people;
pub(crate) mod publications;
pub(crate) mod recovery;
pub(crate) mod retention;
pub(crate) mod review;
pub(crate) mod spending;

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use mynah_domain::{
    AccountId, Job, JobEvent, Post, PostId, PostKind, PublicationKey, TargetId, Translation,
    ports::{
        Clock, Ledger,
        ledger::{
            Advanced, Change, ChangeError, Checkpoint, JobFilter, JobLine, Mark, Raw, RecordPage, RecordPost,
        },
    },
};

/// Stores a ledger for a test.
pub(crate) trait Bench {
    /// Whether what it needs is installed.
    fn is_available() -> bool {
        true
    }

    fn new(clock: Arc<TestClock>) -> Self;
    /// Opens the ledger, or reopens it after the previous handle was dropped.
    fn open(&self) -> Box<dyn Ledger>;

    /// Opens it once more beside the previous handle, if several may use it at the same time.
    fn open_beside(&self) -> Option<Box<dyn Ledger>> {
        None
    }
}

/// A clock that moves only when the test moves it.
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(crate) fn at(moment: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(moment.parse().unwrap())))
    }

    pub(crate) fn set(&self, moment: &str) {
        *self.0.lock().unwrap() = moment.parse().unwrap();
    }

    /// Advances the clock by a second.
    pub(crate) fn pass(&self) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(1);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) const SOURCE: &str = "x:town";

pub(crate) fn target(name: &str) -> TargetId {
    TargetId::new("x", name)
}

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::new("x", name)
}

pub(crate) fn post(position: u64) -> Arc<Post> {
    Arc::new(Post {
        id: PostId(position.to_string()),
        position,
        text: format!("Post {position}"),
        entities: None,
        language: Some("en".into()),
        kind: PostKind::Original,
        created_at: Timestamp::UNIX_EPOCH,
        media: vec![],
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: vec![],
    })
}

pub(crate) fn mark(position: u64) -> Mark {
    Mark { id: PostId(position.to_string()), position }
}

/// A complete poll that found these posts, for these targets.
pub(crate) fn page(positions: impl IntoIterator<Item = u64>, targets: &[&str]) -> RecordPage {
    page_of(SOURCE, positions, targets)
}

/// The same for another source.
pub(crate) fn page_of(
    source: &str,
    positions: impl IntoIterator<Item = u64>,
    targets: &[&str],
) -> RecordPage {
    let posts: Vec<RecordPost> = positions
        .into_iter()
        .map(|at| RecordPost {
            post: post(at),
            jobs: targets.iter().map(|name| (target(name), None)).collect(),
            unreadable: None,
        })
        .collect();
    let newest = posts.iter().map(|record| record.post.position).max();
    RecordPage {
        source: source.into(),
        posts,
        checkpoint: Checkpoint { watermark: newest.map(mark), ..Checkpoint::default() },
        settles: None,
    }
}

pub(crate) async fn line(ledger: &dyn Ledger, name: &str) -> Vec<Job> {
    ledger.open_jobs(&target(name), None, 1000).await.unwrap()
}

pub(crate) async fn change(
    ledger: &dyn Ledger,
    job: &Job,
    token: i64,
    events: Vec<JobEvent>,
) -> Result<Advanced, ChangeError> {
    ledger.advance([Change::new(job.id, token, events)].into()).await.unwrap().pop().unwrap()
}

pub(crate) fn translated() -> JobEvent {
    JobEvent::Translated(Translation {
        parts: vec!["Hola".into()],
        engine: "test".into(),
        alts: vec![],
        warning: None,
        card: None,
    })
}

pub(crate) fn begun(part: u32) -> JobEvent {
    begun_on("es", part)
}

pub(crate) fn begun_on(name: &str, part: u32) -> JobEvent {
    let key = PublicationKey::new(Timestamp::UNIX_EPOCH);
    JobEvent::PartBegun { part, account: account(name), text: "Hola".into(), key, reply: None, cost: None }
}

pub(crate) fn sent(part: u32, id: &str) -> JobEvent {
    JobEvent::PartSent { part, remote_id: PostId(id.into()) }
}

/// Moves a new job to the state `publishing`. Returns its token.
pub(crate) async fn to_publishing(ledger: &dyn Ledger, job: &Job) -> i64 {
    let leased = change(ledger, job, job.token, vec![JobEvent::LeasedForTranslation]).await.unwrap();
    change(ledger, job, leased.token, vec![translated()]).await.unwrap();
    change(ledger, job, leased.token, vec![JobEvent::LeasedForPublication]).await.unwrap().token
}

/// A page of posts, each with the versions that it names.
pub(crate) fn edited_page(posts: &[(u64, &[u64])], targets: &[&str]) -> RecordPage {
    let mut edited = page(posts.iter().map(|(position, _)| *position), targets);
    for (record, (_, versions)) in edited.posts.iter_mut().zip(posts) {
        let versions = versions.iter().map(|id| PostId(id.to_string())).collect();
        record.post = Arc::new(Post { versions, ..(*record.post).clone() });
    }
    edited
}

/// A page with one unreadable post.
pub(crate) fn raw_page(position: u64, targets: &[&str]) -> RecordPage {
    let mut raw = page([position], targets);
    let reason = format!("post {position} could not be read");
    raw.posts[0].unreadable = Some(Raw { json: "{\"id\":7}".into(), reason });
    raw
}

pub(crate) fn positions(jobs: &[Job]) -> Vec<u64> {
    jobs.iter().map(|job| job.post.position).collect()
}

pub(crate) async fn all_jobs(ledger: &dyn Ledger) -> Vec<JobLine> {
    ledger.jobs(&JobFilter::default(), None, 100).await.unwrap()
}

pub(crate) async fn retry(ledger: &dyn Ledger, job: &JobLine) {
    let events = vec![JobEvent::Released { translated: false }];
    let released = ledger.advance([Change::new(job.id, job.token, events)].into()).await.unwrap();
    assert!(released[0].is_ok(), "{released:?}");
}

/// Runs the whole suite on one adapter.
#[macro_export]
macro_rules! ledger_contract {
    ($bench:ty) => {
        $crate::ledger_contract!($bench, pages:
            recording_a_page_again_changes_nothing
            records_survive_the_process
            a_skipped_job_is_recorded_but_not_in_its_line
            an_edited_post_has_one_publication_whichever_version_arrives_first
            unrelated_posts_are_all_published
            an_unreadable_post_is_held_with_its_raw_form
            a_post_that_becomes_readable_continues_in_its_place
            a_readable_version_takes_over_from_an_unreadable_one
        );
        $crate::ledger_contract!($bench, lines:
            a_line_is_read_in_bounded_pieces
            equal_positions_at_the_edge_of_a_piece_are_not_lost
            jobs_of_a_backfill_wait_until_it_is_complete
            an_unfinished_backfill_holds_back_no_other_source
            a_timed_hold_stays_in_line_and_a_hold_for_a_person_leaves_it
            lines_of_two_sources_are_independent
            a_job_names_its_source
        );
        $crate::ledger_contract!($bench, changes:
            a_job_passes_through_all_states
            a_stale_lease_changes_nothing
            an_illegal_step_changes_nothing_and_affects_no_other
            a_change_that_contradicts_the_record_is_refused
            a_part_begun_is_not_begun_again_before_its_outcome_is_known
            a_job_is_not_published_before_every_part_of_its_translation_is
            a_job_that_may_be_on_the_account_is_not_skipped
            only_a_job_skipped_on_a_guess_is_released
            only_a_skip_by_a_person_is_undone_and_the_job_is_as_before
            a_translation_that_is_not_published_is_shown_until_there_is_another
            a_repeated_change_is_applied_once
            a_repeated_change_is_recognized_after_a_restart
            only_one_of_two_callers_with_the_same_token_gets_the_lease
            a_repeat_after_other_changes_changes_nothing
        );
        $crate::ledger_contract!($bench, recovery:
            jobs_in_progress_are_recovered_after_a_crash
            jobs_held_by_a_limit_are_checked_again_after_a_start
            waiting_retries_are_due_after_a_start
            only_jobs_of_the_named_targets_are_recovered
        );
        $crate::ledger_contract!($bench, publications:
            parts_are_listed_whatever_state_their_job_is_in
            only_begun_publications_count_against_the_caps
            recorded_messages_are_distinguished_from_others
            an_intent_records_the_newest_message_of_its_account
            the_state_of_a_post_on_a_target_is_known
            a_thread_continues_after_any_version_of_its_parent
            a_publication_is_stored_with_its_key_account_and_parent
            a_threads_next_reply_names_its_root_and_last_message
            targets_that_share_an_account_share_its_caps_and_its_messages
        );
        $crate::ledger_contract!($bench, listing:
            jobs_are_listed_by_filter
            jobs_that_were_held_long_ago_are_counted_by_target
            the_times_of_the_last_posts_are_listed_by_source
            the_latest_publication_is_listed_first
            publications_are_listed_with_their_posts_newest_first
        );
        $crate::ledger_contract!($bench, retention:
            a_forgotten_post_has_no_text_and_everything_else
            a_forgotten_post_is_never_published_again
            a_post_with_work_left_is_not_forgotten
            all_versions_of_a_post_are_forgotten_together
            texts_go_when_their_jobs_were_settled_long_ago
        );
        $crate::ledger_contract!($bench, review:
            a_draft_keeps_its_place_until_it_is_set_aside_and_is_published_after_an_approval
            of_two_decisions_about_one_draft_the_second_is_refused
            what_a_person_wants_of_the_next_translation_goes_with_the_job
            a_skipped_draft_waits_again_after_an_undo
            a_forgotten_post_has_no_draft_and_no_reasons
        );
        $crate::ledger_contract!($bench, spending:
            a_publication_is_charged_with_the_change_that_begins_it
            a_publication_beyond_a_budget_is_refused_and_changes_nothing
            changes_of_one_transaction_share_what_is_left
            a_refused_change_takes_nothing_back
            a_repeated_change_is_charged_once
            a_thread_that_was_begun_can_be_completed
            a_thread_that_is_not_completed_releases_what_it_reserved
            a_part_that_may_be_on_the_account_stays_paid_over_a_crash
            a_part_is_taken_back_on_the_day_it_was_charged
            a_clock_that_is_set_back_gives_nothing_back
            what_is_reserved_is_not_left_until_it_is_settled
            more_than_was_reserved_counts_and_nothing_releases
            charges_are_listed_by_day_payer_and_purpose
            reading_a_page_is_settled_with_the_page
            money_stays_on_record_when_texts_are_removed
            callers_at_the_same_time_do_not_spend_the_same_money
            budgets_of_other_targets_do_not_matter
        );
        $crate::ledger_contract!($bench, people:
            a_user_survives_the_process_and_a_name_is_used_once
            a_user_without_a_token_has_no_sessions_either
            sessions_end_and_their_number_is_bounded
            a_decision_about_a_job_is_recorded_with_the_change
            decisions_are_listed_newest_first_and_removed_by_age
        );
        $crate::ledger_contract!($bench, facts:
            a_fact_survives_the_process_and_replaces_the_previous_one
            a_fact_is_replaced_only_if_it_has_the_expected_value
        );
    };
    ($bench:ty, $area:ident: $($behaviour:ident)*) => {
        mod $area {
            use super::*;

            $(
                #[actix_rt::test]
                async fn $behaviour() {
                    if !<$bench as contract::ledger::Bench>::is_available() {
                        return;
                    }
                    contract::ledger::$area::$behaviour::<$bench>().await;
                }
            )*
        }
    };
}
