//! What a rule names: kinds, events, fields and look-ups, each found or reported with its mend.

use super::compile::{Broken, Compiler};
use super::declare::{Find, On, Rule};
use crate::diagnostic::listed;
use crate::indexed::Path;
use crate::kind::{EventDef, Kind};
use crate::load::table::nearest;
use crate::name::KindName;

impl<'c> Compiler<'c> {
    /// Whether the kind's package is active.
    pub(super) fn is_active(&self, kind: &KindName) -> bool {
        self.kinds.keys().any(|known| known.package == kind.package)
    }

    /// A kind that is named; its package is active.
    pub(super) fn kind(&mut self, name: &KindName, line: usize) -> Result<&'c Kind, Broken> {
        let kinds = self.kinds;
        kinds.get(name).ok_or_else(|| {
            let message = format!("`{name}` is no kind");
            self.report(
                line,
                message,
                "name a kind of this package or of an active one",
            )
        })
    }

    /// The events of active packages.
    pub(super) fn events(&mut self, on: &[On], line: usize) -> Result<Vec<On>, Broken> {
        let mut events = Vec::new();
        for one in on {
            if let On::Type(kind, verb) = one {
                if !self.is_active(kind) {
                    continue;
                }
                let known = self.kind(kind, line)?;
                if known.event(verb).is_none() {
                    let verbs: Vec<&str> =
                        known.events.iter().map(|one| one.verb.as_str()).collect();
                    let mend = match nearest(verb.as_str(), &verbs) {
                        Some(near) => format!("write `{kind}.{near}`"),
                        None => format!("it has {}", listed(verbs)),
                    };
                    let message = format!("`{kind}` has no event `{verb}`");
                    return Err(self.report(line, message, mend));
                }
            }
            events.push(one.clone());
        }
        Ok(events)
    }

    /// What the events carry that a rule listens to; none where it listens to all.
    pub(super) fn scope_events(
        &mut self,
        on: &[On],
    ) -> Result<Vec<(&'c Kind, &'c EventDef)>, Broken> {
        let mut events = Vec::new();
        for one in on {
            let (kind, verb) = match one {
                On::Any => return Ok(Vec::new()),
                On::Verb(verb) => (self.kind, verb),
                On::Type(kind, verb) => (self.kinds.get(kind).ok_or(Broken)?, verb),
            };
            events.push((kind, kind.event(verb).ok_or(Broken)?));
        }
        Ok(events)
    }

    /// A dotted path to a field of a kind, or `status`. Gives the kind that the field says it names.
    pub(super) fn path(
        &mut self,
        kind: &Kind,
        path: &str,
        line: usize,
    ) -> Result<Option<KindName>, Broken> {
        if path == "status" && kind.lifecycle.is_some() {
            return Ok(None);
        }
        if let Some(reference) = kind.at_path(path) {
            Ok(reference.cloned())
        } else {
            let names: Vec<&str> = kind
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .collect();
            let mend = match nearest(path, &names) {
                Some(near) => format!("write `{near}`"),
                None => format!("name one of {}, `[]` behind a list", listed(names)),
            };
            let message = format!("`{}` has no field `{path}`", kind.name);
            Err(self.report(line, message, mend))
        }
    }

    /// The number and the kind of a look-up that is named.
    pub(super) fn lookup(
        &mut self,
        finds: &[Find],
        name: &str,
        line: usize,
    ) -> Result<usize, Broken> {
        let place = finds.iter().position(|find| find.name == name);
        place.ok_or_else(|| {
            let names: Vec<&str> = finds.iter().map(|find| find.name.as_str()).collect();
            let message = format!("there is no look-up `{name}`");
            let mend = format!("declare it in `find`, or name one of {}", listed(names));
            self.report(line, message, mend)
        })
    }

    /// The rule's own kind, where every event is about one of its entities.
    pub(super) fn own(&mut self, rule: &Rule) -> Result<&'c Kind, Broken> {
        let foreign = |on: &On| !matches!(on, On::Verb(_));
        if self.kind.stateless || (rule.whom.is_none() && rule.on.iter().any(foreign)) {
            let message = format!(
                "the shape `{}` needs an entity of this kind",
                rule.shape.as_str()
            );
            let mend = "listen to events of this kind, or say with `id_of` or `where` which entities are meant";
            return Err(self.report(rule.line, message, mend));
        }
        Ok(self.kind)
    }

    /// A path to a field by whose values entities are looked up.
    pub(super) fn indexed_path(
        &mut self,
        kind: &Kind,
        path: &str,
        line: usize,
    ) -> Result<(), Broken> {
        self.path(kind, path, line)?;
        self.indexed.insert((kind.name.clone(), path.to_owned()));
        Ok(())
    }

    /// The way to a field, parsed once for all events.
    pub(super) fn parsed_path(&mut self, path: &str, line: usize) -> Result<Path, Broken> {
        Path::parse(path).ok_or_else(|| {
            let message = format!("`{path}` is no way to a field: a name in it is empty");
            self.report(
                line,
                message,
                "write the names of members with dots between them",
            )
        })
    }

    /// What a field names, by what the kind or one of the rule's events says of it; and whether it is the event's.
    pub(super) fn named_by(
        &mut self,
        rule: &Rule,
        path: &str,
    ) -> Result<(Option<&'c KindName>, bool), Broken> {
        let events = self.scope_events(&rule.on).unwrap_or_default();
        let about: Vec<&'c Kind> = match rule.whom {
            Some(_) => vec![self.kind],
            None => events.iter().map(|(kind, _)| *kind).collect(),
        };
        if let Some(named) = about.iter().find_map(|kind| kind.at_path(path)) {
            return Ok((named, false));
        }
        let members = events
            .iter()
            .map(|(_, event)| event.members.fields.as_slice());
        let mut named = members.filter_map(|fields| crate::kind::at_path(fields, path));
        named.next().map(|named| (named, true)).ok_or_else(|| {
            let message = format!("neither the kind nor its events have a field `{path}`");
            self.report(rule.line, message, "name a field, `[]` behind a list")
        })
    }
}
