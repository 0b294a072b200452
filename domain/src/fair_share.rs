//! How instances share the sources and accounts without a coordinator. Each instance looks at the same survey and
//! decides alone what to acquire and what to give back, so the rule must lead all of them to the same spread, must not
//! move a lease without need, and must come to rest.
//!
//! Of `n` names and `m` instances, each gets `n / m`, and as many as there are names left over get one more. Those that
//! hold the most get the additional ones, so that the start or the end of an instance moves no more than it must.
//! Sources and accounts are counted separately: an instance with many sources and no account would be idle.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash as _, Hasher as _},
};

use fnv::FnvHasher;

use crate::ports::leases::{InstanceId, LeaseName, Survey};

/// What an instance does to come closer to its share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moves {
    /// Free names to acquire.
    pub acquire: Vec<LeaseName>,
    /// Names that it holds and gives back once their work in progress is finished.
    pub give_back: Vec<LeaseName>,
}

/// What `me` does about the `wanted` names, as things are in `survey`. An instance that is not alive has no share. A
/// name whose holder is not alive becomes free when its lease runs out.
pub fn moves(me: &InstanceId, wanted: &BTreeSet<LeaseName>, survey: &Survey) -> Moves {
    let (sources, accounts): (Vec<_>, Vec<_>) =
        wanted.iter().partition(|name| matches!(name, LeaseName::Source(_)));
    let mut moves = Moves::default();
    for names in [sources, accounts] {
        let Moves { acquire, give_back } = moves_of_a_kind(me, &names, survey);
        moves.acquire.extend(acquire);
        moves.give_back.extend(give_back);
    }
    moves
}

/// The same for names that are counted together.
fn moves_of_a_kind(me: &InstanceId, names: &[&LeaseName], survey: &Survey) -> Moves {
    let holders: BTreeMap<&LeaseName, &InstanceId> =
        survey.leases.iter().map(|(name, holder, _)| (name, holder)).collect();
    let mut held: BTreeMap<&InstanceId, usize> =
        survey.instances.iter().map(|instance| (&instance.id, 0)).collect();
    held.entry(me).or_default();
    for holder in names.iter().filter_map(|name| holders.get(name)) {
        if let Some(count) = held.get_mut(holder) {
            *count += 1;
        }
    }
    let share = share(me, names.len(), &held);
    let mine = held.get(me).copied().unwrap_or_default();
    let mut by_preference: Vec<&LeaseName> = names.to_vec();
    by_preference.sort_by_key(|name| preference(me, name));
    let owned_by = |name: &&LeaseName| holders.get(name).copied();
    let free = by_preference.iter().copied().filter(|name| owned_by(name).is_none());
    let own = by_preference.iter().rev().copied().filter(|name| owned_by(name) == Some(me));
    Moves {
        acquire: free.take(share.saturating_sub(mine)).cloned().collect(),
        give_back: own.take(mine.saturating_sub(share)).cloned().collect(),
    }
}

/// How many of `total` names an instance is to hold, given how many each holds now.
fn share(me: &InstanceId, total: usize, held: &BTreeMap<&InstanceId, usize>) -> usize {
    let instances = held.len().max(1);
    let mine = held.get(me).copied().unwrap_or_default();
    let before_me =
        held.iter().filter(|(id, count)| **count > mine || (**count == mine && **id < me)).count();
    total / instances + usize::from(before_me < total % instances)
}

/// In which order an instance acquires names. Each has an order of its own, so that instances that start together do
/// not all ask for the same ones.
fn preference(me: &InstanceId, name: &LeaseName) -> u64 {
    let mut hasher = FnvHasher::default();
    me.hash(&mut hasher);
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        AccountId,
        ports::leases::{Fence, Instance},
    };

    fn id(number: usize) -> InstanceId {
        InstanceId::from(format!("i{number}").as_str())
    }

    fn names(accounts: usize, sources: usize) -> BTreeSet<LeaseName> {
        let account = |number| LeaseName::Account(AccountId::from(format!("net:a{number}").as_str()));
        let source = |number| LeaseName::Source(format!("net:s{number}").into());
        (0..accounts).map(account).chain((0..sources).map(source)).collect()
    }

    /// A table of leases, and the instances that are alive.
    #[derive(Debug, Clone, Default)]
    struct Table {
        leases: BTreeMap<LeaseName, InstanceId>,
        alive: BTreeSet<InstanceId>,
    }

    impl Table {
        fn of(alive: usize) -> Self {
            Self { alive: (0..alive).map(id).collect(), ..Self::default() }
        }

        fn survey(&self) -> Survey {
            let instance = |id: &InstanceId| Instance {
                id: id.clone(),
                host: String::new(),
                admin: None,
                version: String::new(),
                started: Timestamp::UNIX_EPOCH,
            };
            let lease = |(name, owner): (&LeaseName, &InstanceId)| (name.clone(), owner.clone(), Fence(1));
            Survey {
                instances: self.alive.iter().map(instance).collect(),
                leases: self.leases.iter().map(lease).collect(),
            }
        }

        /// Makes an instance's moves; returns how many changed something.
        fn make(&mut self, me: &InstanceId, moves: Moves) -> usize {
            let mut made = 0;
            for name in moves.give_back {
                if self.leases.get(&name) == Some(me) {
                    self.leases.remove(&name);
                    made += 1;
                }
            }
            for name in moves.acquire {
                self.leases.entry(name).or_insert_with(|| {
                    made += 1;
                    me.clone()
                });
            }
            made
        }

        /// Lets every instance look and act, one after another; returns how many moves were made.
        fn round(&mut self, wanted: &BTreeSet<LeaseName>) -> usize {
            let alive: Vec<InstanceId> = self.alive.iter().cloned().collect();
            alive.iter().map(|me| self.make(me, moves(me, wanted, &self.survey()))).sum()
        }

        /// Runs rounds until nothing moves; returns how many moves were made.
        fn settle(&mut self, wanted: &BTreeSet<LeaseName>) -> usize {
            let mut made = 0;
            for _ in 0..5 {
                match self.round(wanted) {
                    0 => return made,
                    more => made += more,
                }
            }
            panic!("it does not come to rest: {self:?}");
        }

        fn die(&mut self, me: &InstanceId) {
            self.alive.remove(me);
            self.leases.retain(|_, owner| owner != me);
        }

        fn is_fair(&self, wanted: &BTreeSet<LeaseName>) -> bool {
            let is_fair_in = |kind: fn(&LeaseName) -> bool| {
                let counts: Vec<usize> = self
                    .alive
                    .iter()
                    .map(|id| self.leases.iter().filter(|(name, owner)| *owner == id && kind(name)).count())
                    .collect();
                counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0) <= 1
            };
            wanted.iter().all(|name| self.leases.contains_key(name))
                && is_fair_in(|name| matches!(name, LeaseName::Source(_)))
                && is_fair_in(|name| matches!(name, LeaseName::Account(_)))
        }
    }

    #[test]
    fn one_instance_alone_acquires_everything() {
        let (mut table, wanted) = (Table::of(1), names(3, 2));
        assert_eq!(table.settle(&wanted), 5);
    }

    #[test]
    fn a_name_of_a_dead_instance_is_left_alone_until_its_lease_runs_out() {
        let (mut table, wanted) = (Table::of(1), names(1, 0));
        table.leases.insert(wanted.first().unwrap().clone(), id(7));
        assert_eq!(moves(&id(0), &wanted, &table.survey()), Moves::default());
        table.leases.clear();
        assert_eq!(moves(&id(0), &wanted, &table.survey()).acquire.len(), 1);
    }

    #[test]
    fn a_name_that_this_instance_does_not_want_counts_for_nobody() {
        let (mut table, wanted) = (Table::of(2), names(2, 0));
        for number in 10..20 {
            let other = LeaseName::Account(AccountId::from(format!("net:a{number}").as_str()));
            table.leases.insert(other, id(0));
        }
        assert_eq!(moves(&id(0), &wanted, &table.survey()).acquire.len(), 1);
        assert_eq!(moves(&id(0), &wanted, &table.survey()).give_back, vec![]);
    }

    proptest! {
        #[test]
        fn whatever_happened_before_every_name_gets_an_owner_and_all_own_about_the_same(
            (accounts, sources) in (0_usize..20, 0_usize..6),
            alive in 1_usize..7,
            // What instances do in an order of their own, on what they saw some time before.
            acts in prop::collection::vec((0_usize..7, any::<bool>()), 0..60),
        ) {
            let (mut table, wanted) = (Table::of(alive), names(accounts, sources));
            let mut seen: BTreeMap<InstanceId, Survey> = BTreeMap::new();
            for (who, looks) in acts {
                let me = id(who % alive);
                if looks {
                    seen.insert(me, table.survey());
                } else if let Some(survey) = seen.get(&me) {
                    table.make(&me, moves(&me, &wanted, survey));
                }
            }
            table.settle(&wanted);
            prop_assert!(table.is_fair(&wanted), "{table:?}");
        }

        #[test]
        fn a_death_moves_only_what_the_dead_instance_held(
            (accounts, sources) in (0_usize..20, 0_usize..6),
            (alive, dies) in (2_usize..7, 0_usize..7),
        ) {
            let (mut table, wanted) = (Table::of(alive), names(accounts, sources));
            table.settle(&wanted);
            let dead = id(dies % alive);
            let orphans = table.leases.values().filter(|owner| **owner == dead).count();
            table.die(&dead);
            prop_assert_eq!(table.settle(&wanted), orphans);
            prop_assert!(table.is_fair(&wanted));
        }

        #[test]
        fn a_start_moves_only_what_the_new_instance_gets(
            (accounts, sources) in (0_usize..20, 0_usize..6),
            alive in 1_usize..7,
        ) {
            let (mut table, wanted) = (Table::of(alive), names(accounts, sources));
            table.settle(&wanted);
            let new = id(alive);
            table.alive.insert(new.clone());
            let made = table.settle(&wanted);
            let got = table.leases.values().filter(|owner| **owner == new).count();
            // Each is given back by one instance and acquired by another.
            prop_assert_eq!(made, 2 * got);
            prop_assert_eq!(got, accounts / (alive + 1) + sources / (alive + 1));
            prop_assert!(table.is_fair(&wanted));
        }
    }
}
