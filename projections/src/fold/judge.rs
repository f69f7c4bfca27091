//! Judging an event at its position: what it broke, as verdicts.
//!
//! The lifecycle's rules are judged by [`crate::entity::advance`] itself. Rules of the kind files come in here: they
//! look at the event, at the entity before and after it, and through [`Ask`] at others as they are at this position.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use schema::Catalog;

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
