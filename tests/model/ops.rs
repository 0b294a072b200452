//! Operations on a ledger. An operation is drawn as small numbers and becomes concrete only when it runs, against the
//! current record: "the third job, its second possible step". So most operations are realistic, and a failing run still
//! shrinks to a short one.

use std::{ops::Range, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use mynah_domain::{
    Hold, JobEvent, JobId, JobState, Money, Post, PostId, PostKind, PublicationKey, Reply, Skip, TargetId,
    Translation,
    budget::{Budget, Budgets, Charge, Cost, Limit, Payer, Period, Purpose, Scope},
    job::HoldKind,
    ports::ledger::{Change, Mark, Raw, RecordPage, RecordPost, Reservation, ReservationKey},
    review::{Draft, Guidance, ReviewAction, ReviewDecision},
};
use proptest::{collection::vec, option, prelude::*};

use super::memory::{Memory, Refusal, Row, account_of};

pub(crate) const SOURCES: [&str; 2] = ["x:town", "x:left"];
pub(crate) const TARGETS: [&str; 3] = ["es", "ca", "eu"];

/// How many positions a poll leaves for posts that it has not seen yet.
const ROOM: u64 = 6;

/// A job that does not exist.
const UNKNOWN: u16 = u16::MAX;

/// The targets whose bits are set.
pub(crate) fn targets_in(bits: u8) -> Vec<TargetId> {
    (0..TARGETS.len()).filter(|index| bits >> index & 1 == 1).map(target).collect()
}

pub(crate) fn target(index: usize) -> TargetId {
    TargetId::new("x", TARGETS[index % TARGETS.len()])
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Record(Poll),
    Advance(Vec<Step>),
    /// Moves the clock forward, or back, by this many minutes.
    Clock(i64),
    /// Recovers the targets whose bits are set.
    Recover(u8),
    /// Repeats one of the last changes, as if its answer was lost; 0 is the latest.
    Repeat(usize),
    Remember(u8, u8),
    /// Forgets one of the recorded posts, or one that does not exist.
    Forget(u16),
    /// Forgets up to this many posts that were settled this many minutes ago.
    Expire(i64, usize),
    /// Reserves some money.
    Reserve(Amounts),
    /// Settles one of the reservations, or one that does not exist, with another amount.
    Settle(u16, Amounts),
    /// Charges without a reservation.
    Charge(Amounts),
    /// Rewrites the file.
    Compact,
    /// A clean stop and a restart.
    Reopen {
        recover: Option<u8>,
    },
    /// Kills the process between two operations, perhaps during a background write.
    Crash {
        torn: u16,
        recover: Option<u8>,
    },
    /// Kills the process during these steps; the next process repeats them.
    KilledWhile(Vec<Step>),
}

/// Some amounts of money, each with who pays it.
#[derive(Debug, Clone)]
pub(crate) struct Amounts(Vec<(u64, usize, usize)>);

/// One page of a poll.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    source: usize,
    fresh: Vec<Fresh>,
    /// Recorded posts that arrive again, changed.
    again: Vec<(u16, Form)>,
    whole: bool,
}

/// A new post.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    /// A bit for each target with a job.
    targets: u8,
    /// A bit for each target that skips it.
    skipped: u8,
    form: Form,
}

/// The form in which a post arrives.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    /// It cannot be read.
    raw: bool,
    /// It is a version of this recorded post, or of the post just before it.
    edits: Option<u16>,
}

/// A requested change of a job.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    job: u16,
    /// The offset of its token from the current one.
    token: i64,
    moves: Vec<Move>,
}

#[derive(Debug, Clone)]
struct Move {
    /// Any event, even if it is illegal for the job.
    wild: bool,
    pick: u16,
    part: u32,
    other_id: bool,
    hours: Option<i64>,
}

pub(crate) fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    // Without posts there is nothing to do.
    (poll(1..4), vec(op(), 1..most))
        .prop_map(|(first, rest)| std::iter::once(Op::Record(first)).chain(rest).collect())
}

fn op() -> impl Strategy<Value = Op> {
    let minutes = prop::sample::select(vec![1, 60, 7 * 60, 24 * 60, 31 * 24 * 60, -1, -7 * 60, -24 * 60]);
    let minutes_ago = prop::sample::select(vec![-1, 0, 60, 7 * 60, 24 * 60]);
    let torn = prop_oneof![Just(0), 1_u16..9000];
    prop_oneof![
        60 => vec(step(), 1..4).prop_map(Op::Advance),
        9 => poll(0..3).prop_map(Op::Record),
        6 => minutes.prop_map(Op::Clock),
        4 => targets().prop_map(Op::Recover),
        8 => (0..4_usize).prop_map(Op::Repeat),
        1 => (0..3_u8, any::<u8>()).prop_map(|(key, value)| Op::Remember(key, value)),
        5 => prop_oneof![9 => 0..60_u16, 1 => Just(UNKNOWN)].prop_map(Op::Forget),
        3 => (minutes_ago, 1..4_usize).prop_map(|(minutes, most)| Op::Expire(minutes, most)),
        4 => amounts().prop_map(Op::Reserve),
        4 => (any::<u16>(), amounts()).prop_map(|(pick, amounts)| Op::Settle(pick, amounts)),
        1 => amounts().prop_map(Op::Charge),
        2 => Just(Op::Compact),
        4 => option::of(targets()).prop_map(|recover| Op::Reopen { recover }),
        5 => (torn, option::of(targets())).prop_map(|(torn, recover)| Op::Crash { torn, recover }),
        5 => vec(step(), 1..4).prop_map(Op::KilledWhile),
    ]
}

fn amounts() -> impl Strategy<Value = Amounts> {
    vec((0..60_u64, 0..4_usize, 0..2_usize), 1..4).prop_map(Amounts)
}

/// A bit for each of some targets, mostly all.
fn targets() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(u8::MAX), 1 => any::<u8>()]
}

fn poll(posts: Range<usize>) -> impl Strategy<Value = Poll> {
    let skipped = prop_oneof![4 => Just(0), 1 => any::<u8>()];
    let fresh =
        (1..8_u8, skipped, form()).prop_map(|(targets, skipped, form)| Fresh { targets, skipped, form });
    let source = prop_oneof![4 => Just(0), 1 => Just(1_usize)];
    (source, vec(fresh, posts), vec((any::<u16>(), form()), 0..2), prop::bool::weighted(0.7))
        .prop_map(|(source, fresh, again, whole)| Poll { source, fresh, again, whole })
}

fn form() -> impl Strategy<Value = Form> {
    (prop::bool::weighted(0.2), option::weighted(0.3, any::<u16>()))
        .prop_map(|(raw, edits)| Form { raw, edits })
}

fn step() -> impl Strategy<Value = Step> {
    let token = prop_oneof![14 => Just(0), 1 => -2..0_i64, 1 => 1..3_i64];
    // Mostly the same few jobs, or none would get far.
    let job = prop_oneof![20 => 0..4_u16, 6 => 0..u16::MAX, 1 => Just(UNKNOWN)];
    (job, token, vec(a_move(), 0..5)).prop_map(|(job, token, moves)| Step { job, token, moves })
}

fn a_move() -> impl Strategy<Value = Move> {
    let other_id = prop::bool::weighted(0.15);
    (prop::bool::weighted(0.1), any::<u16>(), 0..3_u32, other_id, option::of(-3..50_i64))
        .prop_map(|(wild, pick, part, other_id, hours)| Move { wild, pick, part, other_id, hours })
}

/// The budgets: a dollar a day for everything, less for a part of it, and a month's that some days can use up.
pub(crate) fn budgets() -> Budgets {
    let budget = |scope, period, cents: u64, setting: &str| Budget {
        scope,
        period,
        most: Money::from_micros(cents * CENT),
        setting: setting.into(),
    };
    let all = vec![
        budget(Scope::Everything, Period::Day, 100, "budget.daily"),
        budget(Scope::Everything, Period::Month, 250, "budget.monthly"),
        budget(Scope::Target(target(0)), Period::Day, 60, "targets[1].daily_budget"),
        budget(Scope::Source(SOURCES[0].into()), Period::Month, 200, "sources.town.monthly_budget"),
        budget(Scope::Service("gemini".into()), Period::Day, 40, "engines.gemini.daily_budget"),
    ];
    Budgets { all, ..Budgets::default() }
}

const CENT: u64 = 10_000;

impl Amounts {
    pub(crate) fn charges(&self, now: Timestamp) -> Vec<Charge> {
        let charge = |(cents, name, source): &(u64, usize, usize)| Charge {
            payer: Payer {
                source: SOURCES[*source].into(),
                target: (*name < TARGETS.len()).then(|| target(*name)),
                service: if cents % 2 == 0 { "gemini".into() } else { "x".into() },
            },
            purpose: if cents % 3 == 0 { Purpose::Read } else { Purpose::Translate },
            day: budgets().day(now),
            amount: Money::from_micros(cents * CENT),
            units: cents % 5,
        };
        self.0.iter().map(charge).collect()
    }

    pub(crate) fn reservation(&self, key: ReservationKey, now: Timestamp) -> Reservation {
        let charges = self.charges(now);
        let mut limits: Vec<Limit> = Vec::new();
        for limit in charges.iter().flat_map(|charge| budgets().limits(&charge.payer, now)) {
            if !limits.contains(&limit) {
                limits.push(limit);
            }
        }
        Reservation { key, charges, limits }
    }
}

/// The key of the n-th reservation.
pub(crate) fn reservation_key(number: usize) -> ReservationKey {
    ReservationKey(-(number as i64) - 1)
}

/// The reservation to settle.
pub(crate) fn to_settle(pick: u16, memory: &Memory) -> ReservationKey {
    let known: Vec<ReservationKey> = memory.reservations.keys().copied().collect();
    pick_of(pick, &known).copied().unwrap_or(ReservationKey(i64::MIN))
}

impl Poll {
    /// The page for the current record: new posts are newer than all others, or, during a backfill, between the posts
    /// seen so far and the watermark.
    pub(crate) fn page(&self, memory: &Memory) -> RecordPage {
        let source = SOURCES[self.source];
        let mine = || memory.jobs.iter().filter(|row| row.source == source);
        let before = memory.checkpoints.get(source).cloned().unwrap_or_default();
        let bottom = before.watermark.as_ref().map_or(0, |mark| mark.position + 1);
        let top = match &before.backfill {
            Some(backfill) => backfill.oldest.position,
            None => mine().map(|row| row.post.position + 1).max().unwrap_or(0).max(bottom) + ROOM,
        };
        let known: Vec<PostId> = mine().map(|row| row.post.id.clone()).collect();
        let mut posts: Vec<RecordPost> = (bottom..top)
            .rev()
            .zip(&self.fresh)
            .map(|(position, fresh)| {
                let is_set = |bits: u8, index: usize| bits >> index & 1 == 1;
                let jobs = (0..TARGETS.len()).filter(|index| is_set(fresh.targets, *index));
                // A person may retry the first; the second is final.
                let why = if position.is_multiple_of(2) { Skip::OtherLanguage } else { Skip::Reply };
                let skip = |index| is_set(fresh.skipped, index).then_some(why);
                let jobs = jobs.map(|index| (target(index), skip(index))).collect();
                fresh.form.of(post(source, position), jobs, &known)
            })
            .collect();
        let seen: Vec<Mark> = posts.iter().map(|record| Mark::of(&record.post)).collect();
        let checkpoint = before.after_page(&seen, self.whole);
        for (pick, form) in &self.again {
            let Some(row) = pick_of(*pick, &mine().collect::<Vec<_>>()).copied() else { break };
            let changed = Post { text: "Something else".into(), ..post(source, row.post.position) };
            let jobs = (0..TARGETS.len()).map(|index| (target(index), None)).collect();
            posts.push(form.of(changed, jobs, &known));
        }
        RecordPage { source: source.into(), posts, checkpoint, settles: None }
    }
}

/// Ids differ between sources, positions do not.
pub(crate) fn plain_post(source: &str, position: u64) -> Post {
    post(source, position)
}

fn post(source: &str, position: u64) -> Post {
    Post {
        id: id(source, position),
        position,
        text: format!("Post {position}"),
        entities: None,
        language: Some("en".into()),
        kind: PostKind::Original,
        created_at: Timestamp::UNIX_EPOCH,
        media: vec![],
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: vec![],
    }
}

fn id(source: &str, position: u64) -> PostId {
    PostId(format!("{}{position}", &source[2..3]))
}

impl Form {
    /// A post in this form, for the recorded posts.
    fn of(&self, mut post: Post, jobs: Vec<(TargetId, Option<Skip>)>, known: &[PostId]) -> RecordPost {
        if let Some(pick) = self.edits {
            let source = post.id.0.chars().next().map(String::from).unwrap_or_default();
            let before = PostId(format!("{source}{}", post.position.saturating_sub(1)));
            let other = pick_of(pick, known).filter(|_| pick % 3 > 0).cloned().unwrap_or(before);
            post.versions = vec![other, post.id.clone()];
        }
        let reason = format!("unreadable {}", post.position);
        let unreadable = self.raw.then(|| Raw { json: "{}".into(), reason });
        RecordPost { post: Arc::new(post), jobs, unreadable }
    }
}

impl Step {
    /// The change for the current record.
    pub(crate) fn change(&self, memory: &Memory, now: Timestamp) -> Change {
        let unknown = JobId(memory.jobs.len() as i64 + 1);
        let Some(row) = pick_of(self.job, &memory.jobs).filter(|_| self.job != UNKNOWN) else {
            return Change::new(unknown, self.token, vec![JobEvent::LeasedForTranslation]);
        };
        let newest = memory.newest_beside(row);
        let mut row = row.clone();
        let (job, token, in_review) = (row.id, row.token + self.token, row.state == JobState::Review);
        let events = self.moves.iter().filter_map(|a_move| a_move.event(&mut row, newest, now)).collect();
        let pick = self.moves.first().map_or(0, |first| first.pick);
        if in_review && !pick.is_multiple_of(4) {
            let action = ReviewAction::ALL[usize::from(pick) % ReviewAction::ALL.len()];
            let note = (!pick.is_multiple_of(3)).then(|| format!("note {pick}"));
            return Change::decided(job, token, events, ReviewDecision { who: None, action, note });
        }
        Change::new(job, token, events)
    }
}

impl Move {
    /// The next event of a job like `row`, which takes the step.
    fn event(&self, row: &mut Row, newest: Option<&PostId>, now: Timestamp) -> Option<JobEvent> {
        let after = |event: &JobEvent| {
            let mut next = row.clone();
            next.step(event, newest, now).ok().map(|()| next)
        };
        let mut possible = self.events(row, now);
        if self.wild {
            // The table refuses most events, so pick one that only the record of the parts refuses.
            let against = |event: &JobEvent| row.clone().step(event, newest, now) == Err(Refusal::Record);
            if possible.iter().any(against) {
                possible.retain(against);
            }
        } else {
            possible.retain(|event| after(event).is_some());
        }
        let event = pick_of(self.pick, &possible)?.clone();
        if let Some(next) = after(&event) {
            *row = next;
        }
        Some(event)
    }

    /// The possible events of a job; common ones come first and more than once.
    fn events(&self, row: &Row, now: Timestamp) -> Vec<JobEvent> {
        let moment = self.hours.map(|hours| now + SignedDuration::from_hours(hours));
        let reason = format!("reason {}", self.pick % 7);
        let text = format!("Part {}", self.part);
        let id =
            |part: u32| PostId(format!("{}-{part}{}", row.id, if self.other_id { "-other" } else { "" }));
        let key = PublicationKey::new(now);
        let cost = |part: u32| {
            let wanted = row.translation.as_ref().map_or(1, |translation| translation.parts.len() as u32);
            let later_parts = u64::from(wanted.saturating_sub(part + 1));
            let cents = u64::from(self.pick % 4) * 13;
            let payer = Payer {
                source: row.source.as_str().into(),
                target: Some(row.target.clone()),
                service: "x".into(),
            };
            (cents > 0).then(|| {
                Box::new(Cost {
                    service: payer.service.clone(),
                    day: budgets().day(now),
                    amount: Money::from_micros(cents * CENT),
                    rest: Money::from_micros(later_parts * 13 * CENT),
                    later_parts,
                    limits: budgets().limits(&payer, now),
                })
            })
        };
        let begun = |part| JobEvent::PartBegun {
            cost: cost(part),
            part,
            account: account_of(&row.target),
            text: text.clone(),
            key,
            reply: self.other_id.then(|| Box::new(Reply { root: id(8), parent: id(9) })),
        };
        let sent = |part| JobEvent::PartSent { part, remote_id: id(part) };
        let hold = |kind| JobEvent::Held(Hold { kind, reason: reason.clone(), until: moment });
        let parts = (0..=self.part).map(|part| format!("Part {part}")).collect();
        let translation = Translation {
            parts,
            engine: format!("engine {}", self.part),
            alts: vec![],
            warning: None,
            card: None,
        };
        let mut events = vec![
            JobEvent::LeasedForTranslation,
            JobEvent::Translated(translation),
            JobEvent::LeasedForPublication,
        ];
        let wanted = row.translation.as_ref().map_or(0, |translation| translation.parts.len() as u32);
        if row.state == JobState::Publishing {
            for part in 0..wanted.max(1) {
                match row.parts.get(&part) {
                    None => events.push(begun(part)),
                    Some(publication) if publication.remote_id.is_none() => events.push(sent(part)),
                    Some(_) => continue,
                }
                break;
            }
        }
        events.push(JobEvent::Published);
        let mut events = [&events; 4].into_iter().flatten().cloned().collect::<Vec<_>>();
        events.extend([
            begun(self.part),
            sent(self.part),
            JobEvent::PartAbsent { part: self.part },
            JobEvent::HandedBack { not_before: moment, reason: reason.clone() },
            JobEvent::NotSent { not_before: moment, reason: reason.clone() },
            JobEvent::OutcomeLost { not_before: moment, reason: reason.clone() },
            JobEvent::Untouched,
            JobEvent::Released { translated: row.translation.is_some() },
            JobEvent::Released { translated: row.translation.is_some() },
            hold(
                [HoldKind::Cap, HoldKind::Quota, HoldKind::Engine, HoldKind::Refused, HoldKind::Budget]
                    [usize::from(self.pick) % 5],
            ),
        ]);
        // An undo of a skip drafts a queued job again; nothing else does.
        if row.state != JobState::Queued {
            let translation = Translation::by("draft", vec![text.clone()]);
            events.push(JobEvent::Drafted(Box::new(Draft { translation, doubts: vec![], accepted: None })));
        }
        if row.state == JobState::Review {
            let hint = Some(reason.clone());
            events.push(JobEvent::Again(Guidance { hint, engine: None }));
            events.push(JobEvent::SetAside { reason: reason.clone() });
        }
        // Rare, or no job would ever be published.
        match self.part {
            0 => events.push(JobEvent::Failed { reason }),
            1 => events.push(JobEvent::Released { translated: row.translation.is_none() }),
            _ if self.other_id => {
                let skip = if self.pick.is_multiple_of(2) { Skip::Wordless } else { Skip::Repeated };
                events.push(JobEvent::Skipped(skip));
            }
            2 if self.pick.is_multiple_of(2) => events.push(JobEvent::Skipped(Skip::ByHand)),
            2 => events.push(JobEvent::Restored { translated: row.translation.is_some() }),
            _ => {}
        }
        events
    }
}

/// The post to forget.
pub(crate) fn to_forget(pick: u16, memory: &Memory) -> PostId {
    let known: Vec<&PostId> = memory.posts.keys().map(|(_, id)| id).collect();
    let known = pick_of(pick, &known).filter(|_| pick != UNKNOWN);
    known.map_or_else(|| PostId("never".into()), |id| (*id).clone())
}

fn pick_of<T>(pick: u16, from: &[T]) -> Option<&T> {
    from.get(usize::from(pick).checked_rem(from.len())?)
}
