//! Addresses of hosts, remembered for a while: the system's resolver remembers nothing, and would be asked before every new
//! connection. One that does not answer just now does no harm as long as the last addresses are known.

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

/// The most hosts that are remembered: media may come from many.
const MOST: usize = 256;

type Known = HashMap<(String, u16), (Vec<SocketAddr>, Instant)>;

/// Asks the system, and remembers what it said for `ttl`; asks each time where that is zero.
#[derive(Debug, Clone)]
pub(super) struct Remembering {
    ttl: Duration,
    known: Rc<RefCell<Known>>,
}

impl Remembering {
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, known: Rc::default() }
    }

    fn recall(&self, host: &str, port: u16) -> Option<(Vec<SocketAddr>, Instant)> {
        self.known.borrow().get(&(host.to_owned(), port)).cloned()
    }

    fn remember(&self, host: &str, port: u16, addresses: &[SocketAddr], now: Instant) {
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert((host.to_owned(), port), (addresses.to_vec(), now));
    }
}

impl Resolve for Remembering {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        let look = async move {
            let (before, now) = (self.recall(host, port), Instant::now());
            if let Some((addresses, _)) = before.as_ref().filter(|(_, at)| now - *at < self.ttl) {
                return Ok(addresses.clone());
            }
            match tokio::net::lookup_host((host, port)).await {
                Ok(found) => {
                    let found: Vec<SocketAddr> = found.collect();
                    self.remember(host, port, &found, now);
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
    async fn what_is_known_is_not_asked_for_again_until_it_is_old_and_even_then_serves_in_need() {
        let known: SocketAddr = "192.0.2.7:443".parse().unwrap();
        // Nobody can have this name, so whatever is answered was remembered.
        let (host, port) = ("mynah.invalid", 443);
        let fresh = Remembering::new(Duration::from_mins(1));
        assert!(fresh.lookup(host, port).await.is_err());
        fresh.remember(host, port, &[known], Instant::now());
        assert_eq!(fresh.lookup(host, port).await.unwrap(), [known]);
        let forgetful = Remembering::new(Duration::ZERO);
        forgetful.remember(host, port, &[known], Instant::now());
        assert_eq!(forgetful.lookup(host, port).await.unwrap(), [known], "no answer is no reason to stop");
        forgetful.remember("localhost", 80, &[known], Instant::now());
        assert_ne!(forgetful.lookup("localhost", 80).await.unwrap(), [known], "it is asked each time");
    }

    #[test]
    fn no_crowd_of_hosts_fills_the_memory() {
        let dns = Remembering::new(Duration::from_mins(1));
        for number in 0..MOST * 3 {
            dns.remember(&number.to_string(), 443, &[], Instant::now());
        }
        assert!(dns.known.borrow().len() <= MOST);
    }
}
