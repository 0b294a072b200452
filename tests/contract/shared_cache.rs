//! The contract of whatever instances share translations in. An adapter runs it with `assert_contract`.

use std::time::Duration;

use mynah_domain::ports::shared_cache::{Claimed, SharedCache, SharedEntry, SharedKey};

const MINUTE: Duration = Duration::from_mins(1);

fn key(number: u8) -> SharedKey {
    SharedKey([number; 16])
}

fn entry(number: u8, value: &[u8]) -> SharedEntry {
    SharedEntry { key: key(number), value: value.to_vec(), ttl: MINUTE }
}

/// Checks every promise of the port on an empty cache.
pub(crate) async fn assert_contract(cache: &dyn SharedCache) {
    cache.ping().await.unwrap();
    what_is_put_is_got_in_the_order_of_the_keys(cache).await;
    a_claim_has_one_holder_who_alone_releases_it(cache).await;
}

async fn what_is_put_is_got_in_the_order_of_the_keys(cache: &dyn SharedCache) {
    assert_eq!(cache.get(&[key(1), key(2)]).await.unwrap(), [None, None]);
    let binary = b"\x00\xff\r\n$5\r\n";
    cache.put(&[entry(1, b"one"), entry(3, binary)]).await.unwrap();
    let values = cache.get(&[key(3), key(2), key(1), key(3)]).await.unwrap();
    assert_eq!(values, [Some(binary.to_vec()), None, Some(b"one".to_vec()), Some(binary.to_vec())]);
    cache.put(&[entry(1, b"another")]).await.unwrap();
    assert_eq!(cache.get(&[key(1)]).await.unwrap(), [Some(b"another".to_vec())]);
    cache.remove(&[key(1), key(2)]).await.unwrap();
    cache.remove(&[]).await.unwrap();
    assert_eq!(cache.get(&[key(1), key(3)]).await.unwrap(), [None, Some(binary.to_vec())]);
}

async fn a_claim_has_one_holder_who_alone_releases_it(cache: &dyn SharedCache) {
    let keys = [key(10), key(11)];
    let granted = |is_granted| Claimed { value: None, is_granted };
    assert_eq!(cache.claim(&keys[..1], "one", MINUTE).await.unwrap(), [granted(true)]);
    assert_eq!(cache.claim(&keys, "two", MINUTE).await.unwrap(), [granted(false), granted(true)]);
    // Of both keys it may release only its own.
    cache.release(&keys, "two").await.unwrap();
    assert_eq!(cache.claim(&keys, "three", MINUTE).await.unwrap(), [granted(false), granted(true)]);
    // A value is seen whoever has the claim.
    cache.put(&[entry(10, b"ten")]).await.unwrap();
    let seen = cache.claim(&keys[..1], "four", MINUTE).await.unwrap();
    assert_eq!(seen, [Claimed { value: Some(b"ten".to_vec()), is_granted: false }]);
    cache.release(&keys, "one").await.unwrap();
    let seen = cache.claim(&keys[..1], "four", MINUTE).await.unwrap();
    assert_eq!(seen, [Claimed { value: Some(b"ten".to_vec()), is_granted: true }]);
}
