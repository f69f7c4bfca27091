//! The kinds of a catalog: each is found by its name, and all are there in the order of their names. Every event is looked
//! up here, more than once.

use std::collections::{BTreeMap, HashMap};

use crate::indexed::Indexed;
use crate::kind::Kind;
use crate::name::KindName;

/// Kinds, each with the places of its entities' attributes that are looked up by value.
#[derive(Debug, Clone)]
pub(crate) struct Kinds {
    /// In the order of their names.
    all: Vec<(Kind, Vec<Indexed>)>,
    places: HashMap<KindName, usize>,
}

impl Kinds {
    /// These kinds; places of others are left out.
    pub(crate) fn new(
        kinds: BTreeMap<KindName, Kind>,
        mut indexed: BTreeMap<KindName, Vec<Indexed>>,
    ) -> Self {
        let names = kinds.keys().cloned();
        let places = names.enumerate().map(|(place, name)| (name, place));
        let places = places.collect();
        let with_places = |(name, kind)| (kind, indexed.remove(&name).unwrap_or_default());
        Self {
            all: kinds.into_iter().map(with_places).collect(),
            places,
        }
    }

    /// The kind of that name.
    pub(crate) fn get(&self, name: &KindName) -> Option<&(Kind, Vec<Indexed>)> {
        self.all.get(*self.places.get(name)?)
    }

    /// Every kind, in the order of the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.all.iter().map(|(kind, _)| kind)
    }
}
