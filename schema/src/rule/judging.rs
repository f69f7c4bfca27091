//! One rule at one event, or at the moment when it is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::MOST_ITEMS;
use super::compile::{Compiled, Does, Opens};
use super::declare::Rule;
use super::finds::{Base, Found};
use super::inputs::{Inputs, Known, Need, RuleKey};
use super::judge::{
    Armed, Arrived, Due, Emitted, Finding, Held, Judged, NOT_JUDGED, Opened, Resolved, TaskOpened,
    Violation,
};
use super::rules::Rules;
use super::shape::{Broke, Case, Deadline, Shape};
use super::silence::Silences;
use super::when::When;
use crate::cel::node::Node;
use crate::cel::{BUDGET, Failure, Value, evaluate};
use crate::kind::Severity;
use crate::name::KindName;

/// The longest subject, in characters: that of an event of package `ledger`.
const LONGEST_ID: usize = 512;

pub(super) struct Judging<'a, 'o> {
    compiled: &'a Compiled,
    inputs: &'a Inputs<'a>,
    known: &'a dyn Known,
    aliases: &'a serde_json::Value,
    needs: &'o mut BTreeSet<Need>,
    judged: &'o mut Judged,
    budget: u64,
}

/// What a rule is about. A copy costs no allocation.
#[derive(Clone)]
pub(super) struct About {
    kind: Arc<str>,
    id: Arc<str>,
}

impl About {
    pub(super) fn new(kind: &KindName, id: &str) -> Self {
        Self {
            kind: kind.text().clone(),
            id: id.into(),
        }
    }
}

/// A list's items that are judged each on its own, with their keys.
type Items<'f> = (Vec<Value<'f>>, Vec<String>);

impl<'a, 'o> Judging<'a, 'o> {
    pub(super) fn new(
        rules: &'a Rules,
        compiled: &'a Compiled,
        inputs: &'a Inputs<'a>,
        known: &'a dyn Known,
        needs: &'o mut BTreeSet<Need>,
        judged: &'o mut Judged,
    ) -> Self {
        let aliases = rules.settings.aliases();
        Self {
            compiled,
            inputs,
            known,
            aliases,
            needs,
            judged,
            budget: BUDGET,
        }
    }

    fn base(&self) -> Base<'a> {
        Base {
            inputs: self.inputs,
            entity: self.inputs.entity,
            before: self.inputs.before,
            timer: None,
            aliases: self.aliases,
        }
    }

    /// At an event of this kind that it listens to; `event` is the entity that the event is about.
    pub(super) fn at_event(&mut self, kind: &KindName, event: &About) {
        let base = self.base();
        let compiled = self.compiled;
        let Some(node) = compiled.id_of.as_ref().filter(|_| compiled.owner != *kind) else {
            return self.about(event, &base);
        };
        let about = About {
            kind: compiled.owner.text().clone(),
            id: event.id.clone(),
        };
        let ids = match base.keys(node, &mut self.budget) {
            Ok(ids) => ids,
            Err(failure) => return self.not_judged(&about, failure),
        };
        // What is longer than any subject names no entity.
        for id in ids
            .into_iter()
            .filter(|id| id.chars().count() <= LONGEST_ID)
        {
            match self.known.entity(&compiled.owner, &id) {
                None => {
                    self.needs.insert(Need::Entity(compiled.owner.clone(), id));
                }
                Some(entity) => {
                    let base = Base {
                        entity,
                        before: entity,
                        ..base.clone()
                    };
                    self.about(
                        &About {
                            kind: about.kind.clone(),
                            id: id.into(),
                        },
                        &base,
                    );
                }
            }
        }
    }

    fn about(&mut self, about: &About, base: &Base<'a>) {
        let done = match &self.compiled.does {
            Does::Judge(shape, opens) => match shape.as_ref() {
                Shape::Deadline(deadline) => self.arm(about, base, deadline),
                shape => self.rule(about, base, shape, opens.as_ref()),
            },
            Does::Open(opens) => self.open(about, base, opens),
            Does::Resolve(class) => self.resolve(about, base, class),
        };
        if let Err(failure) = done {
            self.not_judged(about, failure);
        }
    }

    /// At an event of a kind whose entities it waits for.
    pub(super) fn at_arrival(&mut self) {
        let (Does::Judge(shape, _), Some(target), Some(by)) =
            (&self.compiled.does, &self.inputs.entity, self.key())
        else {
            return;
        };
        let Shape::Reference(reference) = shape.as_ref() else {
            return;
        };
        // Where nothing more is wanted, only its first event says something new.
        if reference.is.is_none() && self.inputs.before.is_some() {
            return;
        }
        let base = self.base();
        let mut frame = base.frame(&[], &Value::Null, self.budget);
        frame.other = Value::Entity(target);
        let is = reference.is.as_ref().map(|node| evaluate(node, &mut frame));
        // What it is beside the rule's own entity cannot be told here: then it is judged at that one's next event.
        if matches!(is, None | Some(Ok(Value::Bool(true)))) {
            self.judged.arrived.push(Arrived {
                by,
                id: target.id.to_owned(),
            });
        }
    }

    fn key(&self) -> Option<RuleKey> {
        self.compiled.key.clone()
    }

    /// Whether it may be judged at all, by what is known before anything is looked up.
    fn may_begin(&mut self, base: &Base<'a>, when: &'a When) -> Result<bool, Failure> {
        let mut frame = base.frame(&[], &Value::Null, self.budget);
        when.may_hold(&mut frame)
    }

    fn not_judged(&mut self, about: &About, failure: Failure) {
        let compiled = self.compiled;
        let rule = compiled.rule.as_ref().map(|rule| rule.id.as_str());
        let class = compiled
            .incident
            .as_ref()
            .map(|incident| incident.opening.class.as_str());
        self.judged.findings.push(Finding {
            kind: about.kind.to_string(),
            id: about.id.to_string(),
            rule: NOT_JUDGED.to_owned(),
            by: None,
            detail_key: rule.or(class).unwrap_or_default().to_owned(),
            severity: Severity::Warning,
            judged_from: vec![self.inputs.event.seq],
            clears: false,
            overridden_by: None,
            silenced_by: None,
            redacted: self.inputs.entity.is_some_and(|view| view.redacted),
            instead_of: Vec::new(),
            not_judged: Some(failure.to_string()),
        });
    }

    /// Goes through the items of the rule's list, or judges once where it has none. Gives the first failure.
    fn cases(
        &mut self,
        base: &Base<'a>,
        opens: Option<&'a Opens>,
        mut judge: impl FnMut(&mut Case<'_, 'a>) -> Result<(), Failure>,
    ) -> Result<Option<Failure>, Failure> {
        let compiled = self.compiled;
        let Some(rule) = &compiled.rule else {
            return Ok(None);
        };
        let (one, unnamed) = ([Value::Null], [String::new()]);
        let listed;
        let (items, keys): (&[Value<'_>], &[String]) = match &compiled.each {
            None => (&one, &unnamed),
            Some(each) => {
                listed = self.items(base, each)?;
                (&listed.0, &listed.1)
            }
        };
        let shared = if compiled.find.iter().any(|find| find.of_item) {
            None
        } else {
            Some(self.look_up(base, &Value::Null)?)
        };
        let mut failed = None;
        for (item, key) in items.iter().zip(keys) {
            let own;
            let found = if let Some(found) = &shared {
                found
            } else {
                own = self.look_up(base, item)?;
                &own
            };
            if found.iter().any(|one| matches!(one, Found::Unknown)) {
                continue;
            }
            let mut case = Case {
                rule,
                opens,
                base,
                found,
                item,
                key,
                known: self.known,
                needs: self.needs,
                budget: &mut self.budget,
            };
            if let Err(failure) = judge(&mut case) {
                failed.get_or_insert(failure);
            }
        }
        Ok(failed)
    }

    /// The items that are judged each on its own, with their keys.
    fn items<'f>(
        &mut self,
        base: &'f Base<'a>,
        (list, key): &'a (Node, Option<Node>),
    ) -> Result<Items<'f>, Failure>
    where
        'a: 'f,
    {
        let mut frame = base.frame(&[], &Value::Null, self.budget);
        let list = evaluate(list, &mut frame)?;
        let length = list.length().ok_or(Failure::Type(list.type_name()))?;
        if length > MOST_ITEMS {
            return Err(Failure::TooMany);
        }
        let items: Vec<Value<'f>> = (0..length).filter_map(|place| list.item(place)).collect();
        let mut keys: Vec<String> = Vec::new();
        for (place, item) in items.iter().enumerate() {
            frame.item = item.clone();
            let named = match key {
                Some(node) => evaluate(node, &mut frame)?.index_text(),
                None => None,
            };
            // A key stands in a verdict for ever: it is short, and no other item's.
            let named = named.filter(|one| one.chars().count() <= 128 && !keys.contains(one));
            keys.push(named.unwrap_or_else(|| format!("#{place}")));
        }
        self.budget = frame.budget;
        Ok((items, keys))
    }

    fn look_up(&mut self, base: &Base<'a>, item: &Value<'_>) -> Result<Vec<Found<'a>>, Failure> {
        let finders = &self.compiled.find;
        base.look_up(finders, item, self.known, self.needs, &mut self.budget)
    }

    fn rule(
        &mut self,
        about: &About,
        base: &Base<'a>,
        shape: &'a Shape,
        opens: Option<&'a Opens>,
    ) -> Result<(), Failure> {
        let compiled = self.compiled;
        let mut findings = Vec::new();
        let mut opened = Vec::new();
        let mut judge = |case: &mut Case<'_, 'a>| {
            if !case.holds(compiled.when.then())? {
                return Ok(());
            }
            for broke in shape.judge(case)? {
                let opens = broke.opens;
                let found = finding(compiled, about, case, broke)?;
                // What somebody was allowed to do is in the register of overrides, and wakes nobody; nor does what
                // nobody wants to hear of.
                if found.overridden_by.is_none() && !case.is_silenced(&found.rule, about) {
                    opened.extend(opening_with(&found, opens, about, case)?);
                }
                findings.push(found);
            }
            Ok(())
        };
        let failed = if self.may_begin(base, &compiled.when)? {
            self.cases(base, opens, &mut judge)?
        } else {
            None
        };
        if let (true, None, Some(by)) = (clears(compiled), failed, self.key()) {
            self.judged.held.push(Held {
                kind: about.kind.clone(),
                id: about.id.clone(),
                by,
                broken: findings.iter().map(|one| one.detail_key.clone()).collect(),
            });
        }
        self.judged.findings.append(&mut findings);
        self.judged.opened.append(&mut opened);
        failed.map_or(Ok(()), Err)
    }

    /// Sets the deadlines that an event says.
    fn arm(
        &mut self,
        about: &About,
        base: &Base<'a>,
        deadline: &'a Deadline,
    ) -> Result<(), Failure> {
        let Some(by) = self.key() else { return Ok(()) };
        let compiled = self.compiled;
        let mut due = BTreeMap::new();
        let set = |case: &mut Case<'_, 'a>| {
            if !case.holds(compiled.when.then())? {
                return Ok(());
            }
            let Some(set) = case.known.due_us(&by, &about.kind, &about.id, case.key) else {
                let need = Need::Deadlines(about.kind.to_string(), about.id.to_string());
                case.needs.insert(need);
                return Ok(());
            };
            let timed = Base {
                timer: set,
                ..case.base.clone()
            };
            let mut case = Case {
                base: &timed,
                needs: &mut *case.needs,
                budget: &mut *case.budget,
                ..*case
            };
            if let Some(us) = deadline.due(&mut case)? {
                due.insert(case.key.to_owned(), (us, deadline.excused(&mut case)?));
            }
            Ok(())
        };
        let failed = if self.may_begin(base, &compiled.when)? {
            self.cases(base, None, set)?
        } else {
            None
        };
        if let Some(failure) = failed {
            return Err(failure);
        }
        let (kind, id) = (about.kind.clone(), about.id.clone());
        self.judged.armed.push(Armed { by, kind, id, due });
        Ok(())
    }

    /// At the first event that is recorded after it was due.
    pub(super) fn when_due(&mut self, due: &Due) {
        let Does::Judge(shape, opens) = &self.compiled.does else {
            return;
        };
        let Shape::Deadline(deadline) = shape.as_ref() else {
            return;
        };
        let about = About {
            kind: due.kind.as_str().into(),
            id: due.id.as_str().into(),
        };
        let base = Base {
            timer: Some(due.due_us),
            ..self.base()
        };
        let compiled = self.compiled;
        let (mut findings, mut opened, mut emitted) = (Vec::new(), Vec::new(), Vec::new());
        let mut missed = false;
        let failed = self.cases(&base, opens.as_ref(), |case| {
            if case.key != due.key || deadline.excused(case)? {
                return Ok(());
            }
            missed = true;
            let mut broke = case.broke();
            broke.judged_from.push(due.armed_seq);
            if deadline.raise {
                let opens = broke.opens;
                let found = finding(compiled, &about, case, broke)?;
                if !case.is_silenced(&found.rule, &about) {
                    opened.extend(opening_with(&found, opens, &about, case)?);
                }
                findings.push(found);
            } else if !case.is_silenced(broke.rule, &about) {
                opened.extend(opening(broke.opens, &about, broke.rule, case)?);
            }
            if let Some((verb, members)) = &deadline.emit {
                let mut data = serde_json::Map::new();
                for (name, node) in members {
                    let mut frame = case.base.frame(case.found, case.item, *case.budget);
                    let value = evaluate(node, &mut frame)?.to_json();
                    if !value.is_null() {
                        data.insert(name.clone(), value);
                    }
                }
                emitted.push((verb.clone(), data));
            }
            Ok(())
        });
        if let Err(failure) | Ok(Some(failure)) = failed {
            return self.not_judged(&about, failure);
        }
        self.judged.findings.append(&mut findings);
        self.judged.opened.append(&mut opened);
        let task = deadline.task.as_ref().filter(|_| missed);
        self.judged.tasks.extend(task.map(|task| TaskOpened {
            class: task.class.clone(),
            kind: due.kind.clone(),
            id: due.id.clone(),
            title: task.title.clone(),
            due_us: due.due_us,
        }));
        self.judged
            .emitted
            .extend(emitted.into_iter().map(|(verb, data)| Emitted {
                event_type: format!("{}.{verb}", due.by.owner),
                subject: due.id.clone(),
                data: serde_json::Value::Object(data),
                by: due.by.clone(),
                due_us: due.due_us,
            }));
    }

    fn open(&mut self, about: &About, base: &Base<'a>, opens: &'a Opens) -> Result<(), Failure> {
        if !self.may_begin(base, &opens.when)? {
            return Ok(());
        }
        let found = self.look_up(base, &Value::Null)?;
        if found.iter().any(|one| matches!(one, Found::Unknown)) {
            return Ok(());
        }
        let mut judge = Opening {
            base,
            found: &found,
            item: &Value::Null,
            budget: &mut self.budget,
        };
        let opened = judge.opens(opens, about, "")?;
        self.judged.opened.extend(opened);
        Ok(())
    }

    fn resolve(&mut self, about: &About, base: &Base<'a>, class: &str) -> Result<(), Failure> {
        if self.may_begin(base, &self.compiled.when)? {
            let (kind, id) = (about.kind.to_string(), about.id.to_string());
            self.judged.resolved.push(Resolved {
                class: class.to_owned(),
                kind,
                id,
                redacted: base.entity.is_some_and(|view| view.redacted),
            });
        }
        Ok(())
    }
}

impl Case<'_, '_> {
    /// Whether the rule that is raised is silenced about this entity.
    fn is_silenced(&mut self, rule: &str, about: &About) -> bool {
        Silences::new(self.base.inputs.event.recorded_us, self.known)
            .of(rule, &about.kind, &about.id, self.needs)
            .is_some()
    }
}

fn clears(compiled: &Compiled) -> bool {
    compiled.rule.as_ref().is_some_and(|rule| rule.clears)
}

fn finding<'a>(
    compiled: &Compiled,
    about: &About,
    case: &mut Case<'_, 'a>,
    broke: Broke<'a>,
) -> Result<Finding, Failure> {
    let rule: &Rule = case.rule;
    let base = case.base;
    let mut judged_from = broke.judged_from;
    judged_from.extend(case.found.iter().flat_map(Found::positions));
    judged_from.extend(base.before.map(|view| view.seq));
    judged_from.push(base.inputs.event.seq);
    judged_from.sort_unstable();
    judged_from.dedup();
    let hidden = base.entity.is_some_and(|view| view.redacted);
    let mut overridden_by = None;
    if let Some((number, node)) = &compiled.override_by {
        let views = case.found.get(*number).map_or_else(Vec::new, Found::views);
        for view in &views {
            if overridden_by.is_none() && case.holds_of(Some(node), Some(view))? {
                overridden_by = Some(view.seq);
            }
        }
    }
    Ok(Finding {
        kind: about.kind.to_string(),
        id: about.id.to_string(),
        rule: broke.rule.to_owned(),
        by: compiled.key.clone(),
        detail_key: broke.detail_key,
        severity: broke.severity,
        judged_from,
        clears: rule.clears,
        overridden_by,
        silenced_by: None,
        redacted: hidden || case.found.iter().any(Found::redacted),
        instead_of: rule.instead_of.clone(),
        not_judged: None,
    })
}

fn opening(
    opens: Option<&Opens>,
    about: &About,
    rule: &str,
    case: &mut Case<'_, '_>,
) -> Result<Option<Opened>, Failure> {
    let Some(opens) = opens else { return Ok(None) };
    let (base, found, item) = (case.base, case.found, case.item);
    Opening {
        base,
        found,
        item,
        budget: &mut *case.budget,
    }
    .opens(opens, about, rule)
}

/// The incident that opens with a finding, where it does.
fn opening_with(
    finding: &Finding,
    opens: Option<&Opens>,
    about: &About,
    case: &mut Case<'_, '_>,
) -> Result<Option<Opened>, Failure> {
    let opened = opening(opens, about, &finding.rule, case)?;
    let by = finding.by.clone().filter(|_| finding.clears);
    let with = by.map(|by| Violation {
        by,
        kind: finding.kind.clone(),
        id: finding.id.clone(),
        detail_key: finding.detail_key.clone(),
    });
    Ok(opened.map(|opened| Opened { with, ..opened }))
}

/// What an incident's opening is judged with.
struct Opening<'c, 'a> {
    base: &'c Base<'a>,
    found: &'c [Found<'a>],
    item: &'c Value<'c>,
    budget: &'c mut u64,
}

impl Opening<'_, '_> {
    fn holds(&mut self, node: Option<&Node>) -> Result<bool, Failure> {
        let Some(node) = node else { return Ok(true) };
        let mut frame = self.base.frame(self.found, self.item, *self.budget);
        let answer = evaluate(node, &mut frame);
        *self.budget = frame.budget;
        crate::cel::truth(&answer?)
    }

    /// The incident that opens, if it does.
    fn opens(
        &mut self,
        opens: &Opens,
        about: &About,
        rule: &str,
    ) -> Result<Option<Opened>, Failure> {
        let mut frame = self.base.frame(self.found, self.item, *self.budget);
        let may = opens.when.may_hold(&mut frame)?;
        if !(may && self.holds(opens.when.then())?) {
            return Ok(None);
        }
        let mut severity = opens.severity;
        for (worse, node) in &opens.severity_when {
            if *worse > severity && self.holds(Some(node))? {
                severity = *worse;
            }
        }
        let named = match &opens.of {
            None => None,
            Some((kind, node)) => {
                let id = self.base.key(node, self.found, self.item, self.budget)?;
                id.map(|id| (kind.to_string(), id))
            }
        };
        // Where it names nothing: better about what the verdict is about than no incident.
        let (kind, id) = named.unwrap_or_else(|| (about.kind.to_string(), about.id.to_string()));
        Ok(Some(Opened {
            class: opens.class.clone(),
            kind,
            id,
            severity,
            rule: rule.to_owned(),
            redacted: self.base.entity.is_some_and(|view| view.redacted)
                || self.found.iter().any(Found::redacted),
            with: None,
        }))
    }
}
