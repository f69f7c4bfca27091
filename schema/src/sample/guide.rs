//! What the rules say of fields, by kind: whoever draws values from there breaks fewer.

use std::collections::{BTreeSet, HashMap};

use regex_syntax::hir::Hir;
use serde_json::Value;

use crate::catalog::Catalog;
use crate::name::KindName;
use crate::rule::hints::{Hints, Join, Place};

/// The hints of a catalog's rules, ready to be looked up.
#[derive(Debug)]
pub(super) struct Guide {
    joins: Vec<Join>,
    /// By kind: the numbers of the joins, and whether the kind is the one or the other.
    of_kind: HashMap<KindName, Vec<(usize, bool)>>,
    /// By kind and field.
    words: HashMap<KindName, HashMap<String, Vec<Value>>>,
    patterns: HashMap<KindName, HashMap<String, Vec<Pattern>>>,
    /// By kind: the fields on which depends what others are to match.
    deciding: HashMap<KindName, BTreeSet<String>>,
    same: HashMap<KindName, Vec<(String, Place)>>,
    alone: HashMap<KindName, Vec<String>>,
}

/// What a text is to match, where the entity says all this.
type Pattern = (Vec<(String, Value)>, Hir);

impl Guide {
    pub(super) fn of(catalog: &Catalog) -> Self {
        let hints = Hints::of(catalog.rules());
        let mut guide = Self {
            joins: hints.joins,
            of_kind: HashMap::new(),
            words: HashMap::new(),
            patterns: HashMap::new(),
            deciding: HashMap::new(),
            same: HashMap::new(),
            alone: HashMap::new(),
        };
        for (number, join) in guide.joins.iter().enumerate() {
            let one = guide.of_kind.entry(join.one.clone()).or_default();
            one.push((number, true));
            let other = guide.of_kind.entry(join.other.clone()).or_default();
            other.push((number, false));
        }
        let field = |kind: &KindName, place: &Place| match place {
            Place::Field(name) => Some((kind.clone(), name.clone())),
            Place::Id => {
                let identity = catalog.kind(kind)?.identity.as_ref()?;
                Some((kind.clone(), identity.whole()?.to_owned()))
            }
        };
        for word in hints.words {
            if let Some((kind, name)) = field(&word.kind, &word.place) {
                let words = guide.words.entry(kind).or_default();
                words.entry(name).or_default().push(word.value);
            }
        }
        for hint in hints.patterns {
            let says = hint.says;
            if let Some((kind, name)) = field(&hint.kind, &hint.place)
                && let Ok(pattern) = regex_syntax::parse(&hint.text)
            {
                if !says.is_empty() {
                    let deciding = guide.deciding.entry(kind.clone()).or_default();
                    deciding.extend(says.iter().map(|(name, _)| name.clone()));
                }
                let patterns = guide.patterns.entry(kind).or_default();
                patterns.entry(name).or_default().push((says, pattern));
            }
        }
        for (kind, name, place) in hints.same {
            guide.same.entry(kind).or_default().push((name, place));
        }
        for (kind, name) in hints.alone {
            guide.alone.entry(kind).or_default().push(name);
        }
        guide
    }

    /// What rules look at together with a kind, and whether it is the one or the other.
    pub(super) fn joins(&self, kind: &KindName) -> impl Iterator<Item = (&Join, bool)> {
        let numbers = self.of_kind.get(kind).into_iter().flatten();
        numbers.filter_map(|(number, one)| Some((self.joins.get(*number)?, *one)))
    }

    /// What a rule looks at together.
    pub(super) fn of_rule(&self, owner: &KindName, id: &str) -> impl Iterator<Item = &Join> {
        let of = move |join: &&Join| join.rule.0 == *owner && join.rule.1 == id;
        self.joins.iter().filter(of)
    }

    /// What a field is compared with.
    pub(super) fn words(&self, kind: &KindName, field: &str) -> &[Value] {
        let found = self.words.get(kind).and_then(|words| words.get(field));
        found.map_or(&[], Vec::as_slice)
    }

    /// What a field is to match, as far as the entity's others say what they say.
    pub(super) fn patterns<'s>(
        &self,
        kind: &KindName,
        field: &str,
        said: impl Fn(&str) -> Option<&'s Value>,
    ) -> Vec<&Hir> {
        let found = self.patterns.get(kind).and_then(|all| all.get(field));
        let fits = |(name, value): &(String, Value)| said(name).is_none_or(|said| said == value);
        let fitting = found.into_iter().flatten();
        fitting
            .filter(|(says, _)| says.iter().all(fits))
            .map(|(_, pattern)| pattern)
            .collect()
    }

    /// Whether what other fields are to match depends on this one.
    pub(super) fn decides(&self, kind: &KindName, field: &str) -> bool {
        let deciding = self.deciding.get(kind);
        deciding.is_some_and(|all| all.contains(field))
    }

    /// Fields of its events that repeat what the entity said.
    pub(super) fn same(&self, kind: &KindName) -> &[(String, Place)] {
        self.same.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Fields that no two entities of a kind say the same of.
    pub(super) fn alone(&self, kind: &KindName) -> &[String] {
        self.alone.get(kind).map_or(&[], Vec::as_slice)
    }
}
