//! The contract of every source and its media fetcher. A network runs it with `source_contract!(Bench)`.

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
    /// Whether the network's server is there. If it is not, the suite is skipped, with one line about it.
    fn is_available() -> bool {
        true
    }
    /// An account that has posted these texts, oldest first.
    async fn new(texts: &[&str]) -> Self;
    /// The account's source.
    fn source(&self) -> Rc<dyn Source>;
    /// The source of an account that does not exist.
    fn source_of_missing_account(&self) -> Rc<dyn Source>;
    /// The fetcher for its posts' media.
    fn fetcher(&self) -> Rc<dyn MediaFetcher>;
    /// Posts a text now.
    async fn post(&self, text: &str) -> PostId;
    /// Posts something unreadable now; `None` if this network cannot.
    async fn post_unreadable(&self) -> Option<PostId>;
    /// Posts a picture now; `None` if the network has no pictures.
    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId>;
    /// A valid id of a post that does not exist.
    fn unknown_id(&self) -> PostId;
    /// Makes the next calls fail; `false` if this network never fails like this.
    async fn inject(&self, trouble: Trouble) -> bool;
}

/// The limits of a target that accepts whatever tests fetch.
const LIMITS: MediaLimits =
    MediaLimits { network: "the target", picture: 5 * 1024 * 1024, video: 512 * 1024 * 1024 };

/// Different texts, more than fit on any test's page.
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

/// All pages of a request.
async fn all_pages(source: &dyn Source, mut request: PageRequest) -> Vec<Page> {
    let mut pages = Vec::new();
    loop {
        let page = source.page(&request).await.unwrap();
        request.continuation.clone_from(&page.continuation);
        pages.push(page);
        assert!(pages.len() <= 100, "paging should end");
        if request.continuation.is_none() {
            return pages;
        }
    }
}

/// The posts of a request, newest first.
async fn posts(source: &dyn Source, request: PageRequest) -> Vec<Post> {
    all_pages(source, PageRequest { limit: 100, ..request })
        .await
        .into_iter()
        .flat_map(|page| page.posts)
        .collect()
}

fn texts(posts: &[Post]) -> Vec<&str> {
    posts.iter().map(|post| post.text.as_str()).collect()
}

pub(crate) async fn posts_are_listed_newest_first<B: Bench>() {
    let bench = B::new(&TEXTS[..3]).await;
    let newest = bench.post("the newest").await;
    let posts = posts(&*bench.source(), PageRequest::default()).await;
    assert_eq!(texts(&posts), ["the newest", "three bridges", "two bridges", "one bridge"]);
    assert_eq!(posts[0].id, newest);
    assert!(posts.windows(2).all(|two| two[0].position > two[1].position), "{posts:?}");
}

pub(crate) async fn paging_shows_every_post_once_and_ends<B: Bench>() {
    let bench = B::new(&TEXTS).await;
    let pages = all_pages(&*bench.source(), PageRequest { limit: 5, ..PageRequest::default() }).await;
    assert!(pages.len() > 1, "a page should not exceed the requested size by much");
    let posts: Vec<Post> = pages.into_iter().flat_map(|page| page.posts).collect();
    let expected: Vec<&str> = TEXTS.iter().rev().copied().collect();
    assert_eq!(texts(&posts), expected);
}

pub(crate) async fn an_account_without_posts_has_an_empty_page<B: Bench>() {
    let bench = B::new(&[]).await;
    let page = bench.source().page(&PageRequest { limit: 10, ..PageRequest::default() }).await.unwrap();
    // Finding the account may be charged.
    assert_eq!(Page { billed_accounts: 0, ..page }, Page::default());
}

pub(crate) async fn after_limits_a_page_to_newer_posts<B: Bench>() {
    let bench = B::new(&TEXTS[..4]).await;
    let source = bench.source();
    let all = posts(&*source, PageRequest::default()).await;
    let after = |index: usize| PageRequest { after: Some(all[index].id.clone()), ..PageRequest::default() };
    assert_eq!(texts(&posts(&*source, after(2)).await), ["four bridges", "three bridges"]);
    assert!(posts(&*source, after(0)).await.is_empty());
}

pub(crate) async fn before_limits_a_page_to_older_posts<B: Bench>() {
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

pub(crate) async fn from_limits_a_page_to_posts_since_a_moment<B: Bench>() {
    let bench = B::new(&TEXTS[..4]).await;
    let source = bench.source();
    let all = posts(&*source, PageRequest::default()).await;
    let from = Some(all[1].created_at);
    let found = posts(&*source, PageRequest { from, ..PageRequest::default() }).await;
    assert_eq!(texts(&found), ["four bridges", "three bridges"]);
}

pub(crate) async fn a_text_is_exactly_as_its_author_wrote_it<B: Bench>() {
    let written = "Café & bar <b>\"1 > 0\"</b> 🎉 é";
    let bench = B::new(&[written]).await;
    let posts = posts(&*bench.source(), PageRequest::default()).await;
    assert_eq!(texts(&posts), [written]);
}

pub(crate) async fn a_post_by_id_equals_the_post_on_the_page<B: Bench>() {
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

pub(crate) async fn a_missing_post_is_gone_and_not_an_error<B: Bench>() {
    let bench = B::new(&TEXTS[..1]).await;
    let found = bench.source().by_id(&bench.unknown_id()).await;
    assert!(matches!(found, Ok(Lookup::Gone(ref why)) if !why.is_empty()), "{found:?}");
}

pub(crate) async fn an_unreadable_post_is_reported_as_such<B: Bench>() {
    let bench = B::new(&TEXTS[..2]).await;
    let Some(id) = bench.post_unreadable().await else { return };
    let source = bench.source();
    let pages = all_pages(&*source, PageRequest { limit: 100, ..PageRequest::default() }).await;
    assert!(pages.iter().flat_map(|page| &page.posts).all(|post| post.id != id), "{pages:?}");
    let unreadable = pages.iter().flat_map(|page| &page.unreadable).collect::<Vec<_>>();
    let [unreadable] = &unreadable[..] else { panic!("{pages:?}") };
    assert!(!unreadable.reason.is_empty() && !unreadable.raw.is_empty(), "{unreadable:?}");
    match source.by_id(&id).await {
        Ok(Lookup::Unreadable(found)) => assert_eq!(found.mark.unwrap().0, id),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn an_id_gives_its_posts_position_or_none<B: Bench>() {
    let bench = B::new(&TEXTS[..3]).await;
    let source = bench.source();
    for post in posts(&*source, PageRequest::default()).await {
        assert!(source.position(&post.id).is_none_or(|position| position == post.position), "{post:?}");
    }
    assert_eq!(source.position(&PostId("no id at all".into())), None);
}

pub(crate) async fn a_missing_account_is_a_permanent_error<B: Bench>() {
    let bench = B::new(&TEXTS[..1]).await;
    let answer =
        bench.source_of_missing_account().page(&PageRequest { limit: 10, ..PageRequest::default() }).await;
    assert!(matches!(answer, Err(SourceError::Account(_))), "{answer:?}");
    assert!(!answer.unwrap_err().is_passing());
}

pub(crate) async fn errors_report_whether_a_retry_may_help_and_never_look_like_an_empty_page<B: Bench>() {
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
        // Caches the lookups that happen only once.
        source.page(&request).await.unwrap();
        if !bench.inject(trouble).await {
            continue;
        }
        let answer = source.page(&request).await;
        let error = answer.expect_err("a failed call must not look like an empty page");
        assert_eq!(error.is_passing(), is_passing, "{trouble:?}: {error:?}");
        assert!(!error.to_string().is_empty());
        let looked_up = source.by_id(&bench.unknown_id()).await;
        assert!(looked_up.is_err(), "{trouble:?}: {looked_up:?} claims more than is known");
        if trouble != Trouble::Unreachable && bench.inject(Trouble::None).await {
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

pub(crate) async fn a_picture_is_fetched_with_its_type_and_alt_text<B: Bench>() {
    let bench = B::new(&[]).await;
    let Some(medium) = picture(&bench).await else { return };
    assert_eq!(medium.alt.as_deref(), Some("A white dog"));
    let fetched = bench.fetcher().fetch(&medium, &LIMITS).await.unwrap();
    assert!(fetched.mime.starts_with("image/") && !fetched.is_video(), "{fetched:?}");
    assert!(!bytes(fetched).await.is_empty());
}

pub(crate) async fn a_picture_over_the_targets_limit_is_missing<B: Bench>() {
    let bench = B::new(&[]).await;
    let Some(medium) = picture(&bench).await else { return };
    let small = MediaLimits { picture: 10, ..LIMITS };
    match bench.fetcher().fetch(&medium, &small).await {
        Err(FetchError::Missing(why)) => assert!(why.contains("the target"), "{why}"),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn media_are_fetched_only_from_the_networks_hosts<B: Bench>() {
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
            posts_are_listed_newest_first
            paging_shows_every_post_once_and_ends
            an_account_without_posts_has_an_empty_page
            after_limits_a_page_to_newer_posts
            before_limits_a_page_to_older_posts
            from_limits_a_page_to_posts_since_a_moment
            a_text_is_exactly_as_its_author_wrote_it
            a_post_by_id_equals_the_post_on_the_page
            a_missing_post_is_gone_and_not_an_error
            an_unreadable_post_is_reported_as_such
            an_id_gives_its_posts_position_or_none
            a_missing_account_is_a_permanent_error
            errors_report_whether_a_retry_may_help_and_never_look_like_an_empty_page
            a_picture_is_fetched_with_its_type_and_alt_text
            a_picture_over_the_targets_limit_is_missing
            media_are_fetched_only_from_the_networks_hosts
        );
    };
    ($bench:ty: $($behavior:ident)*) => {$(
        #[actix_rt::test]
        async fn $behavior() {
            if <$bench as contract::source::Bench>::is_available() {
                contract::source::$behavior::<$bench>().await;
            }
        }
    )*};
}
