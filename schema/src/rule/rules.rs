//! The rules of a catalog, and which of them listen to an event.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::authorities::Authorities;
use super::compile::Compiler;
use super::compiled::{Compiled, Does};
use super::declare::{On, Rule};
use super::settings::Settings;
use super::shape::Shape;
use crate::diagnostic::Diagnostic;
use crate::kind::Kind;
use crate::load::table::nearest;
use crate::name::{KindName, Name};

/// The setting with the names of rules that are not judged at all.
const OFF: &str = "rules.off";

/// The rules of a catalog.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub(super) all: Vec<Compiled>,
    /// By kind and verb: the places in `all` of the rules that listen.
    listening: HashMap<KindName, HashMap<Name, Vec<usize>>>,
    /// Those that listen to everything.
    everywhere: Vec<usize>,
    /// By kind: the places of the rules that wait for one of its entities to be there.
    awaiting: HashMap<KindName, Vec<usize>>,
    indexed: BTreeSet<(KindName, String)>,
    pub(super) authorities: Authorities,
    pub(super) settings: Settings,
}

/// Refuses to turn off what is no rule: that would be without effect.
fn turned_off(off: &[String], kinds: &BTreeMap<KindName, Kind>, found: &mut Vec<Diagnostic>) {
    let all = kinds.values().flat_map(|kind| &kind.rules);
    let names: BTreeSet<&str> = all.map(|rule| rule.id.as_str()).collect();
    for name in off.iter().filter(|name| !names.contains(name.as_str())) {
        let names: Vec<&str> = names.iter().copied().collect();
        let mend = match nearest(name, &names) {
            Some(near) => format!("write `{near}`"),
            None => "remove it; `ledger catalog show KIND` lists the rules of a kind".to_owned(),
        };
        let message = format!("no active package has a rule `{name}`, which `{OFF}` names");
        found.push(Diagnostic::new("settings", 1, message, mend));
    }
}

impl Rules {
    /// Compiles the rules of these kinds. What does not fit goes to `found`.
    pub(crate) fn compile(
        kinds: &BTreeMap<KindName, Kind>,
        settings: Settings,
        authorities: Authorities,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut rules = Self {
            authorities,
            settings,
            ..Self::default()
        };
        let off: Vec<String> = rules.settings.texts(OFF);
        turned_off(&off, kinds, found);
        for kind in kinds.values() {
            for rule in kind.rules.iter().filter(|rule| !off.contains(&rule.id)) {
                let mut of_kind = Compiler::new(kinds, &rules.settings, kind, found);
                // Otherwise it speaks of packages that are not active, and is never judged; or it was reported.
                if let Ok(Some(compiled)) = of_kind.rule(rule) {
                    rules.indexed.extend(of_kind.indexed);
                    rules.add(compiled);
                }
            }
            for incident in &kind.incidents {
                let mut of_kind = Compiler::new(kinds, &rules.settings, kind, found);
                if let Ok(compiled) = of_kind.incident(incident) {
                    rules.indexed.extend(of_kind.indexed);
                    for one in compiled {
                        rules.add(one);
                    }
                }
            }
        }
        rules
    }

    fn add(&mut self, compiled: Compiled) {
        let place = self.all.len();
        for on in &compiled.on {
            let (kind, verb) = match on {
                On::Any => {
                    self.everywhere.push(place);
                    continue;
                }
                On::Verb(verb) => (&compiled.owner, verb),
                On::Type(kind, verb) => (kind, verb),
            };
            let verbs = self.listening.entry(kind.clone()).or_default();
            verbs.entry(verb.clone()).or_default().push(place);
        }
        if let Does::Judge(shape, _) = &compiled.does
            && let Shape::Reference(reference) = shape.as_ref()
        {
            self.awaiting
                .entry(reference.kind.clone())
                .or_default()
                .push(place);
        }
        self.all.push(compiled);
    }

    /// The rules that wait for an entity of this kind to be there.
    pub(super) fn awaiting(&self, kind: &KindName) -> impl Iterator<Item = &Compiled> {
        let places = self.awaiting.get(kind).into_iter().flatten();
        places.filter_map(|place| self.all.get(*place))
    }

    /// A rule by the kind that declares it, its name and its part.
    pub(super) fn named(&self, owner: &KindName, id: &str, part: &str) -> Option<&Compiled> {
        self.all.iter().find(|one| {
            let named = |rule: &Rule| rule.id == id && rule.part == part;
            one.owner == *owner && one.rule.as_ref().is_some_and(named)
        })
    }

    /// Whether an event of this kind and verb is judged at all.
    pub fn look_at(&self, kind: &KindName, verb: &Name) -> bool {
        self.authorities.are_set()
            || self.await_entities_of(kind)
            || self.listening(kind, verb).next().is_some()
    }

    /// Whether a rule waits for entities of this kind to be there.
    pub fn await_entities_of(&self, kind: &KindName) -> bool {
        self.awaiting.contains_key(kind)
    }

    /// The rules that listen to an event of this kind and verb.
    pub fn listening(&self, kind: &KindName, verb: &Name) -> impl Iterator<Item = &Compiled> {
        let own = self.listening.get(kind).and_then(|verbs| verbs.get(verb));
        let places = own.into_iter().flatten().chain(&self.everywhere);
        places.filter_map(|place| self.all.get(*place))
    }

    /// Every rule, in the order of the kinds and of their files.
    pub fn all(&self) -> impl Iterator<Item = &Compiled> {
        self.all.iter()
    }

    /// The classes of the incidents that rules and events open or resolve.
    pub fn classes(&self) -> BTreeSet<&str> {
        self.all.iter().filter_map(|one| one.does.class()).collect()
    }

    /// The fields by whose values entities are looked up: the kind and the dotted path, `status` among them.
    pub fn indexed(&self) -> &BTreeSet<(KindName, String)> {
        &self.indexed
    }

    /// The settings that they name.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}
