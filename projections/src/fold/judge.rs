//! Judging an event at its position: what it broke, as verdicts.
//!
//! The lifecycle's rules are judged by [`crate::entity::advance`] itself. Rules of the kind files come in here: they
//! look at the event, at the entity before and after it, and through [`Ask`] at others as they are at this position.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use schema::Catalog;
use schema::rule::Lookup;

use crate::entity::{Broken, Entity, Key};
use crate::fact::Fact;
use crate::fold::needs::{Look, Needs};
use crate::fold::world::World;
use crate::verdict::Verdict;

/// Everything that a rule may look at. What was not loaded yet is noted and answered with `None`; the step is then
/// taken again from its beginning once it was loaded, so a rule simply gives up.
#[derive(Debug)]
pub struct Ask<'w> {
    world: &'w World,
    needs: RefCell<Needs>,
}

impl<'w> Ask<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self {
            world,
            needs: RefCell::default(),
        }
    }

    /// An entity after this event; the inner `None` says that it does not exist.
    #[allow(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    pub fn entity(&self, key: &Key) -> Option<Option<&'w Arc<Entity>>> {
        let known = self.world.entity(key);
        if known.is_none() {
            self.needs
                .borrow_mut()
                .entities
                .insert(Arc::new(key.clone()));
        }
        known
    }

    /// The identifiers that a look-up finds after this event, in their order.
    pub fn look(&self, look: &Look) -> Option<&'w BTreeSet<String>> {
        let known = self.world.look(look);
        if known.is_none() {
            self.needs.borrow_mut().looks.insert(look.clone());
        }
        known
    }

    /// How many a look-up finds after this event. Cheaper than [`Ask::look`] where they are many.
    pub fn count(&self, look: &Look) -> Option<u64> {
        let known = self.world.count(look);
        if known.is_none() {
            self.needs.borrow_mut().counts.insert(look.clone());
        }
        known
    }

    /// The entities that a rule looks for, after this event: the last created first, `lookup.most` at most. Fields that
    /// the catalog indexes narrow it down before entities are looked at; `status` is looked at there.
    pub fn matching(
        &self,
        catalog: &Catalog,
        lookup: &Lookup,
    ) -> Option<Vec<(Arc<Key>, &'w Arc<Entity>)>> {
        let kind: Arc<str> = lookup.kind.to_string().into();
        let places = catalog.indexed(&lookup.kind);
        let mut looks = Vec::new();
        for (field, value) in lookup.fields.iter().filter(|(field, _)| field != "status") {
            // The catalog indexes every field that its rules look up.
            let place = places.iter().find(|place| **place.path().text() == **field);
            looks.extend(place.map(|place| Look::new(kind.clone(), place, value)));
        }
        if looks.is_empty() {
            looks.push(Look::all(kind));
        }
        let found: Vec<_> = looks.iter().map(|look| self.look(look)).collect();
        let found: Option<Vec<&BTreeSet<String>>> = found.into_iter().collect();
        let (first, others) = found?
            .split_first()
            .map(|(one, rest)| (*one, rest.to_vec()))?;
        let keys = first
            .iter()
            .filter(|id| others.iter().all(|ids| ids.contains(*id)));
        let entities: Vec<_> = keys
            .map(|id| {
                let key = Arc::new(Key {
                    kind: lookup.kind.to_string(),
                    id: id.clone(),
                });
                let entity = self.entity(&key);
                (key, entity)
            })
            .collect();
        let mut matching = Vec::new();
        for (key, entity) in entities {
            let wanted = |entity: &&Arc<Entity>| {
                let status = lookup.fields.iter().filter(|(field, _)| field == "status");
                status
                    .map(|(_, name)| name.as_str())
                    .all(|name| entity.status.name() == Some(name))
            };
            matching.extend(entity?.filter(wanted).map(|entity| (key, entity)));
        }
        matching.sort_by(|(a, one), (b, other)| {
            (other.created_seq, &a.id).cmp(&(one.created_seq, &b.id))
        });
        matching.truncate(usize::try_from(lookup.most).unwrap_or(usize::MAX));
        Some(matching)
    }

    pub(super) fn into_needs(self) -> Needs {
        self.needs.into_inner()
    }
}

/// What is judged: one event about one entity, which the event has changed already.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The event.
    pub fact: &'a Fact,
    /// Whom it is about.
    pub key: &'a Arc<Key>,
    /// What it broke of the lifecycle.
    pub broken: &'a [Broken],
    /// The catalog of its position.
    pub catalog: &'a Catalog,
}

/// Whether an event of this kind is judged by more than its lifecycle. Then the state before it is kept until it is.
pub(super) fn has_rules(_moment: &Fact, _catalog: &Catalog) -> bool {
    false
}

/// The verdicts about an event. Where `ask` was asked for what is not loaded, they are thrown away and the event is
/// judged again.
pub(super) fn judge(
    moment: Moment<'_>,
    _before: Option<&Arc<Entity>>,
    _ask: &Ask<'_>,
) -> Vec<Verdict> {
    let lifecycle = moment.broken.iter().map(|broken| Verdict {
        rule: broken.rule.to_owned(),
        severity: "error".to_owned(),
        kind: moment.key.kind.clone(),
        id: moment.key.id.clone(),
        cause_seq: moment.fact.header.seq,
        judged_from: broken.judged_from.clone(),
        catalog: moment.catalog.digest().to_owned(),
        detail_key: String::new(),
    });
    lifecycle.collect()
}
