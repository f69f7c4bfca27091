//! Rules with all their names resolved: every condition checked against the kinds and settings of a catalog.

use std::collections::{BTreeMap, BTreeSet};

use super::declare::{self, By, Condition, Find, Incident, On, Opening, Resolve, Rule};
use super::inputs::RuleKey;
use super::settings::Settings;
use super::shape::{Deadline, Shape};
use super::when::When;
use crate::cel::check::{Scope, check, truth};
use crate::cel::node::{Node, Root};
use crate::cel::types::{self, Type};
use crate::diagnostic::{Diagnostic, listed};
use crate::kind::{EventDef, Kind, Severity};
use crate::load::table::nearest;
use crate::name::KindName;

/// A rule, or an incident that a kind declares, ready to be judged.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The kind that declares it.
    pub owner: KindName,
    /// What it says, where it is a rule.
    pub rule: Option<Rule>,
    /// What it says, where it is an incident's.
    pub incident: Option<Incident>,
    pub(super) on: Vec<On>,
    pub(super) id_of: Option<Node>,
    /// Its name for verdicts, where it is a rule.
    pub(super) key: Option<RuleKey>,
    pub(super) when: When,
    pub(super) find: Vec<Finder>,
    pub(super) each: Option<(Node, Option<Node>)>,
    /// The number of the look-up with the overrides, and which of them count.
    pub(super) override_by: Option<(usize, Node)>,
    pub(super) does: Does,
}

/// What happens when the events come.
#[derive(Debug, Clone)]
pub(super) enum Does {
    /// A rule is judged.
    Judge(Box<Shape>, Option<Opens>),
    /// An incident opens.
    Open(Opens),
    /// An incident is resolved.
    Resolve(String),
}

impl Does {
    /// The class of the incidents that it opens or resolves.
    pub(super) fn class(&self) -> Option<&str> {
        match self {
            Self::Judge(_, opens) => opens.as_ref().map(|opens| &*opens.class),
            Self::Open(opens) => Some(&opens.class),
            Self::Resolve(class) => Some(class),
        }
    }
}

/// How an incident opens.
#[derive(Debug, Clone)]
pub(super) struct Opens {
    pub(super) class: String,
    pub(super) severity: Severity,
    pub(super) severity_when: Vec<(Severity, Node)>,
    pub(super) when: When,
    pub(super) of: Option<(KindName, Node)>,
}

/// A look-up.
#[derive(Debug, Clone)]
pub(super) struct Finder {
    pub(super) kind: KindName,
    pub(super) by: FindBy,
    pub(super) most: u32,
    /// Whether more than `most` is an error: where `latest` says so, it is not.
    pub(super) strict: bool,
    /// Whether it asks for something of the item, or of look-ups before it.
    pub(super) of_item: bool,
    pub(super) of_found: bool,
}

#[derive(Debug, Clone)]
pub(super) enum FindBy {
    Id(Node),
    Where(Vec<(String, Node)>),
    Count(Vec<(String, Node)>),
}

/// Something was reported; the rule does not come into being.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broken;

pub(super) struct Compiler<'c> {
    kinds: &'c BTreeMap<KindName, Kind>,
    settings: &'c Settings,
    kind: &'c Kind,
    found: &'c mut Vec<Diagnostic>,
    pub(super) indexed: BTreeSet<(KindName, String)>,
}

impl<'c> Compiler<'c> {
    pub(super) fn new(
        kinds: &'c BTreeMap<KindName, Kind>,
        settings: &'c Settings,
        kind: &'c Kind,
        found: &'c mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            kinds,
            settings,
            kind,
            found,
            indexed: BTreeSet::new(),
        }
    }

    /// `None` where the rule speaks of packages that are not active.
    pub(super) fn rule(&mut self, rule: &Rule) -> Result<Option<Compiled>, Broken> {
        let on = self.events(&rule.on, rule.line)?;
        let sleeping = rule.find.iter().any(|find| !self.is_active(&find.kind));
        if (on.is_empty() && !rule.on.is_empty()) || sleeping {
            return Ok(None);
        }
        let events = self.scope_events(&on)?;
        let mut scope = self.scope(&on, &events, rule.id_of.is_some(), rule.line)?;
        let id_of = self.id_of(rule.id_of.as_ref(), &on, &events)?;
        let at_event = scope.clone();
        if matches!(rule.shape, declare::Shape::Deadline(_)) {
            // What follows is asked again when it is due, and another event finds it so.
            scope = Deadline::when_due(&scope);
        }
        let each = match &rule.each {
            None => None,
            Some(each) => {
                let (list, kind) = self.expression(&each.list, &scope)?;
                let Type::List(item) = kind else {
                    let message = format!("`each` is {}", kind.name());
                    return Err(self.report(each.list.line, message, "name a list"));
                };
                scope = scope.with("item", *item, Root::Item);
                let key = each.key.as_ref().map(|key| self.expression(key, &scope));
                Some((list, key.transpose()?.map(|(node, _)| node)))
            }
        };
        let find = self.finds(&rule.find, &mut scope)?;
        let opens = self.opening(rule.incident.as_ref(), &scope)?;
        let override_by = self.override_by(rule, &scope)?;
        for (name, kind, root) in &at_event.names {
            scope = scope.with(name, kind.clone(), *root);
        }
        let when = When::new(self.truth(rule.when.as_ref(), &scope)?);
        let shape = Shape::compile(self, rule, &scope)?;
        Ok(Some(Compiled {
            owner: self.kind.name.clone(),
            key: Some(RuleKey {
                owner: self.kind.name.clone(),
                id: rule.id.as_str().into(),
                part: rule.part.as_str().into(),
            }),
            rule: Some(rule.clone()),
            incident: None,
            on,
            id_of,
            when,
            find,
            each,
            override_by,
            does: Does::Judge(Box::new(shape), opens),
        }))
    }

    fn override_by(
        &mut self,
        rule: &Rule,
        scope: &Scope<'_>,
    ) -> Result<Option<(usize, Node)>, Broken> {
        let Some((by, when)) = &rule.override_by else {
            return Ok(None);
        };
        let number = self.lookup(&rule.find, by, rule.line)?;
        let kind = rule.find.get(number).map(|find| &find.kind);
        let kind = self.kind(kind.ok_or(Broken)?, rule.line)?;
        let scope = scope.with("other", types::entity(kind), Root::Other);
        let node = self.truth(Some(when), &scope)?;
        Ok(node.map(|node| (number, node)))
    }

    pub(super) fn incident(&mut self, incident: &Incident) -> Result<Vec<Compiled>, Broken> {
        let mut compiled = Vec::new();
        let on = self.events(&incident.on, incident.line)?;
        let sleeping = incident.find.iter().any(|find| !self.is_active(&find.kind));
        if !on.is_empty() && !sleeping {
            let events = self.scope_events(&on)?;
            let mut scope = self.scope(&on, &events, incident.id_of.is_some(), incident.line)?;
            let id_of = self.id_of(incident.id_of.as_ref(), &on, &events)?;
            let find = self.finds(&incident.find, &mut scope)?;
            let opens = self
                .opening(Some(&incident.opening), &scope)?
                .ok_or(Broken)?;
            compiled.push(self.of_incident(
                incident,
                on,
                id_of,
                find,
                When::default(),
                Does::Open(opens),
            ));
        }
        if let Some(Resolve { on, id_of, when }) = &incident.resolve {
            let on = self.events(on, incident.line)?;
            let events = self.scope_events(&on)?;
            let scope = self.scope(&on, &events, id_of.is_some(), incident.line)?;
            let id_of = self.id_of(id_of.as_ref(), &on, &events)?;
            let when = When::new(self.truth(when.as_ref(), &scope)?);
            let does = Does::Resolve(incident.opening.class.clone());
            if !on.is_empty() {
                compiled.push(self.of_incident(incident, on, id_of, Vec::new(), when, does));
            }
        }
        Ok(compiled)
    }

    fn of_incident(
        &self,
        incident: &Incident,
        on: Vec<On>,
        id_of: Option<Node>,
        find: Vec<Finder>,
        when: When,
        does: Does,
    ) -> Compiled {
        Compiled {
            owner: self.kind.name.clone(),
            key: None,
            rule: None,
            incident: Some(incident.clone()),
            on,
            id_of,
            when,
            find,
            each: None,
            override_by: None,
            does,
        }
    }

    pub(super) fn report(
        &mut self,
        line: usize,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Broken {
        let file = format!("{}/{}.toml", self.kind.name.package, self.kind.name.entity);
        self.found.push(Diagnostic::new(file, line, message, mend));
        Broken
    }

    fn is_active(&self, kind: &KindName) -> bool {
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
    fn events(&mut self, on: &[On], line: usize) -> Result<Vec<On>, Broken> {
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

    fn scope_events(&mut self, on: &[On]) -> Result<Vec<(&'c Kind, &'c EventDef)>, Broken> {
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

    /// `event`, `entity`, `before`, `settings`.
    fn scope(
        &mut self,
        on: &[On],
        events: &[(&'c Kind, &'c EventDef)],
        redirected: bool,
        line: usize,
    ) -> Result<Scope<'c>, Broken> {
        let event = types::event(events.iter().copied());
        let mut scope = Scope {
            names: vec![("event".to_owned(), event, Root::Event)],
            settings: self.settings,
        };
        let foreign = on
            .iter()
            .any(|one| matches!(one, On::Type(kind, _) if *kind != self.kind.name));
        if redirected && !foreign {
            let message = "`id_of` without an event of another kind";
            let mend = "remove it: events of this kind are about their subject";
            return Err(self.report(line, message, mend));
        }
        let about: Vec<&Kind> = if redirected {
            vec![self.kind]
        } else {
            events.iter().map(|(kind, _)| *kind).collect()
        };
        let entities = about
            .iter()
            .filter(|kind| !kind.stateless)
            .map(|kind| types::entity(kind));
        if let Some(entity) = entities.reduce(Type::join) {
            scope = scope.with("entity", entity.clone(), Root::Entity);
            scope = scope.with("before", entity, Root::Before);
        }
        Ok(scope)
    }

    fn wrong(&mut self, condition: &Condition, wrong: crate::cel::ast::Wrong) -> Broken {
        let before = condition.text.get(..wrong.at).unwrap_or_default();
        let line = condition.line + before.matches('\n').count();
        let message = format!("in `{}`: {}", super::short(&condition.text), wrong.message);
        self.report(line, message, wrong.mend)
    }

    pub(super) fn expression(
        &mut self,
        condition: &Condition,
        scope: &Scope<'_>,
    ) -> Result<(Node, Type), Broken> {
        check(&condition.expr, scope).map_err(|wrong| self.wrong(condition, wrong))
    }

    /// Which entities of this kind an event of another kind is about. `entity` is that event's own.
    fn id_of(
        &mut self,
        condition: Option<&Condition>,
        on: &[On],
        events: &[(&'c Kind, &'c EventDef)],
    ) -> Result<Option<Node>, Broken> {
        let Some(condition) = condition else {
            return Ok(None);
        };
        let foreign = events
            .iter()
            .filter(|(kind, _)| kind.name != self.kind.name);
        let foreign: Vec<(&Kind, &EventDef)> = foreign.copied().collect();
        let scope = self.scope(on, &foreign, false, condition.line)?;
        match self.expression(condition, &scope)? {
            (node, Type::List(_)) => Ok(Some(node)),
            _ => self.key(condition, &scope).map(Some),
        }
    }

    pub(super) fn truth(
        &mut self,
        condition: Option<&Condition>,
        scope: &Scope<'_>,
    ) -> Result<Option<Node>, Broken> {
        let Some(condition) = condition else {
            return Ok(None);
        };
        let checked = truth(&condition.expr, scope);
        checked
            .map(Some)
            .map_err(|wrong| self.wrong(condition, wrong))
    }

    fn finds(&mut self, finds: &[Find], scope: &mut Scope<'c>) -> Result<Vec<Finder>, Broken> {
        let mut finders = Vec::new();
        for find in finds {
            let kind = self.kind(&find.kind, find.line)?;
            if kind.stateless {
                let message = format!("`{}` has no entities to look up", find.kind);
                let mend = "its kind is `stateless`: let it keep a state, or look at another kind";
                return Err(self.report(find.line, message, mend));
            }
            let entity = types::entity(kind);
            let (by, gives) = match &find.by {
                By::Id(id) => (FindBy::Id(self.key(id, scope)?), entity),
                By::Where(fields) => {
                    let fields = self.fields(kind, fields, scope, find.line)?;
                    (FindBy::Where(fields), Type::List(Box::new(entity)))
                }
                By::Count(fields) => {
                    let fields = self.fields(kind, fields, scope, find.line)?;
                    (FindBy::Count(fields), Type::Int)
                }
            };
            let (mut of_item, mut of_found) = (false, false);
            by.nodes().for_each(|node| {
                of_item |= node.mentions(&|root| root == Root::Item);
                of_found |= node.mentions(&|root| matches!(root, Root::Found(_)));
            });
            let root = Root::Found(finders.len());
            *scope = scope.with(&find.name, gives, root);
            finders.push(Finder {
                kind: find.kind.clone(),
                by,
                most: find.latest.unwrap_or(super::MOST_FOUND + 1),
                strict: find.latest.is_none(),
                of_item,
                of_found,
            });
        }
        Ok(finders)
    }

    /// What names an entity or a field's value: text, a number, a truth value, or an entity.
    fn key(&mut self, condition: &Condition, scope: &Scope<'_>) -> Result<Node, Broken> {
        let (node, kind) = self.expression(condition, scope)?;
        match kind {
            Type::Any
            | Type::Text
            | Type::OneOf(_)
            | Type::Int
            | Type::Number
            | Type::Bool
            | Type::Entity(_) => Ok(node),
            other => {
                let message = format!(
                    "in `{}`: {} names no entity and no field's value",
                    super::short(&condition.text),
                    other.name()
                );
                let mend = "write text, a number or a truth value";
                Err(self.report(condition.line, message, mend))
            }
        }
    }

    fn fields(
        &mut self,
        kind: &Kind,
        fields: &[(String, Condition)],
        scope: &Scope<'_>,
        line: usize,
    ) -> Result<Vec<(String, Node)>, Broken> {
        let mut nodes = Vec::new();
        for (path, condition) in fields {
            self.indexed_path(kind, path, line)?;
            nodes.push((path.clone(), self.key(condition, scope)?));
        }
        Ok(nodes)
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

    pub(super) fn opening(
        &mut self,
        opening: Option<&Opening>,
        scope: &Scope<'_>,
    ) -> Result<Option<Opens>, Broken> {
        let Some(opening) = opening else {
            return Ok(None);
        };
        let mut severity_when = Vec::new();
        for (severity, condition) in &opening.severity_when {
            if let Some(node) = self.truth(Some(condition), scope)? {
                severity_when.push((*severity, node));
            }
        }
        let of = match &opening.of {
            None => None,
            Some((kind, id)) => {
                self.kind(kind, id.line)?;
                Some((kind.clone(), self.key(id, scope)?))
            }
        };
        Ok(Some(Opens {
            class: opening.class.clone(),
            severity: opening.severity,
            severity_when,
            when: When::new(self.truth(opening.when.as_ref(), scope)?),
            of,
        }))
    }

    /// A condition that gives a moment.
    pub(super) fn moment(
        &mut self,
        condition: &Condition,
        scope: &Scope<'_>,
    ) -> Result<Node, Broken> {
        match self.expression(condition, scope)? {
            (node, Type::Time | Type::Null | Type::Any) => Ok(node),
            (_, other) => {
                let text = super::short(&condition.text);
                let message = format!("in `{text}`: {} is no moment", other.name());
                let mend = "write a timestamp, e.g. `event.time + duration(\"4h\")`, or `null`";
                Err(self.report(condition.line, message, mend))
            }
        }
    }

    /// The rule's own kind, where every event is about one of its entities.
    pub(super) fn own(&mut self, rule: &Rule) -> Result<&'c Kind, Broken> {
        let foreign = |on: &On| !matches!(on, On::Verb(_));
        if self.kind.stateless || (rule.id_of.is_none() && rule.on.iter().any(foreign)) {
            let message = format!(
                "the shape `{}` needs an entity of this kind",
                rule.shape.as_str()
            );
            let mend = "listen to events of this kind, or say with `id_of` which entity is meant";
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

    /// What a field names, by what the kind or one of the rule's events says of it; and whether it is the event's.
    pub(super) fn named_by(
        &mut self,
        rule: &Rule,
        path: &str,
    ) -> Result<(Option<&'c KindName>, bool), Broken> {
        let events = self.scope_events(&rule.on).unwrap_or_default();
        let about: Vec<&'c Kind> = match rule.id_of {
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

impl FindBy {
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        let (one, many) = match self {
            Self::Id(node) => (Some(node), None),
            Self::Where(fields) | Self::Count(fields) => (None, Some(fields)),
        };
        let many = many.into_iter().flatten().map(|(_, node)| node);
        one.into_iter().chain(many)
    }
}
