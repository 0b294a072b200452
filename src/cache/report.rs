//! What `mynah check` says about the server of the shared cache: what it is, whether it can be read and written, and what
//! it does when it is full.

use std::time::{Duration, Instant};

use mynah_domain::ports::shared_cache::{SharedCache as _, SharedCacheError, SharedEntry, SharedKey};
use tokio::time::timeout;

use super::{Address, RedisCache};

/// The longest that a check takes.
const PATIENCE: Duration = Duration::from_secs(3);

/// No text has it: it would be a coincidence of 128 bits.
const PROBE: SharedKey = SharedKey([0; 16]);

/// The token of the probe's claim.
const CLAIMANT: &str = "check";

/// Asks the server. `slow` is how long a service waits for it.
///
/// # Errors
/// What is wrong, and what to do about it.
pub async fn report(address: &Address, slow: Duration) -> Result<String, String> {
    let cache = RedisCache::new(address.clone()).map_err(|why| format!("{address}: {why}"))?;
    match timeout(PATIENCE, ask(&cache, slow)).await {
        Ok(Ok(report)) => Ok(format!("{address}: {report}")),
        Ok(Err(SharedCacheError::Refused(why))) => Err(format!("{address} refuses: {why}; {}", fix(&why))),
        Ok(Err(SharedCacheError::Unavailable(why))) => {
            Err(format!("cannot reach {address}: {why}; {}", fix(&why)))
        }
        Err(_) => Err(format!("{address} does not answer; start the server, or correct cache.url")),
    }
}

async fn ask(cache: &RedisCache, slow: Duration) -> Result<String, SharedCacheError> {
    cache.ping().await?;
    let started = Instant::now();
    cache.get(&[PROBE]).await?;
    let took = started.elapsed();
    let entry = SharedEntry { key: PROBE, value: Vec::new(), ttl: Duration::from_secs(1) };
    cache.put(&[entry]).await?;
    cache.remove(&[PROBE]).await?;
    cache.claim(&[PROBE], CLAIMANT, Duration::from_secs(1)).await?;
    cache.release(&[PROBE], CLAIMANT).await?;
    // A user may be allowed the commands that Mynah needs, and no others.
    let info = cache.info(&["server", "memory"]).await.unwrap_or_default().join("\n");
    let mut report =
        format!("{} can be used; it answers in {:.1} ms", server(&info), took.as_secs_f64() * 1e3);
    if took > slow {
        report = format!("{report}, and a service waits for at most {} ms", slow.as_millis());
    }
    let field = |name: &str| field(&info, name).unwrap_or_default();
    match (field("maxmemory"), field("maxmemory_policy")) {
        ("", _) => {}
        ("0", _) => report += "; its memory is not limited: set maxmemory, and maxmemory-policy allkeys-lru",
        (_, "noeviction") => {
            report += "; it stores nothing more when it is full: set maxmemory-policy allkeys-lru";
        }
        _ => {}
    }
    Ok(report)
}

/// The name and version of a server.
fn server(info: &str) -> String {
    match (field(info, "valkey_version"), field(info, "redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, Some(version)) => format!("Redis {version}"),
        (None, None) => "it".to_owned(),
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

fn fix(why: &str) -> &'static str {
    let has = |word: &str| why.contains(word);
    if has("WRONGPASS") || has("AUTH") || has("assword") {
        "set MYNAH_CACHE_PASSWORD, or MYNAH_CACHE_PASSWORD_FILE, and name the user in cache.url if it is not the default one"
    } else if has("OOM") {
        "give the server more memory, or set maxmemory-policy allkeys-lru"
    } else if has("READONLY") {
        "name the primary in cache.url, not a replica"
    } else if has("NOPERM") || has("no permissions") || has("executing the script") {
        // Without its code if SELECT is refused, and in other words if a command of the script is.
        "allow this user what docs/cluster.md lists: ACL SETUSER …"
    } else if has("CROSSSLOT") || has("MOVED") {
        "name a single server: a Redis Cluster is not supported"
    } else {
        "start the server, or correct cache.url"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_as_they_name_themselves() {
        assert_eq!(server("# Server\r\nredis_version:7.0.15\r\n"), "Redis 7.0.15");
        assert_eq!(
            server("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n"),
            "Valkey 8.1.1"
        );
        assert_eq!(server(""), "it");
    }
}
