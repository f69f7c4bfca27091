//! What is due: before a fact is folded, every deadline that lies before it fires, with the fact as its cause.
//!
//! A fact that comes after a long pause may find very many of them. They are loaded in pages, and a batch ends where it
//! has fired enough: the next one begins at the same fact and goes on with what has not fired.

use schema::Catalog;
use schema::rule::{Due, Event, Inputs, Judged, Step};
use serde_json::Value;

use crate::entity::KeyRef;
use crate::fact::Fact;
use crate::fold::judge::{self, Ask, Outcome};
use crate::fold::needs::Needs;
use crate::fold::tasks::{Missed, TaskOf};
use crate::fold::world::Next;
use crate::fold::{Fold, Scope};

/// How many fire in one batch at most.
pub(super) const MOST: usize = 2000;
/// Of how many that come next is asked what they need, where one lacks something.
const AHEAD: usize = 500;

/// What came of firing.
pub(super) enum Fired {
    /// Everything that was due has fired.
    All,
    /// This is not known.
    Lacks(Box<Needs>),
    /// The batch has fired as many as it may.
    Full,
}

impl Fold<'_> {
    /// Lets a batch fire so many deadlines at most.
    #[must_use]
    pub fn firing_at_most(mut self, most: usize) -> Self {
        self.fires = most;
        self
    }

    /// Fires what is due before a fact.
    pub(super) fn fire(&mut self, fact: &Fact, catalog: &Catalog) -> Fired {
        if *self.scope != Scope::All {
            return Fired::All;
        }
        let at = fact.header.recorded_us;
        loop {
            let due = match self.world.next_due(at) {
                Next::None => return Fired::All,
                Next::Unknown(page) => {
                    return Fired::Lacks(Box::new(Needs {
                        due: Some(page),
                        ..Needs::default()
                    }));
                }
                Next::Is(due) => due,
            };
            if self.fires == 0 {
                return Fired::Full;
            }
            match self.when_due(&due, fact, catalog) {
                Ok((outcome, missed)) => {
                    self.fires -= 1;
                    self.world.fired(&due);
                    self.take_in(outcome, fact);
                    self.missed(missed, &due, fact.header.seq);
                }
                Err(mut needs) => {
                    // What comes next in this batch is asked as well, so that it is loaded at once.
                    let until = self.last_us.max(at);
                    for due in self.world.due_before(until).skip(1).take(AHEAD) {
                        if let Err(more) = self.when_due(due, fact, catalog) {
                            needs.extend(*more);
                        }
                    }
                    return Fired::Lacks(Box::new(self.world.lacks(*needs)));
                }
            }
        }
    }

    /// What one deadline comes to, or what has to be known first.
    fn when_due(
        &self,
        due: &Due,
        fact: &Fact,
        catalog: &Catalog,
    ) -> Result<(Outcome, Missed), Box<Needs>> {
        let ask = Ask::new(&self.world, catalog);
        let about = KeyRef::new(&due.kind, &due.id);
        let Some(entity) = ask.view(about) else {
            return Err(Box::new(ask.into_needs()));
        };
        // Nothing is concluded from what is not there.
        if entity.is_some_and(|view| view.redacted()) {
            return Ok(Default::default());
        }
        let header = &fact.header;
        let kind = fact.event_type.kind().to_string();
        // Of the event that finds it due, a rule sees the header alone.
        let event = Event {
            kind: &kind,
            verb: fact.event_type.verb().as_str(),
            id: &header.id,
            subject: &header.subject,
            source: &header.source,
            actor: &header.actor,
            publisher: &header.publisher,
            context: &judge::context(header),
            occurred_us: header.occurred_us,
            recorded_us: header.recorded_us,
            seq: header.seq,
            data: &Value::Null,
        };
        let inputs = Inputs {
            event,
            entity,
            before: entity,
        };
        let mut judged = match catalog.rules().fire(due, &inputs, &ask) {
            Step::Judged(judged) => judged,
            // The step is taken again with what `ask` was asked for.
            Step::Needs(_) => Judged::default(),
        };
        if judged.findings.iter().any(|one| one.redacted) {
            judged = Judged::default();
        }
        let missed = Missed {
            tasks: std::mem::take(&mut judged.tasks),
            emitted: std::mem::take(&mut judged.emitted),
        };
        let outcome = judge::outcome(judged, fact, catalog, &ask);
        let mut needs = ask.into_needs();
        let unknown = missed.tasks.iter().map(TaskOf::new);
        needs
            .tasks
            .extend(unknown.filter(|of| !self.world.knows_task(of)));
        if needs.is_empty() {
            Ok((outcome, missed))
        } else {
            Err(Box::new(needs))
        }
    }
}
