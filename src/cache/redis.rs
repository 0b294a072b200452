//! The port's methods as commands of Redis, one round trip each. A value lies under `mynah:1:KEY`, where `1` is the
//! version of its form, and expires by itself. A claim lies beside it, under `mynah:1:KEY:claim`.
//!
//! `MGET` has no value for a key of another type, so foreign data is a miss. It needs all keys on one server: a Redis
//! Cluster, which spreads them, is not supported.

use std::time::Duration;

use async_trait::async_trait;
use mynah_domain::ports::shared_cache::{Claimed, SharedCache, SharedCacheError, SharedEntry, SharedKey};
use redis::{Pipeline, Value};

use super::{Address, link::Link};

/// What all keys begin with. A program that writes another form of values uses another version, and both find only what
/// they can read.
const PREFIX: &str = "mynah:1:";

/// Releases claims that still have the caller's token: somebody else may have them by now.
const RELEASE: &str =
    "for _, key in ipairs(KEYS) do if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end end";

/// A longer value is not read: no post is that long.
const LONGEST: usize = 256 * 1024;

/// A shared cache on Redis, Valkey, or what speaks their protocol.
pub struct RedisCache {
    link: Link,
}

impl RedisCache {
    /// Connects with the first call.
    ///
    /// # Errors
    /// The certificates cannot be used, or the system starts no thread.
    pub fn new(address: Address) -> Result<Self, String> {
        Ok(Self { link: Link::start(address)? })
    }

    /// Sends commands; the first error of any is the answer.
    async fn send(&self, commands: Pipeline) -> Result<Vec<Value>, SharedCacheError> {
        let answers = self.link.send(commands).await?;
        match answers.iter().find_map(refusal) {
            Some(why) => Err(SharedCacheError::Refused(why)),
            None => Ok(answers),
        }
    }

    /// What a server says about itself, under these headings.
    pub(super) async fn info(&self, sections: &[&str]) -> Result<Vec<String>, SharedCacheError> {
        let mut commands = Pipeline::new();
        for section in sections {
            commands.cmd("INFO").arg(*section);
        }
        let text = |answer| match answer {
            Value::BulkString(text) => String::from_utf8_lossy(&text).into_owned(),
            Value::VerbatimString { text, .. } => text,
            _ => String::new(),
        };
        Ok(self.send(commands).await?.into_iter().map(text).collect())
    }
}

fn value_key(key: &SharedKey) -> String {
    format!("{PREFIX}{key}")
}

fn claim_key(key: &SharedKey) -> String {
    format!("{PREFIX}{key}:claim")
}

fn millis(duration: Duration) -> u64 {
    // Redis refuses zero.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 1_000_000)
}

/// Why a command was refused, if it was.
fn refusal(answer: &Value) -> Option<String> {
    let Value::ServerError(error) = answer else { return None };
    Some(match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    })
}

/// The answers to `MGET`, one for each key.
fn values(answer: Option<Value>, keys: usize) -> Vec<Option<Vec<u8>>> {
    let answers = match answer {
        Some(Value::Array(answers)) => answers,
        _ => Vec::new(),
    };
    let value = |answer| match answer {
        Value::BulkString(value) if value.len() <= LONGEST => Some(value),
        _ => None,
    };
    answers.into_iter().map(value).chain(std::iter::repeat(None)).take(keys).collect()
}

#[async_trait]
impl SharedCache for RedisCache {
    async fn get(&self, keys: &[SharedKey]) -> Result<Vec<Option<Vec<u8>>>, SharedCacheError> {
        let mut commands = Pipeline::new();
        commands.cmd("MGET").arg(keys.iter().map(value_key).collect::<Vec<_>>());
        Ok(values(self.send(commands).await?.pop(), keys.len()))
    }

    async fn claim(
        &self,
        keys: &[SharedKey],
        token: &str,
        ttl: Duration,
    ) -> Result<Vec<Claimed>, SharedCacheError> {
        let mut commands = Pipeline::new();
        for key in keys {
            commands.cmd("SET").arg(claim_key(key)).arg(token).arg("NX").arg("PX").arg(millis(ttl));
        }
        // Read last: a value that was stored before the claim was granted is seen.
        commands.cmd("MGET").arg(keys.iter().map(value_key).collect::<Vec<_>>());
        let mut answers = self.send(commands).await?;
        let values = values(answers.pop(), keys.len());
        let claimed = answers.into_iter().zip(values).map(|(answer, value)| {
            // Nil if the claim is somebody else's.
            Claimed { value, is_granted: matches!(answer, Value::Okay) }
        });
        Ok(claimed.collect())
    }

    async fn put(&self, entries: &[SharedEntry]) -> Result<(), SharedCacheError> {
        let mut commands = Pipeline::new();
        for SharedEntry { key, value, ttl } in entries {
            commands.cmd("SET").arg(value_key(key)).arg(value.as_slice()).arg("PX").arg(millis(*ttl));
        }
        self.send(commands).await.map(drop)
    }

    async fn release(&self, keys: &[SharedKey], token: &str) -> Result<(), SharedCacheError> {
        let mut commands = Pipeline::new();
        let keys: Vec<_> = keys.iter().map(claim_key).collect();
        commands.cmd("EVAL").arg(RELEASE).arg(keys.len()).arg(keys).arg(token);
        self.send(commands).await.map(drop)
    }

    async fn remove(&self, keys: &[SharedKey]) -> Result<(), SharedCacheError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut commands = Pipeline::new();
        commands.cmd("DEL").arg(keys.iter().map(value_key).collect::<Vec<_>>());
        self.send(commands).await.map(drop)
    }

    async fn ping(&self) -> Result<(), SharedCacheError> {
        let mut commands = Pipeline::new();
        commands.cmd("PING");
        self.send(commands).await.map(drop)
    }
}
