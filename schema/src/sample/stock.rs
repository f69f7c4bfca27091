//! The entities of a kind that are known, found by their identifiers and by what rules look them up by.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::kind::Kind;
use crate::rule::Entity;

/// The entities of a kind.
#[derive(Debug)]
pub(super) struct Stock<'a> {
    pub(super) kind: &'a Kind,
    pub(super) entities: HashMap<String, Entity>,
    /// The identifiers, the oldest first.
    pub(super) order: Vec<String>,
    /// The paths that rules look up.
    pub(super) paths: Vec<&'a str>,
    /// By the number of the path and the value: those that have it, by age.
    index: HashMap<(usize, String), BTreeMap<u64, String>>,
}

impl<'a> Stock<'a> {
    pub(super) fn new(kind: &'a Kind, paths: Vec<&'a str>) -> Self {
        Self {
            kind,
            entities: HashMap::new(),
            order: Vec::new(),
            paths,
            index: HashMap::new(),
        }
    }

    /// Whether nothing may happen to an entity any more.
    pub(super) fn is_over(&self, entity: &Entity) -> bool {
        let lifecycle = self.kind.lifecycle.as_ref();
        let status = entity.status();
        lifecycle
            .zip(status)
            .is_some_and(|(lifecycle, status)| lifecycle.is_terminal(status))
    }

    /// Puts an entity in its place, and gives what was there.
    pub(super) fn put(&mut self, entity: Entity) -> Option<Entity> {
        let (id, age) = (entity.id.clone(), entity.state.created_seq);
        let old = self.entities.remove(&id);
        for number in 0..self.paths.len() {
            let path = self.paths.get(number).copied().unwrap_or_default();
            let was = old.as_ref().map_or_else(Vec::new, |old| old.values(path));
            let is = entity.values(path);
            if was != is {
                self.unlist(number, was, age);
                for value in is {
                    let found = self.index.entry((number, value)).or_default();
                    found.insert(age, id.clone());
                }
            }
        }
        if old.is_none() {
            self.order.push(id.clone());
        }
        self.entities.insert(id, entity);
        old
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some(entity) = self.entities.remove(id) else {
            return;
        };
        // What is taken back was the last.
        if self.order.last().is_some_and(|last| last == id) {
            self.order.pop();
        } else {
            self.order.retain(|one| one != id);
        }
        for number in 0..self.paths.len() {
            let path = self.paths.get(number).copied().unwrap_or_default();
            self.unlist(number, entity.values(path), entity.state.created_seq);
        }
    }

    fn unlist(&mut self, number: usize, values: Vec<String>, age: u64) {
        for value in values {
            let key = (number, value);
            if let Some(found) = self.index.get_mut(&key) {
                found.remove(&age);
                if found.is_empty() {
                    self.index.remove(&key);
                }
            }
        }
    }

    /// The last created first.
    pub(super) fn found(&self, fields: &[(Arc<str>, String)]) -> Vec<&Entity> {
        let has = |entity: &&Entity, fields: &[(Arc<str>, String)]| {
            let says = |(path, value): &(Arc<str>, String)| entity.values(path).contains(value);
            fields.iter().all(says)
        };
        let Some(((path, value), rest)) = fields.split_first() else {
            let all = self.order.iter().rev();
            return all.filter_map(|id| self.entities.get(id)).collect();
        };
        let number = self.paths.iter().position(|one| **one == **path);
        let ids = number.and_then(|number| self.index.get(&(number, value.clone())));
        let all = ids.into_iter().flat_map(|ids| ids.values().rev());
        let all = all.filter_map(|id| self.entities.get(id));
        all.filter(|entity| has(entity, rest)).collect()
    }
}
