//! Rules with all their names resolved: every condition checked against the kinds and settings of a catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compiled::{Compiled, Does, FindBy, Finder, Opens, Whom};
use super::declare::{self, By, Condition, Find, Incident, On, Opening, Resolve, Rule};
use super::inputs::RuleKey;
use super::settings::Settings;
use super::shape::{Deadline, Shape};
use super::when::When;
use crate::cel::check::{Scope, check, truth};
use crate::cel::node::{Node, Root};
use crate::cel::types::{self, Type};
use crate::diagnostic::Diagnostic;
use crate::kind::{EventDef, Kind};
use crate::name::KindName;

/// Something was reported; the rule does not come into being.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broken;

pub(super) struct Compiler<'c> {
    pub(super) kinds: &'c BTreeMap<KindName, Kind>,
    settings: &'c Settings,
    pub(super) kind: &'c Kind,
    found: &'c mut Vec<Diagnostic>,
    /// The fields by whose values it looks entities up.
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
        let mut scope = self.scope(&on, &events, rule.whom.as_ref(), rule.line)?;
        let whom = self.whom(rule.whom.as_ref(), &on, &events, rule.line)?;
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
            whom,
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
            let mut scope = self.scope(&on, &events, incident.whom.as_ref(), incident.line)?;
            let whom = self.whom(incident.whom.as_ref(), &on, &events, incident.line)?;
            let find = self.finds(&incident.find, &mut scope)?;
            let opens = self
                .opening(Some(&incident.opening), &scope)?
                .ok_or(Broken)?;
            compiled.push(self.of_incident(
                incident,
                on,
                whom,
                find,
                When::default(),
                Does::Open(opens),
            ));
        }
        if let Some(Resolve { on, whom, when }) = &incident.resolve {
            let on = self.events(on, incident.line)?;
            let events = self.scope_events(&on)?;
            let scope = self.scope(&on, &events, whom.as_ref(), incident.line)?;
            let whom = self.whom(whom.as_ref(), &on, &events, incident.line)?;
            let when = When::new(self.truth(when.as_ref(), &scope)?);
            let does = Does::Resolve(incident.opening.class.clone());
            if !on.is_empty() {
                compiled.push(self.of_incident(incident, on, whom, Vec::new(), when, does));
            }
        }
        Ok(compiled)
    }

    fn of_incident(
        &self,
        incident: &Incident,
        on: Vec<On>,
        whom: Option<Whom>,
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
            whom,
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

    /// `event`, `entity`, `before`, `settings`.
    fn scope(
        &mut self,
        on: &[On],
        events: &[(&'c Kind, &'c EventDef)],
        whom: Option<&declare::Whom>,
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
        if matches!(whom, Some(declare::Whom::Id(_))) && !foreign {
            let message = "`id_of` without an event of another kind";
            let mend = "remove it: events of this kind are about their subject";
            return Err(self.report(line, message, mend));
        }
        let about: Vec<&Kind> = if whom.is_some() {
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

    /// Which entities of this kind an event is about. `entity` is that event's own.
    fn whom(
        &mut self,
        whom: Option<&declare::Whom>,
        on: &[On],
        events: &[(&'c Kind, &'c EventDef)],
        line: usize,
    ) -> Result<Option<Whom>, Broken> {
        let whom = match whom {
            None => return Ok(None),
            Some(declare::Whom::Id(condition)) => {
                let foreign = events
                    .iter()
                    .filter(|(kind, _)| kind.name != self.kind.name);
                let foreign: Vec<(&Kind, &EventDef)> = foreign.copied().collect();
                let scope = self.scope(on, &foreign, None, line)?;
                match self.expression(condition, &scope)? {
                    (node, Type::List(_)) => Whom::Id(node),
                    _ => Whom::Id(self.key(condition, &scope)?),
                }
            }
            Some(declare::Whom::Where { fields, latest }) => {
                let scope = self.scope(on, events, None, line)?;
                Whom::Where(Finder {
                    kind: self.kind.name.clone(),
                    by: FindBy::Where(self.fields(self.kind, fields, &scope, line)?),
                    most: latest.unwrap_or(super::MOST_FOUND + 1),
                    strict: latest.is_none(),
                    of_item: false,
                    of_found: false,
                })
            }
        };
        Ok(Some(whom))
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
    ) -> Result<Vec<(Arc<str>, Node)>, Broken> {
        let mut nodes = Vec::new();
        for (path, condition) in fields {
            self.indexed_path(kind, path, line)?;
            nodes.push((path.as_str().into(), self.key(condition, scope)?));
        }
        Ok(nodes)
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
}
