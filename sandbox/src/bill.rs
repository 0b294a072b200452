//! Counts what the calls would have cost on the real X, so that a careless poller or a link in every post shows up
//! before the invoice does. Prices are from the pay-per-use table of August 2026, in thousandths of a dollar.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;

const POST_READ: u64 = 5;
const USER_READ: u64 = 10;
const OWNED_READ: u64 = 1;
const POST: u64 = 15;
const POST_WITH_LINK: u64 = 200;
const DELETE: u64 = 10;
const MEDIA_METADATA: u64 = 5;

/// What was billed so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// Posts of other accounts read, each billed once per UTC day; $0.005.
    pub post_reads: u64,
    /// Accounts read, each billed once per UTC day; $0.010.
    pub user_reads: u64,
    /// An account's own posts and profile, read with its own token, each billed once per UTC day; $0.001.
    pub owned_reads: u64,
    /// Posts created without a link; $0.015.
    pub posts: u64,
    /// Posts created with a link; $0.200.
    pub posts_with_link: u64,
    /// Posts deleted; $0.010.
    pub deletes: u64,
    /// Alt texts set; $0.005.
    pub media_metadata: u64,
}

impl Bill {
    /// The total in thousandths of a dollar.
    pub fn total_mills(&self) -> u64 {
        self.post_reads * POST_READ
            + self.user_reads * USER_READ
            + self.owned_reads * OWNED_READ
            + self.posts * POST
            + self.posts_with_link * POST_WITH_LINK
            + self.deletes * DELETE
            + self.media_metadata * MEDIA_METADATA
    }

    /// The total for people, such as `$1.234`.
    pub fn total(&self) -> String {
        let mills = self.total_mills();
        format!("${}.{:03}", mills / 1000, mills % 1000)
    }
}

/// A billed read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Read {
    Post(u64),
    User(u64),
    Owned(u64),
}

/// Keeps the bill. X bills repeated reads of the same thing once a day, so this remembers the day's reads.
#[derive(Debug, Default)]
pub(crate) struct Biller {
    bill: Bill,
    /// Days since 1970.
    day: i64,
    seen: HashSet<Read>,
}

impl Biller {
    pub(crate) fn bill(&self) -> Bill {
        self.bill
    }

    pub(crate) fn read(&mut self, read: Read, at: Timestamp) {
        let day = at.as_second().div_euclid(24 * 60 * 60);
        if day != self.day {
            self.day = day;
            self.seen.clear();
        }
        if !self.seen.insert(read) {
            return;
        }
        match read {
            Read::Post(_) => self.bill.post_reads += 1,
            Read::User(_) => self.bill.user_reads += 1,
            Read::Owned(_) => self.bill.owned_reads += 1,
        }
    }

    pub(crate) fn post(&mut self, with_link: bool) {
        if with_link {
            self.bill.posts_with_link += 1;
        } else {
            self.bill.posts += 1;
        }
    }

    pub(crate) fn delete(&mut self) {
        self.bill.deletes += 1;
    }

    pub(crate) fn media_metadata(&mut self) {
        self.bill.media_metadata += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_read_is_billed_once_a_day() {
        let mut biller = Biller::default();
        let day = |day: &str| format!("{day}T12:00:00Z").parse::<Timestamp>().unwrap();
        biller.read(Read::Post(1), day("2026-11-23"));
        biller.read(Read::Post(1), day("2026-11-23"));
        biller.read(Read::Post(1), day("2026-11-24"));
        assert_eq!(biller.bill().post_reads, 2);
        assert_eq!(biller.bill().total(), "$0.010");
    }

    #[test]
    fn a_post_with_a_link_costs_more() {
        let mut biller = Biller::default();
        biller.post(false);
        biller.post(true);
        assert_eq!(biller.bill().total(), "$0.215");
    }
}
