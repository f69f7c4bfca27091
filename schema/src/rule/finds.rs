//! Looking up other entities, or saying that they have to be loaded first.

use std::collections::BTreeSet;

use super::MOST_ITEMS;
use super::compiled::{FindBy, Finder};
use super::inputs::{Inputs, Known, Lookup, Need};
use crate::cel::node::Node;
use crate::cel::{Failure, Frame, Value, View, evaluate};

/// What a look-up gave.
#[derive(Debug)]
pub(super) enum Found<'a> {
    One(Option<View<'a>>),
    Many(Vec<View<'a>>),
    Count(i64),
    /// It has to be loaded.
    Unknown,
}

impl<'a> Found<'a> {
    /// The entities that were found.
    pub(super) fn views(&self) -> Vec<View<'a>> {
        match self {
            Self::One(view) => view.iter().copied().collect(),
            Self::Many(views) => views.clone(),
            Self::Count(_) | Self::Unknown => Vec::new(),
        }
    }

    /// The positions of the last events of what was found, so that a verdict says what it was judged from. Of many
    /// the last created.
    pub(super) fn positions(&self) -> impl Iterator<Item = u64> {
        let (one, many) = match self {
            Self::One(view) => (view.as_ref(), None),
            Self::Many(views) => (None, Some(views)),
            Self::Count(_) | Self::Unknown => (None, None),
        };
        let many = many.into_iter().flatten().take(16);
        one.into_iter().chain(many).map(View::seq)
    }

    /// Whether something of it was deleted.
    pub(super) fn redacted(&self) -> bool {
        match self {
            Self::One(view) => view.is_some_and(|view| view.redacted()),
            Self::Many(views) => views.iter().any(View::redacted),
            Self::Count(_) | Self::Unknown => false,
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::One(Some(view)) => Value::Entity(view),
            Self::One(None) | Self::Unknown => Value::Null,
            Self::Many(views) => Value::Entities(views),
            Self::Count(count) => Value::Int(*count),
        }
    }
}

/// What the conditions of one rule are judged with, but for look-ups.
#[derive(Debug, Clone)]
pub(super) struct Base<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    /// The entity that the rule is about, after and before the event.
    pub(super) entity: Option<View<'a>>,
    pub(super) before: Option<View<'a>>,
    pub(super) timer: Option<i64>,
    pub(super) aliases: &'a serde_json::Value,
}

impl<'a> Base<'a> {
    /// What a condition is judged with.
    pub(super) fn frame<'f>(
        &'f self,
        found: &'f [Found<'a>],
        item: &Value<'f>,
        budget: u64,
    ) -> Frame<'f> {
        Frame {
            event: &self.inputs.event,
            entity: self.entity.as_ref(),
            before: self.before.as_ref(),
            found: found.iter().map(Found::value).collect(),
            item: item.clone(),
            other: Value::Null,
            timer: self.timer,
            aliases: self.aliases,
            budget,
            variables: Vec::new(),
        }
    }

    /// The value of a condition, which takes what it costs from the budget; `other` is what it calls `other` or
    /// `target`.
    pub(super) fn ask<'f>(
        &'f self,
        node: &'f Node,
        found: &'f [Found<'a>],
        item: &Value<'f>,
        other: Option<&'f View<'f>>,
        budget: &mut u64,
    ) -> Result<Value<'f>, Failure> {
        let mut frame = self.frame(found, item, *budget);
        frame.other = other.map_or(Value::Null, Value::Entity);
        let value = evaluate(node, &mut frame);
        *budget = frame.budget;
        value
    }

    /// The text of a condition that names an entity or a field's value; `None` where it names nothing.
    pub(super) fn key(
        &self,
        node: &Node,
        found: &[Found<'a>],
        item: &Value<'_>,
        budget: &mut u64,
    ) -> Result<Option<String>, Failure> {
        let value = self.ask(node, found, item, None, budget)?;
        match value.index_text() {
            // What is empty is in no index.
            Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            None if value.is_null() => Ok(None),
            None => Err(Failure::Type(value.type_name())),
        }
    }

    /// The identifiers that a condition gives: one, a list of them, or none. Each once.
    pub(super) fn keys(&self, node: &Node, budget: &mut u64) -> Result<Vec<String>, Failure> {
        let value = self.ask(node, &[], &Value::Null, None, budget)?;
        if value.is_null() {
            return Ok(Vec::new());
        }
        let Some(length) = value.length() else {
            let id = value.index_text();
            return id
                .map(|id| vec![id])
                .ok_or(Failure::Type(value.type_name()));
        };
        if length > MOST_ITEMS {
            return Err(Failure::TooMany);
        }
        let items = (0..length).filter_map(|place| value.item(place)?.index_text());
        let mut ids: Vec<String> = items.collect();
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    /// Looks up one after another. What was not loaded goes to `needs`; what depends on it waits.
    pub(super) fn look_up(
        &self,
        finders: &[Finder],
        item: &Value<'_>,
        known: &'a dyn Known,
        needs: &mut BTreeSet<Need>,
        budget: &mut u64,
    ) -> Result<Vec<Found<'a>>, Failure> {
        let mut found: Vec<Found<'a>> = Vec::new();
        for finder in finders {
            let waits = finder.of_found && found.iter().any(|one| matches!(one, Found::Unknown));
            let one = if waits {
                Found::Unknown
            } else {
                self.find(finder, &found, item, known, needs, budget)?
            };
            found.push(one);
        }
        Ok(found)
    }

    /// Looks one up. What was not loaded goes to `needs`.
    pub(super) fn find(
        &self,
        finder: &Finder,
        found: &[Found<'a>],
        item: &Value<'_>,
        known: &'a dyn Known,
        needs: &mut BTreeSet<Need>,
        budget: &mut u64,
    ) -> Result<Found<'a>, Failure> {
        let kind = &finder.kind;
        let (fields, counts) = match &finder.by {
            FindBy::Id(node) => {
                let Some(id) = self.key(node, found, item, budget)? else {
                    return Ok(Found::One(None));
                };
                let one = known.entity(kind, &id);
                if one.is_none() {
                    needs.insert(Need::Entity(kind.clone(), id));
                }
                return Ok(one.map_or(Found::Unknown, Found::One));
            }
            FindBy::Where(fields) => (fields, false),
            FindBy::Count(fields) => (fields, true),
        };
        let mut values = Vec::new();
        for (path, node) in fields {
            match self.key(node, found, item, budget)? {
                Some(value) => values.push((path.clone(), value)),
                // Nothing equals what is not there.
                None if counts => return Ok(Found::Count(0)),
                None => return Ok(Found::Many(Vec::new())),
            }
        }
        let lookup = Lookup {
            kind: kind.clone(),
            fields: values,
            most: finder.most,
        };
        if counts {
            let count = known.count(&lookup);
            if count.is_none() {
                needs.insert(Need::Count(lookup));
            }
            let count = count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
            return Ok(count.map_or(Found::Unknown, Found::Count));
        }
        let Some(views) = known.matching(&lookup) else {
            needs.insert(Need::Matching(lookup));
            return Ok(Found::Unknown);
        };
        if finder.strict && views.len() >= usize::try_from(finder.most).unwrap_or(usize::MAX) {
            return Err(Failure::TooMany);
        }
        *budget = budget
            .checked_sub(u64::try_from(views.len()).unwrap_or(0))
            .ok_or(Failure::Budget)?;
        Ok(Found::Many(views))
    }
}
