//! `POST /2/tweets` and `DELETE /2/tweets/{id}`. These validate the body strictly against the specification, so an
//! unknown key is an error, as on X.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    auth, json_response,
    problems::Problem,
    query::{self, path_id},
    text::{self, Link},
};
use crate::{
    endpoint::Endpoint,
    state::State,
    world::{Draft, PostId, Refusal, StoredPost, World},
};

/// The answer to a created post.
#[derive(Serialize)]
struct Answer<'a> {
    data: Created<'a>,
}

#[derive(Serialize)]
struct Created<'a> {
    edit_history_tweet_ids: [PostId; 1],
    id: PostId,
    text: &'a str,
}

/// The request body of the specification. Some of its keys have no effect here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Body {
    text: String,
    reply: Option<Reply>,
    media: Option<Media>,
    quote_tweet_id: Option<String>,
    poll: Option<Poll>,
    card_uri: Option<String>,
    #[serde(rename = "reply_settings")]
    _reply_settings: Option<ReplySettings>,
    edit_options: Option<Value>,
    #[serde(rename = "community_id")]
    _community_id: Option<String>,
    #[serde(rename = "direct_message_deep_link")]
    _direct_message_deep_link: Option<String>,
    #[serde(rename = "for_super_followers_only")]
    _for_super_followers_only: Option<bool>,
    #[serde(rename = "geo")]
    _geo: Option<Geo>,
    #[serde(rename = "made_with_ai")]
    _made_with_ai: Option<bool>,
    #[serde(rename = "nullcast")]
    _nullcast: Option<bool>,
    #[serde(rename = "paid_partnership")]
    _paid_partnership: Option<bool>,
    #[serde(rename = "share_with_followers")]
    _share_with_followers: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Geo {
    #[serde(rename = "place_id")]
    _place_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    in_reply_to_tweet_id: String,
    #[serde(default, rename = "exclude_reply_user_ids")]
    _exclude_reply_user_ids: Vec<String>,
    #[serde(default, rename = "auto_populate_reply_metadata")]
    _auto_populate_reply_metadata: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Media {
    #[serde(rename = "media_ids")]
    ids: Vec<String>,
    #[serde(default)]
    tagged_user_ids: Vec<String>,
    #[serde(default, rename = "call_to_actions")]
    _call_to_actions: Option<Value>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "embeddable")]
    _embeddable: Option<bool>,
    #[serde(default, rename = "preview_media_id")]
    _preview_media_id: Option<String>,
    #[serde(default, rename = "title")]
    _title: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Poll {
    options: Vec<String>,
    duration_minutes: u32,
    #[serde(default, rename = "reply_settings")]
    _reply_settings: Option<ReplySettings>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ReplySettings {
    Following,
    MentionedUsers,
    Subscribers,
    Verified,
}

impl Body {
    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice(bytes).map_err(|error| {
            let error = error.to_string();
            // The wording of X's validator. For errors that name no key, use serde's message.
            let message = match error.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
                Some((key, _)) => format!(
                    "[$.{key}: is not defined in the schema and the schema does not allow additional \
                    properties]"
                ),
                None => format!("Requests with bodies must have a valid JSON body: {error}"),
            };
            Problem::body(message)
        })
    }

    /// Validates the body against the schema and extracts the parts that have an effect.
    fn draft(self, kind: crate::world::AuthKind) -> Result<Draft, Problem> {
        let exclusive = [
            self.media.is_some(),
            self.poll.is_some(),
            self.quote_tweet_id.is_some(),
            self.card_uri.is_some(),
        ];
        if exclusive.into_iter().filter(|given| *given).count() > 1 {
            return Err(Problem::body(
                "[$: must be valid to one and only one of media, poll, quote_tweet_id, card_uri]",
            ));
        }
        if let Some(poll) = &self.poll {
            let options = (2..=4).contains(&poll.options.len())
                && poll.options.iter().all(|option| (1..=25).contains(&option.chars().count()));
            if !options || !(5..=10_080).contains(&poll.duration_minutes) {
                return Err(Problem::body(
                    "[$.poll: must have 2 to 4 options of 1 to 25 characters and last 5 to 10080 minutes]",
                ));
            }
        }
        if self.edit_options.is_some() {
            return Err(Problem::not_permitted());
        }
        let mut media = Vec::new();
        if let Some(given) = self.media {
            if !(1..=4).contains(&given.ids.len()) {
                return Err(Problem::body(
                    "[$.media.media_ids: there must be between 1 and 4 items in the array]",
                ));
            }
            if given.tagged_user_ids.len() > 10 {
                return Err(Problem::body(
                    "[$.media.tagged_user_ids: there must be a maximum of 10 items in the array]",
                ));
            }
            for id in &given.ids {
                media.push(parse_id("$.media.media_ids", id)?);
            }
        }
        if self.text.trim().is_empty() && media.is_empty() && self.poll.is_none() && self.card_uri.is_none() {
            return Err(Problem::body("[$.text: must be at least 1 characters long]"));
        }
        Ok(Draft {
            reply_to: self
                .reply
                .map(|reply| parse_id("$.reply.in_reply_to_tweet_id", &reply.in_reply_to_tweet_id))
                .transpose()?,
            quoted: self.quote_tweet_id.map(|id| parse_id("$.quote_tweet_id", &id)).transpose()?,
            text: self.text,
            media,
            auth: kind,
        })
    }
}

fn parse_id(at: &str, text: &str) -> Result<u64, Problem> {
    query::id(text)
        .ok_or_else(|| Problem::body(format!("[{at}: does not match the regex pattern ^[0-9]{{1,19}}$]")))
}

pub(crate) async fn create(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::Post)?;
    let draft = Body::read(&bytes)?.draft(actor.kind)?;
    let post = {
        let mut world = state.world();
        let most =
            if world.account(actor.index).premium { text::MAX_WEIGHT_PREMIUM } else { text::MAX_WEIGHT };
        if !text::fits(&draft.text, most) {
            return Err(Problem::too_long());
        }
        if state.enforce_engagement {
            check_engagement(&world, actor.index, &draft)?;
        }
        world.publish(actor.index, draft)?
    };
    let shown = text::wire(&post.text, &trailing_links(&post));
    state.biller().post(shown.has_link());
    state.touch();
    let data = Created { edit_history_tweet_ids: [post.id], id: post.id, text: &shown.text };
    Ok(json_response(StatusCode::CREATED, &Answer { data }))
}

/// Since February 2026, a self-serve app may reply to and quote only posts that mention its account, and its own posts.
fn check_engagement(world: &World, author: usize, draft: &Draft) -> Result<(), Problem> {
    let account = world.account(author);
    let engaged = |id: u64| {
        world.post(id).is_none_or(|post| {
            let name = format!("@{}", account.handle.to_ascii_lowercase());
            post.author_id == account.id || post.text.to_ascii_lowercase().contains(&name)
        })
    };
    if draft.reply_to.is_some_and(|id| !engaged(id)) {
        return Err(Problem::reply_not_allowed());
    }
    if draft.quoted.is_some_and(|id| !engaged(id)) {
        return Err(Problem::quote_not_allowed());
    }
    Ok(())
}

fn trailing_links(post: &StoredPost) -> Vec<Link> {
    let media = post.media.iter();
    media.map(|medium| Link::to_media(&post.author, post.id.0, &medium.key)).collect()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Duplicate => Self::duplicate(),
            Refusal::ReplyToMissing => Self::reply_to_missing(),
            Refusal::QuotedMissing => Self::body("[$.quote_tweet_id: Your quote tweet id is invalid.]"),
            Refusal::MediaMissing(_) => Self::body("Your media IDs are invalid."),
            Refusal::NotPermitted => Self::not_permitted(),
        }
    }
}

pub(crate) async fn delete(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::Delete)?;
    let id = path_id(&id)?;
    let (deleted, belongs_to_other) = {
        let mut world = state.world();
        (world.delete(actor.index, id), world.post(id).is_some())
    };
    if belongs_to_other && !deleted {
        return Err(Problem::forbidden("You are not authorized to delete this Tweet."));
    }
    if deleted {
        state.biller().delete();
        state.touch();
    }
    // X gives the same answer for a post that does not exist.
    Ok(HttpResponse::Ok()
        .content_type("application/json; charset=utf-8")
        .body(json!({"data": {"deleted": true}}).to_string()))
}
