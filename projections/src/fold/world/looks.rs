//! Look-ups: which entities say a value at a place, and how many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use hashbrown::HashMap;
use schema::Indexed;

use super::World;
use super::memory::{LOOK, Used, used};
use super::seen::Of;
use crate::entity::{Key, KeyRef};
use crate::fold::link::{self, Link};
use crate::fold::needs::{Look, LookRef};

/// What a look-up finds that has never found anything.
static NOTHING: Ids = Ids::new();

/// Whom a look-up finds, by the positions of their first events. The names are those under which the entities are kept.
pub(in crate::fold) type Ids = BTreeMap<u64, Key>;

/// An entity with the position of its first event, and whether a look-up finds it from here on.
pub(super) type Moved = (Key, u64, bool);

impl World {
    pub(super) fn supply_looks(
        &mut self,
        asked: BTreeSet<Look>,
        mut found: HashMap<Look, BTreeMap<u64, String>>,
    ) {
        let moved = self.moved(&asked);
        for look in asked {
            let ids = found.remove(&look).unwrap_or_default().into_iter();
            let mut ids: Ids = ids
                .map(|(created, id)| {
                    let key = KeyRef::new(&look.kind, &id);
                    (created, self.kept(key).unwrap_or_else(|| key.to_key()))
                })
                .collect();
            for (key, created, finds) in moved.get(&look).into_iter().flatten() {
                if *finds {
                    ids.insert(*created, key.clone());
                } else {
                    ids.remove(created);
                }
            }
            self.looked += LOOK + ids.len() * LOOK / 2;
            self.looks.insert(look, used(ids, self.batch));
        }
    }

    pub(super) fn supply_counts(&mut self, asked: BTreeSet<Look>, mut found: HashMap<Look, u64>) {
        let moved = self.moved(&asked);
        for look in asked {
            let mut count = found.remove(&look).unwrap_or_default();
            for (_, _, finds) in moved.get(&look).into_iter().flatten() {
                count = if *finds {
                    count + 1
                } else {
                    count.saturating_sub(1)
                };
            }
            self.looked += LOOK;
            self.counts.insert(look, used(count, self.batch));
        }
    }

    /// What this batch has changed of what these look-ups find: each entity that one found before and does not find now,
    /// or finds now and did not before.
    pub(super) fn moved(&self, asked: &BTreeSet<Look>) -> HashMap<Look, Vec<Moved>> {
        let mut moved: HashMap<Look, Vec<Moved>> = HashMap::new();
        if asked.is_empty() {
            return moved;
        }
        for look in asked {
            moved.insert(look.clone(), Vec::new());
        }
        for key in &self.changed {
            let Some(slot) = self.entities.get(&key.by_ref()) else {
                continue;
            };
            let (Some((existed, before)), Some(entity)) = (&slot.before, &slot.entity) else {
                continue;
            };
            let created = entity.created_seq;
            let mut note = |look: LookRef<'_>, finds| {
                if let Some(moved) = moved.get_mut(&look) {
                    moved.push((key.clone(), created, finds));
                }
            };
            if !existed {
                note(LookRef::all(key.kind()), true);
            }
            link::only(before, &slot.links).for_each(|link| note(LookRef::of(key, link), false));
            link::only(&slot.links, before).for_each(|link| note(LookRef::of(key, link), true));
        }
        moved
    }

    /// What a look-up finds, where that is known here.
    pub(in crate::fold) fn look(&self, look: &Look) -> Option<&Ids> {
        if let Some(known) = self.looks.get(look) {
            known.used.store(self.batch, Relaxed);
            return Some(&known.what);
        }
        self.found_nothing(look).then_some(&NOTHING)
    }

    /// Whether a look-up has never found anything, for certain.
    pub(super) fn found_nothing(&self, look: &Look) -> bool {
        self.never(Of::Look(look.by_ref())) && !self.unsure.contains(&*look.kind)
    }

    /// How many a look-up finds, where that is known here.
    pub(in crate::fold) fn count(&self, look: &Look) -> Option<u64> {
        if let Some(known) = self.counts.get(look) {
            known.used.store(self.batch, Relaxed);
            return Some(known.what);
        }
        u64::try_from(self.look(look)?.len()).ok()
    }

    /// What rules ask for finds an entity by its links of now, and not by those that it had.
    pub(super) fn look_ups_move(
        &mut self,
        key: &Key,
        created: u64,
        places: &[Indexed],
        old: &[Link],
        new: &[Link],
    ) {
        let asked = |link: &Link| {
            let mut there = places.iter().filter(|one| one.path().text() == &link.field);
            there.any(|one| one.is_asked() && one.target() == &link.target_kind)
        };
        for (these, those, found) in [(old, new, false), (new, old, true)] {
            for link in link::only(these, those).filter(|link| asked(link)) {
                self.moves(key, created, LookRef::of(key, link), found);
            }
        }
    }

    /// A look-up finds an entity from here on, or no longer.
    pub(super) fn moves(&mut self, key: &Key, created: u64, look: LookRef<'_>, found: bool) {
        if found && self.see(Of::Look(look)) && !self.unsure.contains(look.kind) {
            // Its first: all that it finds is known from here on.
            self.looked += LOOK;
            if look.is_all() {
                self.counts.insert(look.to_look(), used(0, self.batch));
            } else {
                let nothing = used(Ids::new(), self.batch);
                self.looks.insert(look.to_look(), nothing);
            }
        }
        if let Some(Used { what: ids, .. }) = self.looks.get_mut(&look) {
            if found {
                self.looked += LOOK / 2;
                ids.insert(created, key.clone());
            } else {
                self.looked = self.looked.saturating_sub(LOOK / 2);
                ids.remove(&created);
            }
        }
        if let Some(Used { what: count, .. }) = self.counts.get_mut(&look) {
            *count = if found {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        }
    }
}
