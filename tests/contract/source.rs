//! What every source must do, and what fetches the media of its posts. A network runs it by `source_contract!(Bench)`.

use std::rc::Rc;

use async_trait::async_trait;
use mynah_domain::{
    Media, Post, PostId,
    ports::{
        FetchError, FetchedMedium, Lookup, MediaFetcher, MediaLimits, Page, PageRequest, Source, SourceError,
    },
};

use super::Trouble;

/// A followed account, on a network that the test controls.
#[async_trait(?Send)]
pub(crate) trait Bench: Sized {
    /// One that has posted these texts, oldest first.
    async fn new(texts: &[&str]) -> Self;
    /// What follows it.
    fn source(&self) -> Rc<dyn Source>;
    /// What follows an account that is not there.
    fn source_of_nobody(&self) -> Rc<dyn Source>;
    /// What fetches the media of its posts.
    fn fetcher(&self) -> Rc<dyn MediaFetcher>;
    /// The account posts something now.
    async fn post(&self, text: &str) -> PostId;
    /// The account posts something now that nobody can read; `None` where there is no such thing.
    async fn post_unreadable(&self) -> Option<PostId>;
    /// The account posts a picture now; `None` where there are no pictures.
    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId>;
    /// An id as the network gives them, of a post that was never there.
    fn unknown_id(&self) -> PostId;
    /// Has the next calls go wrong; `false` where this network's never do so.
    async fn order(&self, trouble: Trouble) -> bool;
}

/// The limits of a target that accepts whatever tests fetch.
const LIMITS: MediaLimits =
    MediaLimits { network: "the target", picture: 5 * 1024 * 1024, video: 512 * 1024 * 1024 };

/// More texts than any test's page holds, each different.
const TEXTS: [&str; 12] = [
    "one bridge",
    "two bridges",
    "three bridges",
    "four bridges",
    "five bridges",
    "six bridges",
    "seven bridges",
    "eight bridges",
    "nine bridges",
    "ten bridges",
    "eleven bridges",
    "twelve bridges",
];

/// All pages of a request, to the last one.
async fn walk(source: &dyn Source, mut request: PageRequest) -> Vec<Page> {
    let mut pages = Vec::new();
    loop {
        let page = source.page(&request).await.unwrap();
        request.continuation.clone_from(&page.continuation);
        pages.push(page);
        assert!(pages.len() <= 100, "a walk ends");
        if request.continuation.is_none() {
            return pages;
        }
    }
}

/// The posts of a request, newest first.
async fn posts(source: &dyn Source, request: PageRequest) -> Vec<Post> {
    walk(source, PageRequest { limit: 100, ..request })
        .await
        .into_iter()
        .flat_map(|page| page.posts)
        .collect()
}

fn texts(posts: &[Post]) -> Vec<&str> {
    posts.iter().map(|post| post.text.as_str()).collect()
}

pub(crate) async fn posts_come_newest_first<B: Bench>() {
    let bench = B::new(&TEXTS[..3]).await;
    let newest = bench.post("the newest").await;
    let posts = posts(&*bench.source(), PageRequest::default()).await;
    assert_eq!(texts(&posts), ["the newest", "three bridges", "two bridges", "one bridge"]);
    assert_eq!(posts[0].id, newest);
    assert!(posts.windows(2).all(|two| two[0].position > two[1].position), "{posts:?}");
}

pub(crate) async fn a_walk_through_the_pages_shows_every_post_once_and_ends<B: Bench>() {
    let bench = B::new(&TEXTS).await;
    let pages = walk(&*bench.source(), PageRequest { limit: 5, ..PageRequest::default() }).await;
    assert!(pages.len() > 1, "a page holds about as many posts as were asked for");
    let posts: Vec<Post> = pages.into_iter().flat_map(|page| page.posts).collect();
    let expected: Vec<&str> = TEXTS.iter().rev().copied().collect();
    assert_eq!(texts(&posts), expected);
}

pub(crate) async fn an_account_without_posts_is_an_empty_page_and_no_error<B: Bench>() {
    let bench = B::new(&[]).await;
    let page = bench.source().page(&PageRequest { limit: 10, ..PageRequest::default() }).await.unwrap();
    assert_eq!(page, Page::default());
}

pub(crate) async fn only_posts_after_a_post_are_shown_where_one_is_named<B: Bench>() {
    let bench = B::new(&TEXTS[..4]).await;
    let source = bench.source();
    let all = posts(&*source, PageRequest::default()).await;
    let after = |index: usize| PageRequest { after: Some(all[index].id.clone()), ..PageRequest::default() };
    assert_eq!(texts(&posts(&*source, after(2)).await), ["four bridges", "three bridges"]);
    assert!(posts(&*source, after(0)).await.is_empty());
}

pub(crate) async fn only_posts_before_a_post_are_shown_where_one_is_named<B: Bench>() {
    let bench = B::new(&TEXTS[..4]).await;
    let source = bench.source();
    let all = posts(&*source, PageRequest::default()).await;
    let before = Some(all[1].id.clone());
    let found = posts(&*source, PageRequest { before: before.clone(), ..PageRequest::default() }).await;
    assert_eq!(texts(&found), ["two bridges", "one bridge"]);
    let after = Some(all[3].id.clone());
    let between = posts(&*source, PageRequest { before, after, ..PageRequest::default() }).await;
    assert_eq!(texts(&between), ["two bridges"]);
}

pub(crate) async fn only_posts_from_a_moment_on_are_shown_where_one_is_named<B: Bench>() {
    let bench = B::new(&TEXTS[..4]).await;
    let source = bench.source();
    let all = posts(&*source, PageRequest::default()).await;
    let from = Some(all[1].created_at);
    let found = posts(&*source, PageRequest { from, ..PageRequest::default() }).await;
    assert_eq!(texts(&found), ["four bridges", "three bridges"]);
}

pub(crate) async fn a_text_is_as_its_author_wrote_it<B: Bench>() {
    let written = "Café & bar <b>\"1 > 0\"</b> 🎉 é";
    let bench = B::new(&[written]).await;
    let posts = posts(&*bench.source(), PageRequest::default()).await;
    assert_eq!(texts(&posts), [written]);
}

pub(crate) async fn a_post_by_its_id_is_the_post_that_the_page_shows<B: Bench>() {
    let bench = B::new(&TEXTS[..3]).await;
    let source = bench.source();
    let all = posts(&*source, PageRequest::default()).await;
    for post in all {
        match source.by_id(&post.id).await.unwrap() {
            Lookup::Post(found) => {
                assert_eq!((&found.id, found.position, &found.text), (&post.id, post.position, &post.text));
                assert_eq!(found.kind, post.kind);
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn a_post_that_is_not_there_is_gone_and_no_error<B: Bench>() {
    let bench = B::new(&TEXTS[..1]).await;
    let found = bench.source().by_id(&bench.unknown_id()).await;
    assert!(matches!(found, Ok(Lookup::Gone(ref why)) if !why.is_empty()), "{found:?}");
}

pub(crate) async fn a_post_that_cannot_be_read_is_shown_as_one_and_is_not_gone<B: Bench>() {
    let bench = B::new(&TEXTS[..2]).await;
    let Some(id) = bench.post_unreadable().await else { return };
    let source = bench.source();
    let pages = walk(&*source, PageRequest { limit: 100, ..PageRequest::default() }).await;
    assert!(pages.iter().flat_map(|page| &page.posts).all(|post| post.id != id), "{pages:?}");
    let unreadable = pages.iter().flat_map(|page| &page.unreadable).collect::<Vec<_>>();
    let [unreadable] = &unreadable[..] else { panic!("{pages:?}") };
    assert!(!unreadable.reason.is_empty() && !unreadable.raw.is_empty(), "{unreadable:?}");
    match source.by_id(&id).await {
        Ok(Lookup::Unreadable(found)) => assert_eq!(found.mark.unwrap().0, id),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn an_id_tells_the_place_that_its_post_has_or_none<B: Bench>() {
    let bench = B::new(&TEXTS[..3]).await;
    let source = bench.source();
    for post in posts(&*source, PageRequest::default()).await {
        assert!(source.position(&post.id).is_none_or(|position| position == post.position), "{post:?}");
    }
    assert_eq!(source.position(&PostId("no id at all".into())), None);
}

pub(crate) async fn an_account_that_is_not_there_is_told_and_waiting_does_not_help<B: Bench>() {
    let bench = B::new(&TEXTS[..1]).await;
    let answer = bench.source_of_nobody().page(&PageRequest { limit: 10, ..PageRequest::default() }).await;
    assert!(matches!(answer, Err(SourceError::Account(_))), "{answer:?}");
    assert!(!answer.unwrap_err().is_passing());
}

pub(crate) async fn an_error_says_whether_waiting_helps_and_no_page_is_taken_for_empty<B: Bench>() {
    for (trouble, is_passing) in [
        (Trouble::Down, true),
        (Trouble::Garbage, true),
        (Trouble::AnswerLost, true),
        (Trouble::RateLimited, true),
        (Trouble::Unreachable, true),
        (Trouble::CredentialsRefused, false),
    ] {
        let bench = B::new(&TEXTS[..1]).await;
        let source = bench.source();
        let request = PageRequest { limit: 10, ..PageRequest::default() };
        // What is only looked up once is looked up.
        source.page(&request).await.unwrap();
        if !bench.order(trouble).await {
            continue;
        }
        let answer = source.page(&request).await;
        let error = answer.expect_err("nothing is not the same as no posts");
        assert_eq!(error.is_passing(), is_passing, "{trouble:?}: {error:?}");
        assert!(!error.to_string().is_empty());
        let looked_up = source.by_id(&bench.unknown_id()).await;
        assert!(looked_up.is_err(), "{trouble:?}: {looked_up:?} says more than is known");
        if trouble != Trouble::Unreachable && bench.order(Trouble::None).await {
            source.page(&request).await.unwrap();
        }
    }
}

async fn picture(bench: &impl Bench) -> Option<Media> {
    let id = bench.post_picture("With a picture", "A white dog").await?;
    let posts = posts(&*bench.source(), PageRequest::default()).await;
    let post = posts.into_iter().find(|post| post.id == id).unwrap();
    assert_eq!(post.media.len(), 1);
    Some(post.media[0].clone())
}

async fn bytes(mut medium: FetchedMedium) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = medium.content.next().await.unwrap() {
        assert!(!piece.is_empty());
        bytes.extend(piece);
    }
    assert_eq!(bytes.len() as u64, medium.size);
    bytes
}

pub(crate) async fn a_picture_is_fetched_whole_with_its_type_and_its_alt_text<B: Bench>() {
    let bench = B::new(&[]).await;
    let Some(medium) = picture(&bench).await else { return };
    assert_eq!(medium.alt.as_deref(), Some("A white dog"));
    let fetched = bench.fetcher().fetch(&medium, &LIMITS).await.unwrap();
    assert!(fetched.mime.starts_with("image/") && !fetched.is_video(), "{fetched:?}");
    assert!(!bytes(fetched).await.is_empty());
}

pub(crate) async fn a_picture_that_is_larger_than_the_target_accepts_is_missing<B: Bench>() {
    let bench = B::new(&[]).await;
    let Some(medium) = picture(&bench).await else { return };
    let small = MediaLimits { picture: 10, ..LIMITS };
    match bench.fetcher().fetch(&medium, &small).await {
        Err(FetchError::Missing(why)) => assert!(why.contains("the target"), "{why}"),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn media_are_fetched_from_nowhere_else<B: Bench>() {
    let bench = B::new(&[]).await;
    let Some(medium) = picture(&bench).await else { return };
    let fetcher = bench.fetcher();
    for url in [
        "https://evil.example/a.png",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/hostname",
        "../../etc/hostname",
        "no address",
    ] {
        let elsewhere = Media { url: Some(url.into()), ..medium.clone() };
        let found = fetcher.fetch(&elsewhere, &LIMITS).await;
        assert!(matches!(found, Err(FetchError::Missing(_))), "{url}: {found:?}");
    }
    let nowhere = fetcher.fetch(&Media { url: None, ..medium }, &LIMITS).await;
    assert!(matches!(nowhere, Err(FetchError::Missing(_))), "{nowhere:?}");
}

/// Runs the whole suite on one network.
#[macro_export]
macro_rules! source_contract {
    ($bench:ty) => {
        $crate::source_contract!($bench:
            posts_come_newest_first
            a_walk_through_the_pages_shows_every_post_once_and_ends
            an_account_without_posts_is_an_empty_page_and_no_error
            only_posts_after_a_post_are_shown_where_one_is_named
            only_posts_before_a_post_are_shown_where_one_is_named
            only_posts_from_a_moment_on_are_shown_where_one_is_named
            a_text_is_as_its_author_wrote_it
            a_post_by_its_id_is_the_post_that_the_page_shows
            a_post_that_is_not_there_is_gone_and_no_error
            a_post_that_cannot_be_read_is_shown_as_one_and_is_not_gone
            an_id_tells_the_place_that_its_post_has_or_none
            an_account_that_is_not_there_is_told_and_waiting_does_not_help
            an_error_says_whether_waiting_helps_and_no_page_is_taken_for_empty
            a_picture_is_fetched_whole_with_its_type_and_its_alt_text
            a_picture_that_is_larger_than_the_target_accepts_is_missing
            media_are_fetched_from_nowhere_else
        );
    };
    ($bench:ty: $($behavior:ident)*) => {$(
        #[actix_rt::test]
        async fn $behavior() {
            contract::source::$behavior::<$bench>().await;
        }
    )*};
}
