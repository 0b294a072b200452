//! A translator with its router, a ledger in memory and an engine that translates all words as the same one.

use std::time::Duration;

use actix::Actor as _;
use mynah_domain::{
    JobState, Media, MediaKind, MediaMissing,
    backoff::Backoff,
    fixtures,
    network::PlainText,
    text::{Hashtags, Masking},
};

use super::*;
use crate::{
    blocks::Blocks,
    events::Feed,
    leases::Holdings,
    pauses::Pauses,
    router::{Route, RouterParts, RouterSettings},
    stats::Meter,
    supervision::Shell,
    testing::{FixedEngine, MemoryLedger, RuntimeClock, es, exit_guard, never_broken, post, queued, ready},
    upstreams::Upstreams,
};

/// Lets a translator for "es" work for a minute on these jobs.
async fn translate(jobs: Vec<Job>, engine: &Rc<FixedEngine>) -> Arc<MemoryLedger> {
    translate_as(Masking::default(), jobs, engine).await
}

/// The same, with this masking.
async fn translate_as(masking: Masking, jobs: Vec<Job>, engine: &Rc<FixedEngine>) -> Arc<MemoryLedger> {
    translate_for(Target { masking, ..fixtures::target() }, jobs, engine).await
}

/// The same, on an account of a network that has warnings.
async fn translate_with_warnings(jobs: Vec<Job>, engine: &Rc<FixedEngine>) -> Arc<MemoryLedger> {
    let network = Arc::new(PlainText { has_warnings: true, ..PlainText::default() });
    translate_for(Target { network, ..fixtures::target() }, jobs, engine).await
}

async fn translate_for(target: Target, jobs: Vec<Job>, engine: &Rc<FixedEngine>) -> Arc<MemoryLedger> {
    let clock = Arc::new(RuntimeClock::new());
    let ledger = Arc::new(MemoryLedger::new(jobs, clock.clone()));
    let backoff = Backoff { base: Duration::from_hours(1), max: Duration::from_hours(1) };
    let upstreams = Upstreams::new(never_broken(backoff), 4);
    let parts = RouterParts {
        settings: RouterSettings {
            queue: 10,
            routes: [es(), TargetId::new("net", "gone")].map(Route::alone).into(),
            order_patience: Duration::from_hours(1000),
            patience: 3,
        },
        ledger: ledger.clone(),
        upstreams: upstreams.clone(),
        pauses: Pauses::new([]),
        holdings: Holdings::default(),
        blocks: Blocks::default(),
        costs: crate::costs::Costs::default(),
        clock: clock.clone(),
        meter: Meter::default(),
        feed: Feed::default(),
    };
    let router = ActorRef::new();
    router.point_at(Router::new(exit_guard("router"), parts).start());
    let media = MediaPolicy::Copy { missing: MediaMissing::Publish };
    let target = Target { id: es(), media, ..target };
    let cascade = EngineCascade {
        cache: None,
        shared: None,
        spender: None,
        upstreams,
        backoff,
        clock,
        meter: Meter::default(),
    };
    let targets = Arc::new(HashMap::from([(es(), target)]));
    let parts = TranslatorParts { router, targets, ledger: ledger.clone(), cascade };
    let engine: Rc<dyn Engine> = engine.clone();
    let _translator = Shell::new(exit_guard("translator"), move |exit_guard| {
        Translator::new(WorkerContext::new(exit_guard), parts.clone(), vec![engine.clone()])
    })
    .start();
    tokio::time::sleep(Duration::from_mins(1)).await;
    ledger
}

/// A job of a post that continues the one before it.
fn in_thread(number: i64, text: &str) -> Job {
    let parent = PostId((number - 1).to_string());
    let post = Post { text: text.into(), kind: PostKind::Thread { parent }, ..post(number) };
    Job { post: Arc::new(post), ..queued(number) }
}

#[actix_rt::test]
async fn a_job_is_translated_with_what_came_before_it_in_its_thread() {
    tokio::time::pause();
    let published = |job: Job| Job { state: JobState::Published, translation: ready(1).translation, ..job };
    let withheld = Post {
        text: "This post is withheld".into(),
        kind: PostKind::Withheld { parent: Some(PostId("1".into())) },
        ..post(2)
    };
    let jobs = vec![
        published(queued(1)),
        published(Job { post: Arc::new(withheld), ..queued(2) }),
        published(in_thread(3, "It is open")),
        in_thread(4, "Hello"),
    ];
    let engine = Rc::new(FixedEngine::new("Hola"));
    let ledger = translate(jobs, &engine).await;
    let translated = ledger.job(4);
    assert_eq!(translated.state, JobState::Ready);
    assert_eq!(translated.translation.unwrap().parts, ["Hola"]);
    assert_eq!(engine.asked(), 1);
    assert_eq!(engine.items()[0].context, ["Hello", "It is open"], "without the network's notice");
}

#[actix_rt::test]
async fn alt_texts_are_translated_beside_the_post_and_those_without_words_stay() {
    tokio::time::pause();
    let medium = |alt: Option<&str>| Media {
        key: "3_1".into(),
        kind: MediaKind::Photo,
        url: None,
        alt: alt.map(str::to_owned),
    };
    let with_media =
        |number, media: Vec<Media>| Job { post: Arc::new(Post { media, ..post(number) }), ..queued(number) };
    let jobs = vec![
        with_media(1, vec![medium(Some("Hello")), medium(None), medium(Some("🎉"))]),
        with_media(2, vec![medium(None)]),
    ];
    let engine = Rc::new(FixedEngine::new("Hola"));
    let ledger = translate(jobs, &engine).await;
    assert_eq!(ledger.job(1).translation.unwrap().alts, ["Hola", "", "🎉"]);
    assert_eq!(ledger.job(2).translation.unwrap().alts, [""; 0]);
    assert_eq!(engine.asked(), 3);
}

#[actix_rt::test]
async fn a_cards_words_are_translated_on_a_network_where_its_publisher_adds_it() {
    tokio::time::pause();
    let card = Card::new("https://a.example", "Hello", "1-0", None);
    let with_card = || Job { post: Arc::new(Post { card: card.clone(), ..post(1) }), ..queued(1) };
    let network = Arc::new(PlainText { has_cards: true, ..PlainText::default() });
    let target = Target { network, ..fixtures::target() };
    let engine = Rc::new(FixedEngine::new("Hola"));
    let ledger = translate_for(target.clone(), vec![with_card()], &engine).await;
    let words = CardWords { title: "Hola".into(), description: "1-0".into() };
    assert_eq!(ledger.job(1).translation.unwrap().card, Some(Box::new(words)));
    for target in [Target { link_card: false, ..target }, fixtures::target()] {
        let engine = Rc::new(FixedEngine::new("Hola"));
        let ledger = translate_for(target, vec![with_card()], &engine).await;
        assert_eq!((ledger.job(1).translation.unwrap().card, engine.asked()), (None, 1));
    }
}

fn warned(number: i64, warning: &str) -> Job {
    Job { post: Arc::new(Post { warning: Some(warning.into()), ..post(number) }), ..queued(number) }
}

#[actix_rt::test]
async fn a_warning_is_translated_beside_the_post_on_a_network_that_has_warnings() {
    tokio::time::pause();
    let engine = Rc::new(FixedEngine::new("Hola"));
    let ledger =
        translate_with_warnings(vec![warned(1, "Spoilers"), warned(2, "🐍"), queued(3)], &engine).await;
    let translation = |id| ledger.job(id).translation.unwrap();
    assert_eq!(
        (translation(1).warning.as_deref(), translation(1).parts.as_slice()),
        (Some("Hola"), &["Hola".to_owned()][..])
    );
    assert_eq!(translation(2).warning.as_deref(), Some("🐍"), "without words it stays");
    assert_eq!(translation(3).warning, None);
    assert!(engine.items().iter().all(|item| !format!("{item:?}").contains("\n\n")), "{:?}", engine.items());
}

#[actix_rt::test]
async fn a_warning_whose_translation_has_no_room_stays_in_its_authors_words() {
    tokio::time::pause();
    let long = "Destripes de la trama de la película";
    let ledger = translate_with_warnings(vec![warned(1, "Spoilers")], &Rc::new(FixedEngine::new(long))).await;
    assert_eq!(ledger.job(1).translation.unwrap().warning.as_deref(), Some("Spoilers"));
}

#[actix_rt::test]
async fn a_warning_is_translated_with_the_post_on_a_network_that_has_none() {
    tokio::time::pause();
    let engine = Rc::new(FixedEngine::new("Hola"));
    let ledger = translate(vec![warned(1, "Spoilers")], &engine).await;
    assert_eq!(ledger.job(1).translation.unwrap().warning, None);
    assert_eq!(engine.asked(), 1);
    assert!(format!("{:?}", engine.items()).contains("Spoilers"));
}

#[actix_rt::test]
async fn a_job_for_a_target_that_was_removed_fails_and_the_others_are_translated() {
    tokio::time::pause();
    let gone = Job { target: TargetId::new("net", "gone"), ..queued(1) };
    let ledger = translate(vec![gone, queued(2)], &Rc::new(FixedEngine::new("Hola"))).await;
    assert_eq!(ledger.states(), [JobState::Failed, JobState::Ready]);
}

#[actix_rt::test]
async fn a_translation_that_does_not_pass_the_gate_is_held() {
    tokio::time::pause();
    let text = "The market opens at noon on the square";
    let job = Job { post: Arc::new(Post { text: text.into(), ..post(1) }), ..queued(1) };
    let ledger = translate(vec![job], &Rc::new(FixedEngine::new(text))).await;
    assert_eq!(ledger.states(), [JobState::Held]);
}

#[actix_rt::test]
async fn the_words_of_a_hashtag_are_translated_only_if_its_target_wants_that() {
    tokio::time::pause();
    for (hashtags, translated, asked) in
        [(Hashtags::Translate, "Hola #Hola", 2), (Hashtags::default(), "Hola #Town", 1)]
    {
        let greeting = Job { post: Arc::new(Post { text: "Hello #Town".into(), ..post(1) }), ..queued(1) };
        let engine = Rc::new(FixedEngine::new("Hola "));
        let masking = Masking { hashtags, ..Masking::default() };
        let ledger = translate_as(masking, vec![greeting], &engine).await;
        assert_eq!(ledger.job(1).translation.unwrap().parts, [translated]);
        assert_eq!(engine.asked(), asked);
    }
}
