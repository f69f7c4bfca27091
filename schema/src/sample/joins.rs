//! What rules look at together is drawn together: the fields of an event that name another entity, or repeat what it
//! says.

use serde_json::{Map, Value};

use super::draw::{LOOKS, Pen};
use super::fixed::identifies;
use super::{below, put};
use crate::identity::Identity;
use crate::kind::Field;
use crate::rule::Entity;
use crate::rule::hints::{Join, Place};

/// How much of what rules look at together with a kind an event says as other entities have it.
const MOST: usize = 4;

impl Pen<'_, '_> {
    /// Some of what rules look at together with this kind is said as another entity has it.
    pub(super) fn join(&mut self, data: &mut Map<String, Value>, mut bound: Map<String, Value>) {
        let guide = self.guide;
        let joins: Vec<(&Join, bool)> = guide.joins(&self.kind.name).collect();
        self.followed.clear();
        self.followed.resize(joins.len(), false);
        // In any order: which of two that contradict each other comes first is open.
        let mut order: Vec<usize> = (0..joins.len()).collect();
        for place in (1..order.len()).rev() {
            let other = below(self.random, place + 1);
            order.swap(place, other);
        }
        let mut most = MOST;
        for which in order {
            let Some((join, one)) = joins.get(which).filter(|_| most > 0) else {
                continue;
            };
            let case = self.verb.cases.get(&self.case);
            let tried = case.and_then(|case| case.joins.get(which));
            let [with, without] = tried.copied().unwrap_or_default();
            let (with, without) = (with.share(), without.share());
            if below(self.random, with + without) < with
                && self.follow(join, *one, data, &mut bound)
                && let Some(followed) = self.followed.get_mut(which)
            {
                *followed = true;
                most -= 1;
            }
        }
        for field in &self.event.members.fields {
            self.parts(field, data, &mut bound);
        }
    }

    fn follow(
        &mut self,
        join: &Join,
        one: bool,
        data: &mut Map<String, Value>,
        bound: &mut Map<String, Value>,
    ) -> bool {
        let (other, says, they_say) = if one {
            (&join.other, &join.one_says, &join.other_says)
        } else {
            (&join.one, &join.other_says, &join.one_says)
        };
        let known = self.state.len(other);
        for _ in 0..LOOKS {
            let which = below(self.random, known);
            let Some(entity) = self.state.nth(other, which) else {
                return false;
            };
            let says_so = |(path, text): &(String, String)| entity.values(path).contains(text);
            if !they_say.iter().all(says_so) {
                continue;
            }
            let Some(put_here) = self.together(join, one, entity, bound) else {
                continue;
            };
            for (path, value) in put_here {
                if put(data, &path, value.clone()) {
                    self.own.remove(&path);
                    self.stands(&path, &value);
                    bound.insert(path, value);
                }
            }
            for (path, text) in says {
                if self.has(path) && !bound.contains_key(path) {
                    put(data, path, Value::from(text.as_str()));
                    bound.insert(path.clone(), Value::from(text.as_str()));
                }
            }
            return true;
        }
        false
    }

    /// What this event says where it goes together with that entity; `None` where it does not.
    fn together(
        &self,
        join: &Join,
        one: bool,
        entity: &Entity,
        bound: &Map<String, Value>,
    ) -> Option<Vec<(String, Value)>> {
        let mut found = Vec::new();
        for (first, second) in &join.pairs {
            let (mine, theirs) = if one {
                (first, second)
            } else {
                (second, first)
            };
            let value = said(entity, theirs)?;
            let path = match mine {
                Place::Field(path) => path.as_str(),
                Place::Id => match self.kind.identity.as_ref().and_then(Identity::whole) {
                    Some(name) if self.entity.is_none() => {
                        let known = value.as_str().map(|id| self.state.get(&self.kind.name, id));
                        if known.is_some_and(|known| known.is_some()) {
                            return None;
                        }
                        name
                    }
                    _ => {
                        let same = self.entity.is_some_and(|mine| value == mine.id.as_str());
                        if same {
                            continue;
                        }
                        return None;
                    }
                },
            };
            if bound.get(path).is_some_and(|bound| *bound != value) {
                return None;
            }
            let kept = identifies(self.kind, path) && self.entity.is_some();
            if self.has(path) && !kept {
                found.push((path.to_owned(), value));
            } else if let Some(mine) = self.entity
                && said(mine, &Place::Field(path.to_owned())).is_some_and(|mine| mine != value)
            {
                return None;
            }
        }
        Some(found)
    }

    /// A field that names an entity together with others: all of them do.
    fn parts(
        &mut self,
        field: &Field,
        data: &mut Map<String, Value>,
        bound: &mut Map<String, Value>,
    ) {
        let (Some(kind), Some(made_of)) = (&field.reference, &field.reference_id) else {
            return;
        };
        for _ in 0..LOOKS {
            let which = below(self.random, self.state.len(kind));
            let Some(entity) = self.state.nth(kind, which) else {
                return;
            };
            let parts: Vec<&str> = entity.id.split('/').collect();
            let names: Vec<&str> = made_of.fields().collect();
            if parts.len() != names.len() {
                return;
            }
            let pairs = || names.iter().zip(&parts);
            let fits =
                |(name, part): (&&str, &&str)| bound.get(*name).is_none_or(|bound| bound == *part);
            if pairs().all(fits) {
                for (name, part) in pairs() {
                    data.insert((*name).to_owned(), Value::from(*part));
                    self.own.remove(*name);
                    self.stands(name, &Value::from(*part));
                    bound.insert((*name).to_owned(), Value::from(*part));
                }
                return;
            }
        }
    }
}

/// What an entity says at a place.
pub(super) fn said(entity: &Entity, place: &Place) -> Option<Value> {
    match place {
        Place::Id => Some(Value::from(entity.id.as_str())),
        Place::Field(path) => match entity.state.attributes.get(path) {
            Some(value) if !value.is_null() => Some(value.clone()),
            _ => entity.values(path).into_iter().next().map(Value::from),
        },
    }
}
