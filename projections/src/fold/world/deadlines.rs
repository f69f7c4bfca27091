//! Deadlines: what the world knows of them. Those of an entity stand beside it; besides, every one that has not fired is
//! known up to a horizon, in the order in which they fire.

use schema::rule::{Armed, Due, RuleKey};

use super::World;
use super::memory::ENTRY;
use super::seen::Of;
use crate::entity::{Key, KeyRef};
use crate::fold::changes::{Changes, Deadline};
use crate::fold::needs::{DueFound, DuePage};

/// How far beyond what has to be known is asked for, in µs: most batches then need not ask at all.
const LOOKAHEAD_US: i64 = 3_600_000_000;
/// How many that have not fired are kept in their order between batches.
const MOST: usize = 20_000;

/// One deadline of an entity: which rule, and which item of the rule's list.
pub(super) type Timer = (RuleKey, String);

/// When it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set {
    due_us: i64,
    armed_seq: u64,
    fired: bool,
}

/// Up to where every deadline that has not fired is known.
#[derive(Debug, Clone)]
pub(super) enum Horizon {
    /// All that are due before this, in µs.
    Before(i64),
    /// All up to this one.
    Until(Box<Due>),
}

impl Default for Horizon {
    fn default() -> Self {
        Self::Before(i64::MIN)
    }
}

impl Horizon {
    fn holds(&self, due: &Due) -> bool {
        match self {
            Self::Before(us) => due.due_us < *us,
            Self::Until(last) => due <= last,
        }
    }

    /// Whether everything that is due before this is known.
    fn reaches(&self, us: i64) -> bool {
        match self {
            Self::Before(known) => *known >= us,
            Self::Until(last) => last.due_us >= us,
        }
    }
}

/// The deadline that fires next before a moment.
#[derive(Debug)]
pub(in crate::fold) enum Next {
    /// This one.
    Is(Due),
    /// None is left.
    None,
    /// These are to be loaded first.
    Unknown(Box<DuePage>),
}

impl World {
    /// When a rule's deadline about an entity is due, or was when it fired: `None` where the entity is not known here,
    /// `Some(None)` where there is none.
    #[expect(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    pub(in crate::fold) fn due_us(
        &self,
        key: KeyRef<'_>,
        by: &RuleKey,
        item: &str,
    ) -> Option<Option<i64>> {
        let Some(slot) = self.entities.get(&key) else {
            return self.never(Of::Entity(key)).then_some(None);
        };
        // A rule has few about one entity, and the key of a map cannot be borrowed in parts.
        let mut all = slot.about().due.iter();
        let set = all.find(|((of, key), _)| of == by && key == item);
        Some(set.map(|(_, one)| one.due_us))
    }

    pub(super) fn is_known_before(&self, us: i64) -> bool {
        self.horizon.reaches(us)
    }

    /// What has to be loaded so that all that is due before this is known.
    pub(in crate::fold) fn lacks_due(&self, before_us: i64) -> Option<Box<DuePage>> {
        if self.horizon.reaches(before_us) {
            return None;
        }
        let (from_us, after) = match &self.horizon {
            Horizon::Before(us) => (*us, None),
            Horizon::Until(last) => (last.due_us, Some((**last).clone())),
        };
        Some(Box::new(DuePage {
            from_us,
            after,
            before_us: before_us.saturating_add(LOOKAHEAD_US),
        }))
    }

    /// The deadline that fires next before a moment.
    pub(in crate::fold) fn next_due(&self, before_us: i64) -> Next {
        match self.unfired.first() {
            Some(due) if due.due_us < before_us => Next::Is(due.clone()),
            _ => self.lacks_due(before_us).map_or(Next::None, Next::Unknown),
        }
    }

    /// Those that fire before a moment, as far as they are known, in their order.
    pub(in crate::fold) fn due_before(&self, us: i64) -> impl Iterator<Item = &Due> {
        self.unfired.iter().take_while(move |due| due.due_us < us)
    }

    /// The deadlines of entities that were asked for.
    pub(super) fn supply_deadlines(&mut self, deadlines: Vec<Deadline>) {
        for Deadline { due, fired } in deadlines {
            let set = Set {
                due_us: due.due_us,
                armed_seq: due.armed_seq,
                fired,
            };
            let key = Key::new(&due.kind, &due.id);
            if let Some(slot) = self.entities.get_mut(&key.by_ref()) {
                slot.about_mut().due.insert((due.by, due.key), set);
                slot.weight += ENTRY;
                self.weight += ENTRY;
            }
        }
    }

    /// A page of those that had not fired when the last batch ended; what this one changed is applied to it here.
    pub(super) fn supply_due(&mut self, page: &DuePage, found: DueFound) {
        let old = std::mem::take(&mut self.horizon);
        let last = found.page.last().filter(|_| found.more);
        self.horizon = match last {
            Some(last) => Horizon::Until(Box::new(last.clone())),
            None => Horizon::Before(page.before_us),
        };
        for due in found.page {
            if !self.is_moved(&due) {
                self.unfired.insert(due);
            }
        }
        let horizon = &self.horizon;
        let moved = self.timers.keys().filter_map(|(key, timer)| {
            let set = self.entities.get(&key.by_ref())?.about().due.get(timer)?;
            let due = due(key.by_ref(), timer, set);
            let new = !set.fired && horizon.holds(&due) && !old.holds(&due);
            new.then_some(due)
        });
        let moved: Vec<Due> = moved.collect();
        self.unfired.extend(moved);
    }

    fn is_moved(&self, due: &Due) -> bool {
        if self.timers.is_empty() {
            return false;
        }
        let key = Key::new(&due.kind, &due.id);
        let timer = (due.by.clone(), due.key.clone());
        self.timers.contains_key(&(key, timer))
    }

    /// It has fired, and will not again at this moment.
    pub(in crate::fold) fn fired(&mut self, due: &Due) {
        self.unfired.remove(due);
        let key = KeyRef::new(&due.kind, &due.id);
        let set = Set {
            due_us: due.due_us,
            armed_seq: due.armed_seq,
            fired: true,
        };
        self.change(key, (due.by.clone(), due.key.clone()), Some(set));
    }

    /// Takes in the deadlines of a rule about an entity, which is known here, in place of those that it had. Gives the
    /// keys of which what was raised is mended.
    pub(in crate::fold) fn arm(&mut self, armed: &Armed, seq: u64) -> Vec<String> {
        let key = KeyRef::new(&armed.kind, &armed.id);
        let slot = self.entities.get(&key);
        let set = slot.into_iter().flat_map(|slot| &slot.about().due);
        let set: Vec<(String, Set)> = set
            .filter(|((by, _), _)| *by == armed.by)
            .map(|((_, item), set)| (item.clone(), *set))
            .collect();
        let mut mended = Vec::new();
        let mut kept = Vec::new();
        for (item, was) in set {
            let now = armed.due.get(&item);
            let stays = now.is_some_and(|(us, _)| *us == was.due_us);
            if stays {
                kept.push(item.clone());
            } else {
                self.change(key, (armed.by.clone(), item.clone()), None);
            }
            if !stays || now.is_some_and(|(_, excused)| *excused) {
                mended.push(item);
            }
        }
        for (item, (due_us, _)) in &armed.due {
            if !kept.contains(item) {
                let set = Set {
                    due_us: *due_us,
                    armed_seq: seq,
                    fired: false,
                };
                self.change(key, (armed.by.clone(), item.clone()), Some(set));
            }
        }
        mended
    }

    fn change(&mut self, key: KeyRef<'_>, timer: Timer, now: Option<Set>) {
        let Some(slot) = self.slot(key) else {
            return;
        };
        let before = match now {
            Some(set) => slot.about_mut().due.insert(timer.clone(), set),
            None => slot
                .about
                .as_mut()
                .and_then(|about| about.due.remove(&timer)),
        };
        match (before.is_some(), now.is_some()) {
            (false, true) => {
                slot.weight += ENTRY;
                self.weight += ENTRY;
            }
            (true, false) => {
                slot.weight -= ENTRY;
                self.weight -= ENTRY;
            }
            _ => {}
        }
        if let Some(set) = before.filter(|set| !set.fired) {
            self.unfired.remove(&due(key, &timer, &set));
        }
        if let Some(set) = now.filter(|set| !set.fired) {
            let due = due(key, &timer, &set);
            if self.horizon.holds(&due) {
                self.unfired.insert(due);
            }
        }
        self.timers.entry((key.to_key(), timer)).or_insert(before);
    }

    /// Writes down what changed of them.
    pub(super) fn finish_deadlines(&mut self, changes: &mut Changes) {
        for ((key, timer), before) in std::mem::take(&mut self.timers) {
            let slot = self.entities.get(&key.by_ref());
            let now = slot.and_then(|slot| slot.about().due.get(&timer)).copied();
            if now == before {
                continue;
            }
            let row = |set: Set| Deadline {
                due: due(key.by_ref(), &timer, &set),
                fired: set.fired,
            };
            changes.disarmed.extend(before.map(row));
            changes.armed.extend(now.map(row));
        }
        while self.unfired.len() > MOST {
            self.unfired.pop_last();
            if let Some(last) = self.unfired.last() {
                self.horizon = Horizon::Until(Box::new(last.clone()));
            }
        }
    }
}

fn due(key: KeyRef<'_>, (by, item): &Timer, set: &Set) -> Due {
    Due {
        due_us: set.due_us,
        kind: key.kind().to_owned(),
        id: key.id().to_owned(),
        by: by.clone(),
        key: item.clone(),
        armed_seq: set.armed_seq,
    }
}
