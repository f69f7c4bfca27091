//! What is drawn next: the sort of event, and the entity that it is about.

use serde_json::Value;

use super::fixed::targets;
use super::learned::Drawn;
use super::{Sampler, below};
use crate::identity::Identity;
use crate::kind::{EventDef, Kind};

/// Of so many entities that could only be created anew, one is.
const SELDOM: usize = 8;

/// An event that is to be drawn.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) place: usize,
    pub(super) member: Option<String>,
    pub(super) number: usize,
    pub(super) event: &'a EventDef,
    /// What it says at all events.
    pub(super) fixed: Vec<(String, Value)>,
    /// What its identifier is, where it is a new one.
    pub(super) subject: Option<String>,
}

impl<'a> Sampler<'a> {
    /// What is drawn next: what is missing, or anything.
    pub(super) fn wanted(&mut self) -> Option<(Plan<'a>, bool)> {
        if below(&mut self.random, 4) > 0
            && let Some(plan) = self.goal()
        {
            return Some((plan, true));
        }
        let place = self.fewer(self.kinds.len(), |this, place| {
            this.kinds.get(place).map_or(0, Drawn::share)
        });
        let drawn = self.kinds.get_mut(place)?;
        drawn.tried += 1;
        let kind = drawn.kind;
        let known = self.state.len(&kind.name);
        let new = known < 3
            || is_record(kind)
            || below(&mut self.random, 10) < 3 && !self.state.is_full(&kind.name);
        let member = if new { None } else { self.member(kind) };
        let plan = self.plan(place, member)?;
        Some((plan, false))
    }

    /// An event of a sort of which few were drawn so far.
    pub(super) fn seldom(&mut self) -> Option<Plan<'a>> {
        let place = below(&mut self.random, self.kinds.len());
        let kind = self.kinds.get(place)?.kind;
        let new = self.state.len(&kind.name) < 3 || below(&mut self.random, 10) < 3;
        let member = if new { None } else { self.member(kind) };
        self.plan(place, member)
    }

    /// An entity that something may still happen to.
    fn member(&mut self, kind: &Kind) -> Option<String> {
        let known = self.state.len(&kind.name);
        (0..4).find_map(|_| {
            let which = below(&mut self.random, known);
            let entity = self.state.nth(&kind.name, which)?;
            let status = entity.status();
            let over = kind.lifecycle.as_ref().zip(status);
            let over = over.is_some_and(|(lifecycle, status)| lifecycle.is_terminal(status));
            // What could only be created anew seldom is.
            let goes_on = |event: &EventDef| {
                !event.creates && !targets(kind, event, status, false).is_empty()
            };
            let ends = kind.lifecycle.is_some() && !kind.events.iter().any(goes_on);
            let stays = over || ends && below(&mut self.random, SELDOM) > 0;
            (!stays).then(|| entity.id.clone())
        })
    }

    /// An event that the lifecycle has for this entity, or one that creates.
    pub(super) fn plan(&mut self, place: usize, member: Option<String>) -> Option<Plan<'a>> {
        let kind = self.kinds.get(place)?.kind;
        let entity = member
            .as_deref()
            .and_then(|id| self.state.get(&kind.name, id));
        let status = entity.and_then(|one| one.status().map(str::to_owned));
        let few = self.are_few(kind);
        let goes_on = |event: &EventDef| !event.creates && event.to_field.is_some();
        let moves = kind.events.iter().any(goes_on);
        let possible: Vec<usize> = (0..kind.events.len())
            .filter(|number| {
                kind.events.get(*number).is_some_and(|event| match entity {
                    None => event.creates || !kind.events.iter().any(|event| event.creates),
                    // What is there is not created in another status where an event changes it.
                    Some(_) if moves && event.creates && event.to_field.is_some() => false,
                    Some(_) => {
                        kind.lifecycle.is_none()
                            || !targets(kind, event, status.as_deref(), few).is_empty()
                    }
                })
            })
            .collect();
        let which = self.fewer(possible.len(), |this, which| {
            let drawn = this.kinds.get(place);
            let verb = possible
                .get(which)
                .and_then(|number| drawn?.verbs.get(*number));
            verb.map_or(0, |verb| verb.tried)
        });
        let number = *possible.get(which)?;
        if let Some(drawn) = self.kinds.get_mut(place)
            && let Some(verb) = drawn.verbs.get_mut(number)
        {
            verb.tried += 1;
        }
        Some(Plan {
            place,
            member,
            number,
            event: kind.events.get(number)?,
            fixed: Vec::new(),
            subject: None,
        })
    }

    /// Whether the rules know all names of a kind's entities: then none of them ends, since nothing could come after it.
    pub(super) fn are_few(&self, kind: &Kind) -> bool {
        let name = kind.identity.as_ref().and_then(Identity::whole);
        let words = name.map(|name| self.guide.words(&kind.name, name));
        self.unruly < 1000 && words.is_some_and(|words| !words.is_empty())
    }

    /// Of two numbers below `end` the one of which fewer were drawn.
    fn fewer(&mut self, end: usize, drawn: impl Fn(&Self, usize) -> u64) -> usize {
        let one = below(&mut self.random, end);
        let other = below(&mut self.random, end);
        if drawn(self, one) <= drawn(self, other) {
            one
        } else {
            other
        }
    }
}

/// Whether each event is about something new: it creates, and nothing in it says what it is about.
fn is_record(kind: &Kind) -> bool {
    kind.identity.is_none() && kind.lifecycle.is_none() && kind.events.len() == 1
}
