//! The contract of every destination. A network runs it with `destination_contract!(Bench)`.

use std::rc::Rc;

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    CardWords, PostId, PublicationKey, Reply,
    network::Repeat,
    ports::{
        Content, Denied, Destination, Draft, DraftCard, FetchedMedium, MediaId, PublishError, Recent, Since,
        UploadError,
    },
};

use super::Trouble;

/// A target account on a network that the test controls.
#[async_trait(?Send)]
pub(crate) trait Bench: Sized {
    /// Whether the network's server is there. If it is not, the suite is skipped, with one line about it.
    fn is_available() -> bool {
        true
    }
    /// An account with no messages.
    async fn new() -> Self;
    /// The account's destination.
    fn destination(&self) -> Rc<dyn Destination>;
    /// Its destination with another account's credentials; `None` if the network has no credentials.
    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>>;
    /// The account's messages, oldest first.
    async fn messages(&self) -> Vec<Message>;
    /// A valid id of a message that does not exist.
    fn unknown_id(&self) -> PostId;
    /// A text that the network refuses.
    fn refused_text(&self) -> String;
    /// The maximum number of media per message.
    fn media_count(&self) -> usize;
    /// What happens when a draft is published again, according to the network's rules.
    fn repeat(&self) -> Repeat;
    /// Makes the next calls fail; `false` if this network never fails like this.
    async fn inject(&self, trouble: Trouble) -> bool;
}

/// A message on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: PostId,
    pub(crate) text: String,
    /// The message it replies to.
    pub(crate) reply_to: Option<PostId>,
    /// The alt text of each medium.
    pub(crate) alts: Vec<String>,
}

/// The smallest picture there is: one white pixel. A real server reads more than its first bytes.
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9BU\0\0\0\nIDATx\xDAc\xF8\x0F\0\x01\x01\x01\0\x1C\xB0\x8C\x99\0\0\0\0IEND\xAEB`\x82";

fn draft(text: &str) -> Draft {
    Draft::new(PublicationKey::new(Timestamp::now()), text)
}

fn picture() -> FetchedMedium {
    FetchedMedium { mime: "image/png", size: PNG.len() as u64, content: Content::Whole(PNG.to_vec()) }
}

async fn recent(destination: &dyn Destination, since: Since) -> Vec<Recent> {
    let shown = destination.recent(&since).await.unwrap();
    assert_eq!(shown.gap, None, "a healthy account should show everything");
    shown.messages
}

pub(crate) async fn its_own_credentials_are_verified<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    destination.verify().await.unwrap();
    destination.verify().await.unwrap();
    assert!(bench.messages().await.is_empty());
}

pub(crate) async fn credentials_of_another_account_are_refused<B: Bench>() {
    let bench = B::new().await;
    let Some(destination) = bench.destination_with_other_credentials() else { return };
    let answer = destination.verify().await;
    assert!(matches!(answer, Err(PublishError::Denied(Denied::Blocked(_)))), "{answer:?}");
    assert!(bench.messages().await.is_empty());
}

pub(crate) async fn a_published_message_is_on_the_account_and_in_recent<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    let first = destination.publish(&draft("El puente abre")).await.unwrap();
    let second = draft("Café & bar <b>\"1 > 0\"</b> 🎉 https://example.com/a");
    let id = destination.publish(&second).await.unwrap();
    let messages = bench.messages().await;
    assert_eq!(messages.iter().map(|message| &message.id).collect::<Vec<_>>(), [&first, &id]);
    assert_eq!(messages[1].text, second.text);

    let shown = recent(&*destination, Since::Message(first.clone())).await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].id, id);
    assert!(destination.is_same(&second, &shown[0]), "{shown:?}");
    assert!(!destination.is_same(&draft("El puente abre"), &shown[0]), "{shown:?}");
}

pub(crate) async fn recent_lists_newest_first_since_a_message_or_moment<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    let mut ids = Vec::new();
    for text in ["Uno", "Dos", "Tres"] {
        ids.push(destination.publish(&draft(text)).await.unwrap());
    }
    let newest_first =
        |messages: Vec<Recent>| messages.into_iter().map(|message| message.id).collect::<Vec<_>>();
    let all = recent(&*destination, Since::Moment("2020-01-01T00:00:00Z".parse().unwrap())).await;
    assert_eq!(newest_first(all), [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    let after = recent(&*destination, Since::Message(ids[0].clone())).await;
    assert_eq!(newest_first(after), [ids[2].clone(), ids[1].clone()]);
    assert!(recent(&*destination, Since::Message(ids[2].clone())).await.is_empty());
}

pub(crate) async fn a_reply_is_attached_to_its_parent<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    let mut reply: Option<Reply> = None;
    for text in ["Primero", "Segundo", "Tercero"] {
        let id = destination.publish(&Draft { reply: reply.clone(), ..draft(text) }).await.unwrap();
        let parent = reply.as_ref().map(|reply| reply.parent.clone());
        assert_eq!(bench.messages().await.last().unwrap().reply_to, parent);
        reply = Some(Reply::behind(id, reply.as_ref()));
    }
}

pub(crate) async fn a_message_is_published_whatever_it_cannot_show_beside_its_text<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    let text = "Mira https://example.com/a";
    let words = CardWords { title: "El puente".into(), description: String::new() };
    let card = Some(DraftCard { url: "https://example.com/a".into(), words, picture: None });
    let gone = Draft { card, quote: Some(bench.unknown_id()), ..draft(text) };
    let first = destination.publish(&gone).await.unwrap();
    let quote = Some(first.clone());
    let second = destination.publish(&Draft { quote, ..draft("Y otra vez") }).await.unwrap();
    let messages = bench.messages().await;
    let found: Vec<_> = messages.iter().map(|message| (&message.id, message.text.as_str())).collect();
    assert_eq!(found, [(&first, text), (&second, "Y otra vez")]);
}

pub(crate) async fn a_reply_to_a_deleted_message_is_refused_as_a_reply<B: Bench>() {
    let bench = B::new().await;
    let reply = Some(Reply::behind(bench.unknown_id(), None));
    let answer = bench.destination().publish(&Draft { reply, ..draft("Segundo") }).await;
    assert!(matches!(answer, Err(PublishError::ReplyRefused(_))), "{answer:?}");
    assert!(bench.messages().await.is_empty());
}

pub(crate) async fn a_refused_text_is_not_on_the_account<B: Bench>() {
    let bench = B::new().await;
    let answer = bench.destination().publish(&draft(&bench.refused_text())).await;
    assert!(matches!(answer, Err(PublishError::Refused(ref why)) if !why.is_empty()), "{answer:?}");
    assert!(bench.messages().await.is_empty());
}

pub(crate) async fn publishing_a_draft_again_does_what_the_rules_promise<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    let draft = draft("Gol");
    let first = destination.publish(&draft).await.unwrap();
    match (bench.repeat(), destination.publish(&draft).await) {
        (Repeat::Safe, again) => {
            assert_eq!(again.unwrap(), first);
            assert_eq!(bench.messages().await.len(), 1);
        }
        // The result is a second message or a duplicate error, but never an error that blames the text.
        (Repeat::LookUpFirst, again) => {
            assert!(matches!(again, Ok(_) | Err(PublishError::Duplicate(_))), "{again:?}");
        }
    }
}

pub(crate) async fn the_same_text_under_another_key_is_another_message<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    let first = destination.publish(&draft("Gol")).await.unwrap();
    match destination.publish(&draft("Gol")).await {
        Ok(second) => assert_ne!(second, first),
        Err(error) => assert!(matches!(error, PublishError::Duplicate(_)), "{error:?}"),
    }
}

pub(crate) async fn a_lost_answer_is_an_unknown_outcome_and_recent_resolves_it<B: Bench>() {
    for trouble in [Trouble::AnswerLost, Trouble::Garbage] {
        let bench = B::new().await;
        let destination = bench.destination();
        let first = destination.publish(&draft("Uno")).await.unwrap();
        // Caches the lookups that happen only once.
        recent(&*destination, Since::Message(first.clone())).await;
        if !bench.inject(trouble).await {
            continue;
        }
        let lost = draft("Dos");
        let answer = destination.publish(&lost).await;
        assert!(matches!(answer, Err(PublishError::OutcomeUnknown(_))), "{trouble:?}: {answer:?}");
        bench.inject(Trouble::None).await;
        let shown = recent(&*destination, Since::Message(first)).await;
        assert_eq!(shown.len(), bench.messages().await.len() - 1);
        assert!(shown.iter().all(|message| destination.is_same(&lost, message)), "{shown:?}");
    }
}

pub(crate) async fn certain_failures_are_reported_as_certain<B: Bench>() {
    for trouble in [Trouble::Unreachable, Trouble::CredentialsRefused, Trouble::RateLimited, Trouble::Locked]
    {
        let bench = B::new().await;
        if !bench.inject(trouble).await {
            continue;
        }
        let answer = bench.destination().publish(&draft("Uno")).await;
        let fits = match &answer {
            Err(PublishError::Unavailable(_)) => trouble == Trouble::Unreachable,
            Err(PublishError::Denied(Denied::Unauthorized(_))) => trouble == Trouble::CredentialsRefused,
            Err(PublishError::Denied(Denied::RateLimited { .. })) => trouble == Trouble::RateLimited,
            Err(PublishError::Denied(Denied::Blocked(_))) => trouble == Trouble::Locked,
            _ => false,
        };
        assert!(fits, "{trouble:?}: {answer:?}");
        assert!(bench.messages().await.is_empty());
    }
}

pub(crate) async fn a_failed_lookup_never_reports_absence<B: Bench>() {
    for trouble in [
        Trouble::AnswerLost,
        Trouble::Down,
        Trouble::Garbage,
        Trouble::Unreachable,
        Trouble::CredentialsRefused,
        Trouble::RateLimited,
    ] {
        let bench = B::new().await;
        let destination = bench.destination();
        let first = destination.publish(&draft("Uno")).await.unwrap();
        destination.publish(&draft("Dos")).await.unwrap();
        recent(&*destination, Since::Message(first.clone())).await;
        if !bench.inject(trouble).await {
            continue;
        }
        match destination.recent(&Since::Message(first)).await {
            Ok(shown) => assert!(shown.gap.is_some() || shown.messages.len() == 1, "{trouble:?}: {shown:?}"),
            Err(error) => assert!(!error.to_string().is_empty(), "{trouble:?}"),
        }
    }
}

pub(crate) async fn media_are_published_in_order_with_alt_texts<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    let count = bench.media_count();
    let mut media: Vec<MediaId> = Vec::new();
    let alts: Vec<String> = (0..count).map(|number| format!("Un perro {number}")).collect();
    for alt in &alts {
        let uploaded = destination.upload(picture(), alt).await.unwrap();
        assert_eq!(uploaded.undescribed, None);
        media.push(uploaded.id);
    }
    assert!(bench.messages().await.is_empty(), "an upload should publish nothing");
    destination.publish(&Draft { media, ..draft("Con fotos") }).await.unwrap();
    assert_eq!(bench.messages().await[0].alts, alts);
}

pub(crate) async fn an_unsupported_medium_is_refused<B: Bench>() {
    let bench = B::new().await;
    let destination = bench.destination();
    let limits = destination.media_limits();
    for (mime, size) in [
        ("application/pdf", 100),
        ("image/svg+xml", 100),
        ("video/x-flv", 100),
        ("image/png", limits.picture.saturating_add(1)),
        ("video/mp4", limits.video.saturating_add(1)),
    ] {
        let medium = FetchedMedium { mime, size, content: Content::Whole(PNG.to_vec()) };
        let answer = destination.upload(medium, "").await;
        assert!(matches!(answer, Err(UploadError::Refused(_))), "{mime} {size}: {answer:?}");
    }
}

pub(crate) async fn a_failed_upload_reports_whether_a_retry_may_help<B: Bench>() {
    for trouble in [Trouble::Down, Trouble::AnswerLost, Trouble::CredentialsRefused, Trouble::RateLimited] {
        let bench = B::new().await;
        let destination = bench.destination();
        if bench.media_count() == 0 || !bench.inject(trouble).await {
            continue;
        }
        let answer = destination.upload(picture(), "").await;
        let fits = match &answer {
            Err(UploadError::Unavailable(_)) => matches!(trouble, Trouble::Down | Trouble::AnswerLost),
            Err(UploadError::Denied(Denied::Unauthorized(_))) => trouble == Trouble::CredentialsRefused,
            Err(UploadError::Denied(Denied::RateLimited { .. })) => trouble == Trouble::RateLimited,
            _ => false,
        };
        assert!(fits, "{trouble:?}: {answer:?}");
    }
}

/// Runs the whole suite on one network.
#[macro_export]
macro_rules! destination_contract {
    ($bench:ty) => {
        $crate::destination_contract!($bench:
            its_own_credentials_are_verified
            credentials_of_another_account_are_refused
            a_published_message_is_on_the_account_and_in_recent
            recent_lists_newest_first_since_a_message_or_moment
            a_reply_is_attached_to_its_parent
            a_reply_to_a_deleted_message_is_refused_as_a_reply
            a_message_is_published_whatever_it_cannot_show_beside_its_text
            a_refused_text_is_not_on_the_account
            publishing_a_draft_again_does_what_the_rules_promise
            the_same_text_under_another_key_is_another_message
            a_lost_answer_is_an_unknown_outcome_and_recent_resolves_it
            certain_failures_are_reported_as_certain
            a_failed_lookup_never_reports_absence
            media_are_published_in_order_with_alt_texts
            an_unsupported_medium_is_refused
            a_failed_upload_reports_whether_a_retry_may_help
        );
    };
    ($bench:ty: $($behavior:ident)*) => {$(
        #[actix_rt::test]
        async fn $behavior() {
            if <$bench as contract::destination::Bench>::is_available() {
                contract::destination::$behavior::<$bench>().await;
            }
        }
    )*};
}
