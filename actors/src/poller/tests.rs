//! The poller between a scripted source and a ledger in memory.

mod catching_up;

use std::{cell::RefCell, collections::BTreeSet};

use actix::Actor as _;
use mynah_domain::{
    PostKind,
    breaker::{BreakerPolicy, CallOutcome},
    ports::{Live, Lookup, News, Page, Unreadable},
};

use super::{reread::LOOKUP_TRIES, *};
use crate::{
    blocks::Blocks,
    events::Feed,
    pipeline::by_name,
    router::{Route, RouterParts, RouterSettings},
    testing::{MemoryLedger, exit_guard},
};

const QUICK: Backoff = Backoff { base: Duration::from_micros(100), max: Duration::from_micros(200) };

type Pages = Box<dyn Fn(&PageRequest, usize) -> Result<Page, SourceError>>;
type Lookups = Box<dyn Fn(&PostId, usize) -> Result<Lookup, SourceError>>;

/// A source whose answers come from two functions; each gets the number of the call, counted from 1.
pub(super) struct Fake {
    pages: Pages,
    lookups: Lookups,
    pub(super) asked: RefCell<Vec<PageRequest>>,
    looked_up: Cell<usize>,
    live: Option<Rc<Wire>>,
}

impl Fake {
    pub(super) fn new(pages: impl Fn(&PageRequest, usize) -> Result<Page, SourceError> + 'static) -> Self {
        let lookups: Lookups = Box::new(|id, _| panic!("unexpected lookup of {id}"));
        Self {
            pages: Box::new(pages),
            lookups,
            asked: RefCell::default(),
            looked_up: Cell::new(0),
            live: None,
        }
    }

    fn looking_up(
        self,
        lookups: impl Fn(&PostId, usize) -> Result<Lookup, SourceError> + 'static,
    ) -> Rc<Self> {
        Rc::new(Self { lookups: Box::new(lookups), ..self })
    }

    pub(super) fn reads(&self) -> usize {
        self.asked.borrow().len()
    }
}

#[async_trait(?Send)]
impl Source for Fake {
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        self.asked.borrow_mut().push(request.clone());
        (self.pages)(request, self.reads())
    }

    async fn by_id(&self, id: &PostId) -> Result<Lookup, SourceError> {
        self.looked_up.set(self.looked_up.get() + 1);
        (self.lookups)(id, self.looked_up.get())
    }

    fn position(&self, id: &PostId) -> Option<u64> {
        id.0.parse().ok()
    }

    fn network(&self) -> &'static str {
        "net"
    }

    fn live(&self) -> Option<Rc<dyn Live>> {
        self.live.clone().map(|wire| wire as Rc<dyn Live>)
    }
}

/// A connection that tells what the test tells it, until the test cuts it.
#[derive(Default)]
struct Wire {
    connections: Cell<usize>,
    /// `false` cuts the connection.
    news: RefCell<Option<mpsc::UnboundedSender<bool>>>,
}

struct End(mpsc::UnboundedReceiver<bool>);

impl Wire {
    fn send(&self, is_news: bool) {
        self.news.borrow().as_ref().unwrap().send(is_news).unwrap();
    }
}

#[async_trait(?Send)]
impl Live for Wire {
    async fn connect(&self) -> Result<Box<dyn News>, SourceError> {
        let (news, end) = mpsc::unbounded_channel();
        self.connections.set(self.connections.get() + 1);
        self.news.replace(Some(news));
        Ok(Box::new(End(end)))
    }
}

#[async_trait(?Send)]
impl News for End {
    async fn next(&mut self) -> Result<(), SourceError> {
        self.0.recv().await.filter(|is_news| *is_news).map(drop).ok_or_else(unavailable)
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-26T12:00:00Z".parse().unwrap()
    }
}

fn post(id: u64) -> Post {
    Post {
        id: PostId(id.to_string()),
        position: id,
        text: format!("Message {id} from the town hall"),
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
    }
}

fn posts(ids: impl IntoIterator<Item = u64>) -> Vec<Post> {
    ids.into_iter().map(post).collect()
}

fn unreadable(id: u64) -> Unreadable {
    let mark = Some((PostId(id.to_string()), id));
    Unreadable { mark, reason: "text is null".into(), raw: format!("{{\"id\":\"{id}\"}}") }
}

pub(super) fn page(ids: impl IntoIterator<Item = u64>, token: Option<&str>) -> Page {
    Page { posts: posts(ids), continuation: token.map(Into::into), ..Page::default() }
}

pub(super) fn unavailable() -> SourceError {
    SourceError::Unavailable("503".into())
}

fn es() -> TargetId {
    TargetId::new("net", "town_es")
}

fn target() -> Target {
    Target {
        id: es(),
        language: "es".parse().unwrap(),
        account: "town_es".into(),
        style: mynah_domain::Style::default(),
        masking: mynah_domain::text::Masking::default(),
        filters: mynah_domain::filters::Filters::default(),
        media: mynah_domain::MediaPolicy::None,
        too_long: mynah_domain::TooLong::Thread,
        wordless: mynah_domain::Wordless::Copy,
        review: mynah_domain::review::ReviewPolicy::Never,
        link_card: true,
        engines: mynah_domain::EngineOrder::All,
        schedule: mynah_domain::schedule::Schedule::default(),
        source: mynah_domain::fixtures::source(),
        network: mynah_domain::fixtures::rules(),
    }
}

/// A poller with its ledger.
pub(super) struct Bench {
    pub(super) ledger: Arc<MemoryLedger>,
    pub(super) parts: PollerParts,
}

impl Bench {
    pub(super) fn new(start: Start) -> Self {
        let ledger = Arc::new(MemoryLedger::empty());
        let policy = BreakerPolicy { failures: 1000, pause: QUICK, trial: Duration::from_mins(1) };
        let upstreams = Upstreams::new(policy, 1);
        let router = ActorRef::new();
        let parts = PollerParts {
            source: "net:town".into(),
            company: Company::Alone,
            eligibility: Eligibility::default(),
            start,
            schedule: Schedule::Once,
            page_size: 5,
            targets: by_name([target()]),
            order: vec![es()],
            router: router.clone(),
            ledger: ledger.clone(),
            backoff: QUICK,
            patience: 10,
            pauses: Pauses::new([]),
            upstreams: upstreams.clone(),
            purse: None,
            prices: CallPrices::default(),
            clock: Arc::new(Noon),
            meter: Meter::default(),
            polls: None,
        };
        let router_parts = RouterParts {
            settings: RouterSettings {
                queue: 10,
                routes: vec![Route::alone(es())],
                order_patience: Duration::from_hours(1),
                patience: 3,
            },
            ledger: ledger.clone(),
            upstreams,
            pauses: parts.pauses.clone(),
            holdings: crate::leases::Holdings::default(),
            blocks: Blocks::default(),
            costs: crate::costs::Costs::default(),
            clock: Arc::new(Noon),
            meter: Meter::default(),
            feed: Feed::default(),
        };
        router.point_at(Router::new(exit_guard("router"), router_parts).start());
        Self { ledger, parts }
    }

    fn poller(&self, source: Rc<Fake>) -> Poller {
        Poller::new(WorkerContext::new(&exit_guard("poller")), self.parts.clone(), source)
    }

    /// Polls until one poll succeeds, as `mynah once` does; returns the number of steps.
    pub(super) async fn poll(&self, source: &Rc<Fake>) -> usize {
        let mut poller = self.poller(source.clone());
        for steps in 1..100 {
            match poller.step(&Stop::default()).await {
                Step::Finished => return steps,
                Step::Idle => {}
                other => panic!("{other:?}"),
            }
        }
        panic!("the poll never ended");
    }
}

/// One page with posts 9 and 7 readable and 8 unreadable.
fn with_an_unreadable_post(
    lookups: impl Fn(&PostId, usize) -> Result<Lookup, SourceError> + 'static,
) -> Rc<Fake> {
    let odd = |_: &PageRequest, _| Ok(Page { unreadable: vec![unreadable(8)], ..page([9, 7], None) });
    Fake::new(odd).looking_up(lookups)
}

#[actix_rt::test]
async fn an_unreadable_post_is_read_by_its_id() {
    let bench = Bench::new(Start::Beginning);
    let source = with_an_unreadable_post(|_, _| Ok(Lookup::Post(Box::new(post(8)))));
    bench.poll(&source).await;
    assert_eq!(bench.ledger.numbers(), [7, 8, 9].into());
    assert_eq!(bench.ledger.raw("8"), None);
    assert_eq!((bench.ledger.watermark(), source.looked_up.get()), (Some(9), 1));
}

#[actix_rt::test]
async fn a_post_that_stays_unreadable_becomes_a_held_job_with_its_raw_form() {
    let again = || Unreadable { reason: "text is a number".into(), ..unreadable(8) };
    let answers: [(&str, Result<Lookup, SourceError>); 5] = [
        ("text is a number", Ok(Lookup::Unreadable(again()))),
        ("returned post 5", Ok(Lookup::Post(Box::new(post(5))))),
        ("400", Err(SourceError::Refused("400".into()))),
        ("401", Err(SourceError::Unauthorized("401".into()))),
        ("403", Err(SourceError::Account("403".into()))),
    ];
    for (why, answer) in answers {
        let bench = Bench::new(Start::Beginning);
        let source = with_an_unreadable_post(move |_, _| answer.clone());
        assert_eq!(bench.poll(&source).await, 1, "{why}: the other posts must not wait for it");
        let held = bench.ledger.record_of("8").unwrap_or_else(|| panic!("{why}: the post is lost"));
        assert_eq!(held.jobs, [(es(), None)]);
        let raw = held.unreadable.unwrap();
        assert_eq!(raw.json, r#"{"id":"8"}"#);
        assert!(raw.reason.contains("post 8") && raw.reason.contains(why), "{}", raw.reason);
        assert_eq!(bench.ledger.numbers(), [7, 8, 9].into(), "{why}");
        assert_eq!(bench.ledger.watermark(), Some(9), "{why}");
    }
}

#[actix_rt::test]
async fn the_watermark_stays_below_an_unreadable_post_until_the_source_answers_for_it() {
    let soon = |until: &str| SourceError::RateLimited { reason: "429".into(), until: until.parse().ok() };
    for error in [unavailable(), soon("never"), soon("2026-11-26T11:00:00Z"), soon("2100-01-01T00:00:00Z")] {
        let bench = Bench::new(Start::Beginning);
        let answer = error.clone();
        let source = with_an_unreadable_post(move |_, call| match call {
            1 | 2 => Err(answer.clone()),
            _ => Ok(Lookup::Post(Box::new(post(8)))),
        });
        let mut poller = bench.poller(source.clone());
        for step in 1..=2 {
            assert_eq!(poller.step(&Stop::default()).await, Step::Idle, "{error:?}, step {step}");
            assert_eq!((bench.ledger.watermark(), bench.ledger.ids().len()), (None, 0), "{error:?}");
        }
        assert_eq!(poller.step(&Stop::default()).await, Step::Finished, "{error:?}");
        assert_eq!((bench.ledger.numbers(), bench.ledger.raw("8")), ([7, 8, 9].into(), None), "{error:?}");
    }
}

#[actix_rt::test]
async fn a_flaky_source_is_asked_for_each_unreadable_post_until_it_answers_and_then_no_more() {
    let bench = Bench::new(Start::Beginning);
    let many = |_: &PageRequest, _| {
        Ok(Page { unreadable: (10..30).rev().map(unreadable).collect(), ..page([9], None) })
    };
    let answers: Rc<RefCell<Vec<PostId>>> = Rc::default();
    let answered = answers.clone();
    let source = Fake::new(many).looking_up(move |id, call| {
        if call % 3 == 0 {
            return Err(unavailable());
        }
        answered.borrow_mut().push(id.clone());
        Ok(Lookup::Post(Box::new(post(id.0.parse().unwrap()))))
    });
    bench.poll(&source).await;
    assert_eq!(bench.ledger.numbers(), (9..30).collect());
    let held: Vec<u64> = (10..30).filter(|id| bench.ledger.raw(&id.to_string()).is_some()).collect();
    assert!(held.is_empty(), "{held:?}");
    let asked_twice = answers.borrow().len() - answers.borrow().iter().collect::<BTreeSet<_>>().len();
    assert_eq!(asked_twice, 0, "each answer costs money");
}

#[actix_rt::test]
async fn a_post_that_the_source_never_answers_for_delays_the_others_by_a_few_polls_only() {
    let bench = Bench::new(Start::Beginning);
    let source = with_an_unreadable_post(|_, _| Err(unavailable()));
    assert_eq!(bench.poll(&source).await, LOOKUP_TRIES as usize + 1);
    assert_eq!(bench.ledger.numbers(), [7, 8, 9].into());
    assert!(bench.ledger.raw("8").is_some());
    assert_eq!(source.looked_up.get(), LOOKUP_TRIES as usize);
}

#[actix_rt::test]
async fn a_post_that_was_deleted_before_it_could_be_read_is_not_recorded() {
    let bench = Bench::new(Start::Beginning);
    let source = with_an_unreadable_post(|_, _| Ok(Lookup::Gone("not found".into())));
    bench.poll(&source).await;
    assert_eq!((bench.ledger.numbers(), bench.ledger.watermark()), ([7, 9].into(), Some(9)));
}

#[actix_rt::test]
async fn no_post_is_lost_wherever_the_unreadable_ones_are() {
    for odd in [&[1][..], &[5], &[1, 5], &[2, 3], &[1, 2, 3, 4, 5], &[3]] {
        let bench = Bench::new(Start::Beginning);
        let shown = odd.to_vec();
        let pages = move |_: &PageRequest, _| {
            let read = (1..=5).rev().filter(|id| !shown.contains(id));
            let raw = shown.iter().rev().map(|id| unreadable(*id)).collect();
            Ok(Page { unreadable: raw, ..page(read, None) })
        };
        let source =
            Fake::new(pages).looking_up(|id, _| Ok(Lookup::Unreadable(unreadable(id.0.parse().unwrap()))));
        bench.poll(&source).await;
        assert_eq!(bench.ledger.numbers(), (1..=5).collect(), "{odd:?}");
        assert_eq!(bench.ledger.watermark(), Some(5), "{odd:?}");
        bench.poll(&source).await;
        assert_eq!(source.looked_up.get(), odd.len(), "{odd:?}: held posts are not asked for again");
    }
}

#[actix_rt::test]
async fn a_post_without_an_id_is_held_only_once() {
    let bench = Bench::new(Start::Beginning);
    let nameless = |raw: &str| Unreadable { mark: None, reason: "no id".into(), raw: raw.into() };
    let raws = [r"{}", "null", "[]", r#"{"id":7}"#, "\"\""];
    let source = Fake::new(move |_, _| Ok(Page { unreadable: raws.map(nameless).into(), ..page([9], None) }));
    let source = Rc::new(source);
    bench.poll(&source).await;
    bench.poll(&source).await;
    let stored: BTreeSet<String> =
        bench.ledger.ids().iter().filter_map(|id| bench.ledger.raw(&id.0)).collect();
    assert_eq!(stored, raws.map(String::from).into());
    assert_eq!(bench.ledger.ids().len(), raws.len() + 1);
}

#[actix_rt::test]
async fn a_source_that_returns_only_unreadable_posts_is_not_asked_for_each_of_them() {
    let bench = Bench::new(Start::Beginning);
    let pages = |request: &PageRequest, _| {
        let last: u64 = request.continuation.as_ref().map_or(401, |token| token.parse().unwrap());
        let raw = (last - 100..last).rev().map(unreadable).collect();
        let continuation = (last > 101).then(|| (last - 100).to_string());
        Ok(Page { unreadable: raw, continuation, ..Page::default() })
    };
    let source =
        Fake::new(pages).looking_up(|id, _| Ok(Lookup::Unreadable(unreadable(id.0.parse().unwrap()))));
    bench.poll(&source).await;
    assert_eq!(bench.ledger.numbers(), (1..=400).collect());
    assert_eq!(source.looked_up.get(), MOST_LOOKUPS);
}

#[actix_rt::test]
async fn a_retried_post_is_read_again_with_the_next_poll() {
    let answers: [(bool, Result<Lookup, SourceError>); 5] = [
        (true, Ok(Lookup::Post(Box::new(post(8))))),
        (false, Ok(Lookup::Unreadable(unreadable(8)))),
        (false, Ok(Lookup::Gone("not found".into()))),
        (false, Err(unavailable())),
        (false, Err(SourceError::Refused("400".into()))),
    ];
    for (is_read, answer) in answers {
        let bench = Bench::new(Start::Beginning);
        let source = with_an_unreadable_post(move |_, call| match call {
            1 => Ok(Lookup::Unreadable(unreadable(8))),
            _ => answer.clone(),
        });
        bench.poll(&source).await;
        bench.ledger.retry_unreadable(&["8"]);
        bench.poll(&source).await;
        assert_eq!(source.looked_up.get(), 2);
        assert_eq!(bench.ledger.raw("8").is_none(), is_read);
        assert_eq!((bench.ledger.numbers(), bench.ledger.watermark()), ([7, 8, 9].into(), Some(9)));
    }
}

#[actix_rt::test]
async fn a_retried_post_is_read_again_if_its_id_tells_no_position() {
    let bench = Bench::new(Start::Beginning);
    let id = || PostId("eight".into());
    let odd = move || Unreadable { mark: Some((id(), 8)), ..unreadable(8) };
    let pages = move |_: &PageRequest, _| Ok(Page { unreadable: vec![odd()], ..page([9, 7], None) });
    let source = Fake::new(pages).looking_up(move |_, call| match call {
        1 => Ok(Lookup::Unreadable(odd())),
        _ => Ok(Lookup::Post(Box::new(Post { id: id(), ..post(8) }))),
    });
    bench.poll(&source).await;
    assert!(bench.ledger.raw("eight").is_some());
    bench.ledger.retry_unreadable(&["eight"]);
    bench.poll(&source).await;
    assert_eq!((source.looked_up.get(), bench.ledger.raw("eight")), (2, None));
}

#[actix_rt::test]
async fn the_newest_version_on_a_page_is_recorded_first_whatever_the_order() {
    for order in [[2, 1, 3], [1, 2, 3], [3, 2, 1], [3, 1, 2], [2, 3, 1]] {
        let bench = Bench::new(Start::Beginning);
        bench.poll(&Rc::new(Fake::new(move |_, _| Ok(page(order, None))))).await;
        let first = bench.ledger.first_post().unwrap().position;
        assert_eq!(first, 3, "{order:?}");
    }
}

#[actix_rt::test]
async fn an_edit_of_a_post_from_before_the_start_is_not_published() {
    let ids = |ids: &[u64]| ids.iter().map(|id| PostId(id.to_string())).collect::<Vec<_>>();
    for (start, versions, skip) in [
        (Start::Now, &[10, 12][..], Some(Skip::Edited)),
        (Start::Now, &[9, 11, 12], Some(Skip::Edited)),
        (Start::Now, &[11, 12], None),
        (Start::Now, &[], None),
        (Start::After(mark(10)), &[10, 12], Some(Skip::Edited)),
        (Start::After(mark(10)), &[11, 12], None),
        (Start::Beginning, &[10, 12], None),
    ] {
        let bench = Bench::new(start.clone());
        if start == Start::Now {
            bench.poll(&Rc::new(Fake::new(|_, _| Ok(page([10, 9], None))))).await;
            assert_eq!(bench.ledger.last_checkpoint().unwrap_or_default().start, Some(mark(10)));
        }
        let edited = Post { versions: ids(versions), ..post(12) };
        let pages = move |_: &PageRequest, _| Ok(Page { posts: vec![edited.clone()], ..Page::default() });
        bench.poll(&Rc::new(Fake::new(pages))).await;
        assert_eq!(bench.ledger.record_of("12").unwrap().jobs, [(es(), skip)], "{start:?} {versions:?}");
    }
}

#[actix_rt::test]
async fn an_edited_post_takes_the_position_of_its_first_version() {
    let ids = |ids: &[u64]| ids.iter().map(|id| PostId(id.to_string())).collect::<Vec<_>>();
    for (start, versions, position) in [
        // A reply in its own thread follows it, with a lower id than the edit.
        (Start::Beginning, &[10, 14][..], 10),
        (Start::Beginning, &[10, 12, 14], 10),
        (Start::Beginning, &[14, 10], 10),
        (Start::Beginning, &[14], 14),
        (Start::Beginning, &[], 14),
        (Start::Beginning, &[14, 20], 14),
        // Positions at or below the watermark may have been read already.
        (Start::After(mark(11)), &[10, 14], 12),
        (Start::After(mark(11)), &[12, 14], 12),
        (Start::After(mark(13)), &[10, 14], 14),
    ] {
        let bench = Bench::new(start.clone());
        let edited = Post { versions: ids(versions), ..post(14) };
        let pages = move |_: &PageRequest, _| Ok(Page { posts: vec![edited.clone()], ..Page::default() });
        bench.poll(&Rc::new(Fake::new(pages))).await;
        assert_eq!(bench.ledger.record_of("14").unwrap().post.position, position, "{start:?} {versions:?}");
        assert_eq!(bench.ledger.watermark(), Some(14), "{start:?} {versions:?}");
    }
}

fn mark(id: u64) -> Mark {
    Mark { id: PostId(id.to_string()), position: id }
}

/// A timeline in pages of two posts, which a test can distort.
fn two_of(ids: &[u64], request: &PageRequest, token: Option<String>) -> Page {
    let number = |id: &Option<PostId>| id.as_ref().map(|id| id.0.parse::<u64>().unwrap());
    let (after, before) = (number(&request.after).unwrap_or(0), number(&request.before).unwrap_or(u64::MAX));
    let mut shown = ids.iter().copied().filter(|id| *id > after && *id < before).collect::<Vec<_>>();
    shown.sort_unstable_by(|a, b| b.cmp(a));
    let more = shown.len() > 2;
    Page { posts: posts(shown.into_iter().take(2)), continuation: token.filter(|_| more), ..Page::default() }
}

/// How a hostile source answers, whether its whole timeline must still be recorded, and the most reads.
struct Hostile {
    name: &'static str,
    pages: Pages,
    whole: bool,
    most: usize,
}

const ALL: [u64; 5] = [1, 2, 3, 4, 5];

fn hostile_sources() -> Vec<Hostile> {
    fn source(
        name: &'static str,
        whole: bool,
        most: usize,
        pages: impl Fn(&PageRequest, usize) -> Result<Page, SourceError> + 'static,
    ) -> Hostile {
        Hostile { name, pages: Box::new(pages), whole, most }
    }
    let endless = MOST_BARREN as usize + 1;
    vec![
        source("the same token forever", true, 6, |request, _| {
            Ok(two_of(&ALL, request, Some("same".into())))
        }),
        source("the same token on pages without posts", true, 3, |_, _| Ok(page([], Some("same")))),
        source("the same token on the last page as well", true, 9, |request, _| {
            Ok(Page { continuation: Some("same".into()), ..two_of(&ALL, request, None) })
        }),
        source("two alternating tokens", true, 9, |request, call| {
            Ok(two_of(&ALL, request, Some((call % 2).to_string())))
        }),
        source("new tokens and no post", false, endless, |_, call| Ok(page([], Some(&call.to_string())))),
        source("new tokens and the same posts", false, endless + 1, |_, call| {
            Ok(page([5, 4], Some(&call.to_string())))
        }),
        source("pages in the wrong order", true, 3, |_, call| {
            Ok(match call {
                1 => page([1, 2], Some("a")),
                2 => page([5, 4], Some("b")),
                _ => page([3], None),
            })
        }),
        source("a refusal of every token", true, 9, |request, call| match &request.continuation {
            Some(_) => Err(SourceError::Refused("400: pagination_token".into())),
            None => Ok(two_of(&ALL, request, Some(call.to_string()))),
        }),
        source("a refusal of every token, and no post", true, 2, |request, call| {
            match &request.continuation {
                Some(_) => Err(SourceError::Refused("400: pagination_token".into())),
                None => Ok(page([], Some(&call.to_string()))),
            }
        }),
        source("a long run of pages without posts", true, 30, |_, call| {
            Ok(match call {
                1 => page([5, 4], Some("1")),
                29 => page([3, 2, 1], None),
                _ => page([], Some(&call.to_string())),
            })
        }),
    ]
}

#[actix_rt::test]
async fn a_backfill_ends_after_bounded_reads_and_keeps_every_post_it_saw() {
    for Hostile { name, pages, whole, most } in hostile_sources() {
        let bench = Bench::new(Start::Beginning);
        let shown = Rc::new(RefCell::new(BTreeSet::new()));
        let seen = shown.clone();
        let source = Rc::new(Fake::new(move |request, call| {
            let page = pages(request, call)?;
            seen.borrow_mut().extend(page.posts.iter().map(|post| post.position));
            Ok(page)
        }));
        bench.poll(&source).await;
        assert!(source.reads() <= most, "{name}: {} reads", source.reads());
        assert_eq!(bench.ledger.numbers(), *shown.borrow(), "{name}");
        assert_eq!(
            bench.ledger.last_checkpoint().unwrap_or_default().backfill,
            None,
            "{name}: its jobs would wait forever"
        );
        assert_eq!(bench.ledger.watermark(), shown.borrow().last().copied(), "{name}");
        if whole && !shown.borrow().is_empty() {
            assert_eq!(bench.ledger.numbers(), ALL.into(), "{name}");
        }
    }
}

#[actix_rt::test]
async fn after_a_truncated_backfill_polls_read_few_pages_until_one_reaches_the_end() {
    let bench = Bench::new(Start::Beginning);
    let few = FEW_BARREN as usize + 1;
    let endless = |call: usize| Some(call.to_string()).filter(|_| call != 60);
    let source = Rc::new(Fake::new(move |_, call| Ok(page([], endless(call).as_deref()))));
    let mut poller = bench.poller(source.clone());
    let mut reads = Vec::new();
    for _ in 0..10 {
        let before = source.reads();
        assert_eq!(poller.step(&Stop::default()).await, Step::Finished);
        reads.push(source.reads() - before);
    }
    let most = MOST_BARREN as usize + 1;
    assert_eq!(reads, [most, few, few, few, few, few, few, 2, most, few], "read 60 is the end of a backfill");
}

#[actix_rt::test]
async fn a_refusal_of_a_page_without_a_token_fails_the_poll() {
    let bench = Bench::new(Start::Beginning);
    let source = Rc::new(Fake::new(|_, _| Err(SourceError::Refused("400: max_results".into()))));
    bench.poll(&source).await;
    assert_eq!(
        (source.reads(), bench.ledger.last_checkpoint().unwrap_or_default()),
        (1, Checkpoint::default())
    );
}

#[actix_rt::test]
async fn the_start_looks_past_pages_without_posts() {
    let ends = |call: usize, last: usize| (call < last).then(|| call.to_string());
    for (empty, newest) in [(0, Some(5)), (1, Some(5)), (4, Some(5)), (20, Some(5)), (3, None)] {
        let bench = Bench::new(Start::Now);
        let pages = move |_: &PageRequest, call| {
            let shown = newest.filter(|_| call == empty + 1);
            Ok(page(shown, ends(call, empty + 1).as_deref()))
        };
        bench.poll(&Rc::new(Fake::new(pages))).await;
        assert_eq!(bench.ledger.watermark(), newest, "after {empty} pages");
    }
}

#[actix_rt::test]
async fn a_start_whose_newest_post_is_unknown_is_retried_and_does_not_begin_with_the_first_post() {
    let refused = |request: &PageRequest, _| match &request.continuation {
        Some(_) => Err(SourceError::Refused("400: pagination_token".into())),
        None => Ok(page([], Some("a"))),
    };
    let sources: [(usize, Pages); 4] = [
        (MOST_BARREN as usize + 1, Box::new(|_, call| Ok(page([], Some(&call.to_string()))))),
        (2, Box::new(|_, _| Ok(page([], Some("same"))))),
        (3, Box::new(|_, call| Ok(page([], Some(&(call % 2).to_string()))))),
        (2, Box::new(refused)),
    ];
    for (most, pages) in sources {
        let bench = Bench::new(Start::Now);
        let source = Rc::new(Fake::new(pages));
        let mut poller = bench.poller(source.clone());
        assert_eq!(poller.step(&Stop::default()).await, Step::Idle);
        assert!(bench.ledger.last_checkpoint().is_none());
        assert_eq!(source.reads(), most);
    }
}

#[actix_rt::test]
async fn an_empty_answer_at_the_start_does_not_lead_to_a_read_of_the_whole_timeline() {
    let bench = Bench::new(Start::Now);
    let source = Rc::new(Fake::new(|_, call| Ok(if call == 1 { Page::default() } else { page([5], None) })));
    bench.poll(&source).await;
    bench.poll(&source).await;
    let from: Vec<Option<Timestamp>> = source.asked.borrow().iter().map(|request| request.from).collect();
    assert_eq!(from, [None, Some("2026-11-26T11:55:00Z".parse().unwrap())]);
    assert_eq!(bench.ledger.watermark(), Some(5));
}

#[actix_rt::test]
async fn only_refusals_in_a_row_from_the_start_end_the_poller() {
    let refused = || Err(SourceError::Refused("401".into()));
    for (refusals, fatal) in [(1, false), (2, false), (3, true)] {
        let bench = Bench::new(Start::Beginning);
        let parts = PollerParts { schedule: Schedule::Every(Duration::ZERO), ..bench.parts.clone() };
        let source =
            Rc::new(Fake::new(move |_, call| if call <= refusals { refused() } else { Ok(page([5], None)) }));
        let mut poller = Poller::new(WorkerContext::new(&exit_guard("poller")), parts, source);
        let mut last = Step::Idle;
        for _ in 0..3 {
            last = poller.step(&Stop::default()).await;
        }
        assert_eq!(matches!(last, Step::Fatal(_)), fatal, "{refusals}: {last:?}");
    }
}

#[actix_rt::test]
async fn a_rate_limit_pauses_polls_for_at_least_the_backoff_and_at_most_a_day() {
    let bench = Bench::new(Start::Beginning);
    let backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(5) };
    let parts = PollerParts { backoff, ..bench.parts.clone() };
    let every = Schedule::Every(Duration::from_secs(1));
    for (until, least, most) in [
        (None, 16, 32),
        (Some("2026-11-26T11:00:00Z"), 16, 32),
        (Some("2026-11-26T12:00:00Z"), 16, 32),
        (Some("2026-11-26T12:00:01Z"), 16, 32),
        (Some("2026-11-26T12:15:00Z"), 900, 900),
        (Some("2100-01-01T00:00:00Z"), 86_400, 86_400),
        (Some("9999-12-30T00:00:00Z"), 86_400, 86_400),
        (Some("-000001-01-01T00:00:00Z"), 16, 32),
    ] {
        let limited = SourceError::RateLimited {
            reason: "429".into(),
            until: until.map(|until| until.parse().unwrap()),
        };
        let mut poller = Poller::new(
            WorkerContext::new(&exit_guard("poller")),
            parts.clone(),
            Rc::new(Fake::new(|_, _| Ok(Page::default()))),
        );
        let waits: Vec<u64> = (0..6).map(|_| poller.pause_after(&limited, every).as_secs()).collect();
        assert!((least..=most).contains(&waits[5]), "{until:?}: {waits:?}");
    }
}

#[actix_rt::test]
async fn consecutive_rate_limits_lengthen_the_wait() {
    let bench = Bench::new(Start::Beginning);
    let past = SourceError::RateLimited { reason: "429".into(), until: Some(Timestamp::UNIX_EPOCH) };
    let source = Rc::new(Fake::new(move |_, _| Err(past.clone())));
    let parts = PollerParts { schedule: Schedule::Every(Duration::ZERO), ..bench.parts.clone() };
    let mut poller = Poller::new(WorkerContext::new(&exit_guard("poller")), parts, source.clone());
    for failed in 1..=5 {
        assert_eq!(poller.step(&Stop::default()).await, Step::Idle);
        assert_eq!((poller.failures, source.reads()), (failed, failed as usize));
    }
}

#[actix_rt::test]
async fn no_call_is_made_while_the_circuit_breaker_is_open() {
    let bench = Bench::new(Start::Beginning);
    let source = Rc::new(Fake::new(|_, _| Ok(page([5], None))));
    let until = Instant::now() + Duration::from_hours(1);
    bench.parts.upstreams.record("net", CallOutcome::NotBefore(until));
    let (mut poller, stop) = (bench.poller(source.clone()), Stop::default());
    let asked = futures_util::FutureExt::now_or_never(poller.step(&stop));
    assert_eq!((asked, source.reads()), (None, 0));
    bench.parts.upstreams.record("net", CallOutcome::Answered);
    bench.poll(&source).await;
    assert_eq!(source.reads(), 1);
}

#[actix_rt::test]
async fn failed_polls_open_the_circuit_breaker_and_an_answer_closes_it() {
    let refused = Err(SourceError::Refused("400".into()));
    let limited = Err(SourceError::RateLimited { reason: "429".into(), until: None });
    let cases =
        [(true, Err(unavailable())), (false, Ok(Page::default())), (false, refused), (false, limited)];
    for (silent, answer) in cases {
        let mut bench = Bench::new(Start::Beginning);
        let policy = BreakerPolicy { failures: 1, pause: QUICK, trial: Duration::from_mins(1) };
        bench.parts.upstreams = Upstreams::new(policy, 1);
        let source =
            Rc::new(Fake::new(move |_, call| if call == 1 { answer.clone() } else { Ok(page([5], None)) }));
        let mut poller = bench.poller(source.clone());
        poller.step(&Stop::default()).await;
        assert_eq!(bench.parts.upstreams.is_down("net"), silent);
        bench.poll(&source).await;
        assert!(!bench.parts.upstreams.is_down("net"));
    }
}

/// A poller with a day between two polls, and its source.
fn daily(
    bench: &mut Bench,
    pages: impl Fn(&PageRequest, usize) -> Result<Page, SourceError> + 'static,
) -> (Poller, Rc<Fake>) {
    bench.parts.schedule = Schedule::Every(Duration::from_hours(24));
    let source = Rc::new(Fake { live: Some(Rc::default()), ..Fake::new(pages) });
    (bench.poller(source.clone()), source)
}

/// The seconds until the poller has polled once more, by the paused clock.
async fn seconds_to_next(poller: &mut Poller) -> u64 {
    let before = tokio::time::Instant::now();
    assert_eq!(poller.step(&Stop::default()).await, Step::Worked);
    before.elapsed().as_secs()
}

#[actix_rt::test]
async fn news_of_the_source_is_read_at_once_and_a_burst_of_it_only_once() {
    tokio::time::pause();
    let mut bench = Bench::new(Start::Beginning);
    let (mut poller, source) = daily(&mut bench, |_, call| Ok(page((1..=call as u64).rev(), None)));
    seconds_to_next(&mut poller).await;
    assert!(seconds_to_next(&mut poller).await <= 1, "for what came before the connection");
    let wire = source.live.clone().unwrap();
    (0..5).for_each(|_| wire.send(true));
    assert!(seconds_to_next(&mut poller).await <= 1);
    assert_eq!(bench.ledger.numbers(), (1..=3).collect());
    assert!(seconds_to_next(&mut poller).await > 3600, "without news at the interval");
    assert_eq!((source.reads(), wire.connections.get()), (4, 1));
}

#[actix_rt::test]
async fn a_lost_connection_is_made_again_and_what_came_meanwhile_is_read() {
    tokio::time::pause();
    let mut bench = Bench::new(Start::Beginning);
    let (mut poller, source) = daily(&mut bench, |_, call| Ok(page((1..=call as u64).rev(), None)));
    seconds_to_next(&mut poller).await;
    let wire = source.live.clone().unwrap();
    for cut in 1..=20 {
        assert!(seconds_to_next(&mut poller).await <= 1, "{cut}");
        assert_eq!(wire.connections.get(), cut);
        wire.send(false);
    }
    drop(poller);
    let connections = wire.connections.get();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(wire.connections.get(), connections, "a poller that is gone listens no more");
}

#[actix_rt::test]
async fn news_does_not_shorten_the_wait_after_a_failure() {
    tokio::time::pause();
    let mut bench = Bench::new(Start::Beginning);
    bench.parts.backoff = Backoff { base: Duration::from_mins(10), max: Duration::from_mins(10) };
    let (mut poller, source) =
        daily(&mut bench, |_, call| if call == 2 { Err(unavailable()) } else { Ok(page([1], None)) });
    seconds_to_next(&mut poller).await;
    assert_eq!(poller.step(&Stop::default()).await, Step::Idle, "the poll failed");
    source.live.clone().unwrap().send(true);
    assert!(seconds_to_next(&mut poller).await >= 300);
}

#[actix_rt::test]
async fn a_single_poll_listens_for_nothing() {
    let bench = Bench::new(Start::Beginning);
    let source = Rc::new(Fake { live: Some(Rc::default()), ..Fake::new(|_, _| Ok(page([1], None))) });
    bench.poll(&source).await;
    tokio::task::yield_now().await;
    assert_eq!(source.live.clone().unwrap().connections.get(), 0);
}
