//! The system's resolver caches nothing, so every new connection would need a lookup. This resolver caches addresses,
//! and keeps using expired ones while DNS is down.

use std::{
    cell::RefCell,
    collections::HashMap,
    error::Error,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_tls::connect::Resolve;
use futures_util::{FutureExt as _, future::LocalBoxFuture};

/// The most hosts to cache: media may come from many.
const MAX_HOSTS: usize = 256;

type Known = HashMap<(String, u16), (Vec<SocketAddr>, Instant)>;

/// Asks the system's resolver, and caches its answer for `ttl`; zero turns the cache off.
#[derive(Debug, Clone)]
pub(super) struct CachingResolver {
    ttl: Duration,
    known: Rc<RefCell<Known>>,
}

impl CachingResolver {
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, known: Rc::default() }
    }

    fn cached(&self, host: &str, port: u16) -> Option<(Vec<SocketAddr>, Instant)> {
        self.known.borrow().get(&(host.to_owned(), port)).cloned()
    }

    fn cache(&self, host: &str, port: u16, addresses: &[SocketAddr], now: Instant) {
        let mut known = self.known.borrow_mut();
        if known.len() >= MAX_HOSTS {
            known.clear();
        }
        known.insert((host.to_owned(), port), (addresses.to_vec(), now));
    }
}

impl Resolve for CachingResolver {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        let look = async move {
            let (before, now) = (self.cached(host, port), Instant::now());
            if let Some((addresses, _)) = before.as_ref().filter(|(_, at)| now - *at < self.ttl) {
                return Ok(addresses.clone());
            }
            match tokio::net::lookup_host((host, port)).await {
                Ok(found) => {
                    let found: Vec<SocketAddr> = found.collect();
                    self.cache(host, port, &found, now);
                    Ok(found)
                }
                Err(error) => match before {
                    Some((addresses, _)) => Ok(addresses),
                    None => Err(error.into()),
                },
            }
        };
        look.boxed_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn addresses_are_cached_until_they_expire_and_expired_ones_are_used_if_dns_fails() {
        let known: SocketAddr = "192.0.2.7:443".parse().unwrap();
        // This name cannot exist, so every answer is from the cache.
        let (host, port) = ("mynah.invalid", 443);
        let fresh = CachingResolver::new(Duration::from_mins(1));
        assert!(fresh.lookup(host, port).await.is_err());
        fresh.cache(host, port, &[known], Instant::now());
        assert_eq!(fresh.lookup(host, port).await.unwrap(), [known]);
        let uncached = CachingResolver::new(Duration::ZERO);
        uncached.cache(host, port, &[known], Instant::now());
        assert_eq!(
            uncached.lookup(host, port).await.unwrap(),
            [known],
            "an expired address is used if DNS fails"
        );
        uncached.cache("localhost", 80, &[known], Instant::now());
        assert_ne!(
            uncached.lookup("localhost", 80).await.unwrap(),
            [known],
            "a TTL of zero turns the cache off"
        );
    }

    #[test]
    fn many_hosts_do_not_fill_the_memory() {
        let dns = CachingResolver::new(Duration::from_mins(1));
        for number in 0..MAX_HOSTS * 3 {
            dns.cache(&number.to_string(), 443, &[], Instant::now());
        }
        assert!(dns.known.borrow().len() <= MAX_HOSTS);
    }
}
