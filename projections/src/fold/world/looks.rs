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

impl World {
    pub(super) fn supply_looks(
        &mut self,
        asked: BTreeSet<Look>,
        mut found: HashMap<Look, BTreeMap<u64, String>>,
    ) {
        for look in asked {
            let ids = found.remove(&look).unwrap_or_default().into_iter();
            let mut ids: Ids = ids
                .map(|(created, id)| {
                    let key = KeyRef::new(&look.kind, &id);
                    (created, self.kept(key).unwrap_or_else(|| key.to_key()))
                })
                .collect();
            for (key, created, then, now) in self.moved(&look) {
                match (then, now) {
                    (true, false) => ids.remove(&created),
                    (false, true) => ids.insert(created, key),
                    _ => None,
                };
            }
            self.looked += LOOK + ids.len() * LOOK / 2;
            self.looks.insert(look, used(ids, self.batch));
        }
    }

    pub(super) fn supply_counts(&mut self, asked: BTreeSet<Look>, mut found: HashMap<Look, u64>) {
        for look in asked {
            let mut count = found.remove(&look).unwrap_or_default();
            for (_, _, then, now) in self.moved(&look) {
                match (then, now) {
                    (true, false) => count = count.saturating_sub(1),
                    (false, true) => count += 1,
                    _ => {}
                }
            }
            self.looked += LOOK;
            self.counts.insert(look, used(count, self.batch));
        }
    }

    /// The entities of a look-up's kind that this batch has changed: whether it found them before, and finds them now.
    pub(super) fn moved(&self, look: &Look) -> Vec<(Key, u64, bool, bool)> {
        let mut moved = Vec::new();
        for key in self.changed.iter().filter(|key| key.kind() == &*look.kind) {
            if let Some(slot) = self.entities.get(&key.by_ref())
                && let (Some((existed, before)), Some(entity)) = (&slot.before, &slot.entity)
            {
                let of = look.by_ref();
                let finds = |links: &[Link]| links.iter().any(|link| LookRef::of(key, link) == of);
                let (then, now) = if look.is_all() {
                    (*existed, true)
                } else {
                    (finds(before), finds(&slot.links))
                };
                moved.push((key.clone(), entity.created_seq, then, now));
            }
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
