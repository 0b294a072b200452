//! `GET /2/users/{id}/tweets`: pages of an account's posts, newest first.
//!
//! Like X, this takes a page first and removes replies and reposts from it afterwards, so a page may have fewer posts
//! than requested, or none, and still have a `next_token`. `exclude=replies` removes every reply, including those of
//! the account's own threads.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    auth, ok,
    problems::{Problem, partial},
    query::{Query, path_id},
    render::Renderer,
    vocabulary::RequestedFields,
};
use crate::{
    endpoint::Endpoint,
    profiles::{self, ActiveProfiles, late::Paging},
    state::State,
    world::{Account, FOLLOWED, StoredPost, UserState},
};

const OWN_PARAMETERS: [&str; 8] =
    ["id", "max_results", "pagination_token", "start_time", "end_time", "since_id", "until_id", "exclude"];
/// How far back a timeline goes.
const HISTORY: usize = 3_200;
/// How far back a timeline goes without replies.
const HISTORY_WITHOUT_REPLIES: usize = 800;

pub(crate) async fn posts(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = auth::authorize(&request, &state, Endpoint::Timeline)?;
    let id = path_id(&id)?;
    let query = Query::parse(request.query_string(), &OWN_PARAMETERS)?;
    let page_request = PageRequest::of(&query)?;
    let requested = RequestedFields::of(&query);
    let profiles = ActiveProfiles::of(&request);
    let mut body = Map::new();
    let reads = {
        let mut world = state.world();
        if world.find_id(id) == Some(FOLLOWED) {
            profiles::edited::make_due(profiles, &mut world);
        }
        let mut renderer = Renderer::new(&world, &requested, caller.user_id());
        let account = world.find_id(id).map(|index| world.account(index));
        let asked = id.to_string();
        match account.map(|account| (account, account.state)) {
            None | Some((_, UserState::Unknown)) => renderer.error(partial::not_found("user", "id", &asked)),
            Some((_, UserState::Suspended)) => renderer.error(partial::suspended("id", &asked)),
            Some((_, UserState::Protected)) if caller.user_id() != Some(id) => {
                renderer.error(partial::protected(&asked));
            }
            Some((account, _)) => {
                let page = page_request.page(account, state.enforce_history_limit, profiles);
                let data: Vec<Value> = page.posts.iter().map(|post| renderer.post(post)).collect();
                body.insert("meta".into(), page.meta());
                if !data.is_empty() {
                    body.insert("data".into(), data.into());
                }
            }
        }
        renderer.finish(&mut body)
    };
    Ok(ok(&state, body, reads))
}

/// The requested page; bounds are exclusive.
#[derive(Debug)]
struct PageRequest {
    max_results: usize,
    above: u64,
    below: u64,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    token: Option<Token>,
    /// The token as it was sent.
    sent: Option<String>,
    without_replies: bool,
    without_reposts: bool,
}

/// The position of a page: before or after the last post of its neighbor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Older(u64),
    Newer(u64),
    /// Like `Older`, but its page answers with the same token forever.
    Stuck(u64),
}

impl Token {
    fn write(self) -> String {
        // Two tokens for one position differ, as X's do.
        let mark = fastrand::u32(..);
        URL_SAFE_NO_PAD.encode(match self {
            Self::Older(id) => format!("older:{id}:{mark}"),
            Self::Newer(id) => format!("newer:{id}:{mark}"),
            Self::Stuck(id) => format!("stuck:{id}:{mark}"),
        })
    }

    fn read(text: &str) -> Option<Self> {
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = plain.split(':');
        let (kind, id) = (parts.next()?, parts.next()?.parse().ok()?);
        match kind {
            "older" => Some(Self::Older(id)),
            "newer" => Some(Self::Newer(id)),
            "stuck" => Some(Self::Stuck(id)),
            _ => None,
        }
    }
}

impl PageRequest {
    fn of(query: &Query) -> Result<Self, Problem> {
        let max_results = query.number("max_results", 5, 100, 10)?;
        let since = query.id("since_id")?;
        let until = query.id("until_id")?;
        let start = time(query, "start_time")?;
        let end = time(query, "end_time")?;
        let token = query
            .get("pagination_token")
            .map(|value| {
                Token::read(value).ok_or_else(|| {
                    let message =
                        format!("The `pagination_token` query parameter value [{value}] is not valid");
                    Problem::parameter("pagination_token", value, message)
                })
            })
            .transpose()?;
        let exclude = query.list("exclude").unwrap_or_default();
        if let Some(unknown) = exclude.iter().find(|word| !["replies", "retweets"].contains(word)) {
            let message =
                format!("The `exclude` query parameter value [{unknown}] is not one of [replies,retweets]");
            return Err(Problem::parameter("exclude", unknown, message));
        }
        Ok(Self {
            max_results: usize::try_from(max_results).unwrap_or(100),
            above: since.unwrap_or(0),
            below: until.unwrap_or(u64::MAX),
            // Ids take precedence over times.
            start: if since.is_some() { None } else { start },
            end: if until.is_some() { None } else { end },
            token,
            sent: query.get("pagination_token").map(str::to_owned),
            without_replies: exclude.contains(&"replies"),
            without_reposts: exclude.contains(&"retweets"),
        })
    }

    fn page(&self, account: &Account, limited: bool, profiles: ActiveProfiles) -> Page {
        let all = &account.posts;
        let history = match (limited, self.without_replies) {
            (false, _) => usize::MAX,
            (true, false) => HISTORY,
            (true, true) => HISTORY_WITHOUT_REPLIES,
        };
        // Ids and times both increase, so binary search finds the bounds.
        let mut from = all.partition_point(|post| {
            post.id.0 <= self.above || self.start.is_some_and(|start| post.created_at() < start)
        });
        from = from.max(all.len().saturating_sub(history));
        let to = all.partition_point(|post| {
            post.id.0 < self.below && self.end.is_none_or(|end| post.created_at() < end)
        });
        let range = &all[from.min(to)..to];
        let slice = match self.token {
            None => &range[range.len().saturating_sub(self.max_results)..],
            Some(Token::Older(id) | Token::Stuck(id)) => {
                let older = &range[..range.partition_point(|post| post.id.0 < id)];
                &older[older.len().saturating_sub(self.max_results)..]
            }
            Some(Token::Newer(id)) => {
                let newer = &range[range.partition_point(|post| post.id.0 <= id)..];
                &newer[..newer.len().min(self.max_results)]
            }
        };
        let (Some(oldest), Some(newest)) = (slice.first(), slice.last()) else {
            return Page::default();
        };
        let more_older = range.first().is_some_and(|first| first.id < oldest.id);
        let paging = profiles::late::paging(profiles, self.token.is_some());
        if paging == Paging::Empty {
            let same = self.token.unwrap_or(Token::Older(u64::MAX));
            return Page { next: Some(same.write()), ..Page::default() };
        }
        let posts = slice
            .iter()
            .rev()
            .filter(|post| !(self.without_replies && post.reply_to.is_some()))
            .filter(|post| !(self.without_reposts && post.reposted.is_some()))
            .filter(|post| profiles::shows(profiles, post))
            .cloned()
            .collect();
        let next = match (self.token, &self.sent) {
            (Some(Token::Stuck(_)), sent) => sent.clone(),
            (_, sent) if paging == Paging::Repeated => sent.clone(),
            (None, _) if more_older && profiles::has_stuck_token(profiles) => {
                Some(Token::Stuck(oldest.id.0).write())
            }
            _ => more_older.then(|| Token::Older(oldest.id.0).write()),
        };
        Page { posts, next, previous: self.token.map(|_| Token::Newer(newest.id.0).write()) }
    }
}

#[derive(Debug, Default)]
struct Page {
    posts: Vec<Arc<StoredPost>>,
    next: Option<String>,
    previous: Option<String>,
}

impl Page {
    fn meta(&self) -> Value {
        let mut meta = Map::new();
        meta.insert("result_count".into(), json!(self.posts.len()));
        if let (Some(newest), Some(oldest)) = (self.posts.first(), self.posts.last()) {
            meta.insert("newest_id".into(), json!(newest.id));
            meta.insert("oldest_id".into(), json!(oldest.id));
        }
        for (name, token) in [("next_token", &self.next), ("previous_token", &self.previous)] {
            if let Some(token) = token {
                meta.insert(name.into(), json!(token));
            }
        }
        meta.into()
    }
}

fn time(query: &Query, name: &str) -> Result<Option<Timestamp>, Problem> {
    query
        .get(name)
        .map(|value| {
            value.parse().map_err(|_| {
                let message =
                    format!("The `{name}` query parameter value [{value}] is not a valid RFC 3339 date-time");
                Problem::parameter(name, value, message)
            })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_a_round_trip() {
        for token in [Token::Older(12), Token::Newer(u64::MAX), Token::Stuck(3)] {
            assert_eq!(Token::read(&token.write()), Some(token));
        }
        assert_eq!(Token::read("nonsense"), None);
    }
}
