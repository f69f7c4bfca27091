//! One rule at one event.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::MOST_ITEMS;
use super::compiled::{Compiled, Does, Finder, Opens, Whom};
use super::declare::Rule;
use super::finds::{Base, Found};
use super::inputs::{Inputs, Known, Need, RuleKey};
use super::judge::{Arrived, Finding, Held, Judged, NOT_JUDGED, Resolved};
use super::opening::{Opening, opening_with};
use super::rules::Rules;
use super::shape::{Broke, Case, Shape};
use super::silence::Silences;
use super::when::When;
use crate::cel::node::Node;
use crate::cel::{BUDGET, Failure, Value, View, evaluate};
use crate::kind::Severity;
use crate::name::KindName;

/// The longest subject, in characters: that of an event of package `ledger`.
const LONGEST_ID: usize = 512;

pub(super) struct Judging<'a, 'o> {
    pub(super) compiled: &'a Compiled,
    inputs: &'a Inputs<'a>,
    pub(super) known: &'a dyn Known,
    aliases: &'a serde_json::Value,
    needs: &'o mut BTreeSet<Need>,
    pub(super) judged: &'o mut Judged,
    budget: u64,
}

/// What a rule is about. A copy costs no allocation.
#[derive(Clone)]
pub(super) struct About {
    pub(super) kind: Arc<str>,
    pub(super) id: Arc<str>,
    /// Whether something that a rule found about it may be open.
    open: bool,
}

impl About {
    pub(super) fn new(kind: Arc<str>, id: &str, known: &dyn Known) -> Self {
        let open = known.may_be_open(&kind, id);
        let id = id.into();
        Self { kind, id, open }
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

    pub(super) fn base(&self) -> Base<'a> {
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
        let compiled = self.compiled;
        let done = match &compiled.whom {
            Some(Whom::Id(node)) if compiled.owner != *kind => self.about_named(node),
            Some(Whom::Where(finder)) => {
                self.about_found((compiled.owner == *kind).then_some(event), finder)
            }
            None | Some(Whom::Id(_)) => return self.about(event, &self.base()),
        };
        if let Err(failure) = done {
            let about = About {
                kind: compiled.owner.text().clone(),
                ..event.clone()
            };
            self.not_judged(&about, failure);
        }
    }

    /// About the entities of its kind that an event of another kind names.
    fn about_named(&mut self, node: &'a Node) -> Result<(), Failure> {
        let owner = &self.compiled.owner;
        // What is longer than any subject names no entity.
        let ids = self.base().keys(node, &mut self.budget)?.into_iter();
        for id in ids.filter(|id| id.chars().count() <= LONGEST_ID) {
            match self.known.entity(owner, &id) {
                None => {
                    self.needs.insert(Need::Entity(owner.clone(), id));
                }
                Some(entity) => self.about_other(&id, entity),
            }
        }
        Ok(())
    }

    /// About the event's own entity, if it is of its kind, and about those that have something in common with it.
    fn about_found(&mut self, own: Option<&About>, finder: &'a Finder) -> Result<(), Failure> {
        let base = self.base();
        if let Some(own) = own {
            self.about(own, &base);
        }
        let (known, budget) = (self.known, &mut self.budget);
        let found = base.find(finder, &[], &Value::Null, known, self.needs, budget)?;
        for view in found.views() {
            if own.is_none_or(|own| *own.id != *view.id) {
                self.about_other(view.id, Some(view));
            }
        }
        Ok(())
    }

    /// About an entity that the event left as it was.
    fn about_other(&mut self, id: &str, entity: Option<View<'a>>) {
        let base = Base {
            entity,
            before: entity,
            ..self.base()
        };
        let kind = self.compiled.owner.text().clone();
        self.about(&About::new(kind, id, self.known), &base);
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

    pub(super) fn key(&self) -> Option<RuleKey> {
        self.compiled.key.clone()
    }

    /// Whether it may be judged at all, by what is known before anything is looked up.
    pub(super) fn may_begin(&mut self, base: &Base<'a>, when: &'a When) -> Result<bool, Failure> {
        let mut frame = base.frame(&[], &Value::Null, self.budget);
        when.may_hold(&mut frame)
    }

    pub(super) fn not_judged(&mut self, about: &About, failure: Failure) {
        let compiled = self.compiled;
        let rule = compiled.rule.as_ref().map(|rule| rule.id.as_str());
        let class = compiled
            .incident
            .as_ref()
            .map(|incident| incident.opening.class.as_str());
        let seq = self.inputs.event.seq;
        self.judged.findings.push(Finding {
            detail_key: rule.or(class).unwrap_or_default().to_owned(),
            severity: Severity::Warning,
            redacted: self.inputs.entity.is_some_and(|view| view.redacted()),
            not_judged: Some(failure.to_string()),
            ..Finding::of_the_ledger(&about.kind, &about.id, NOT_JUDGED, vec![seq])
        });
    }

    /// Goes through the items of the rule's list, or judges once where it has none. Gives the first failure.
    pub(super) fn cases(
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
        let mends = about.open && clears(compiled) && failed.is_none();
        if mends && let Some(by) = self.key() {
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
                redacted: base.entity.is_some_and(|view| view.redacted()),
            });
        }
        Ok(())
    }
}

impl Case<'_, '_> {
    /// Whether the rule that is raised is silenced about this entity.
    pub(super) fn is_silenced(&mut self, rule: &str, about: &About) -> bool {
        Silences::new(self.base.inputs.event.recorded_us, self.known)
            .of(rule, &about.kind, &about.id, self.needs)
            .is_some()
    }
}

fn clears(compiled: &Compiled) -> bool {
    compiled.rule.as_ref().is_some_and(|rule| rule.clears)
}

/// The verdict of a rule that is broken.
pub(super) fn finding<'a>(
    compiled: &Compiled,
    about: &About,
    case: &mut Case<'_, 'a>,
    broke: Broke<'a>,
) -> Result<Finding, Failure> {
    let rule: &Rule = case.rule;
    let base = case.base;
    let mut judged_from = broke.judged_from;
    judged_from.extend(case.found.iter().flat_map(Found::positions));
    judged_from.extend(base.before.map(|view| view.seq()));
    judged_from.push(base.inputs.event.seq);
    judged_from.sort_unstable();
    judged_from.dedup();
    let hidden = base.entity.is_some_and(|view| view.redacted());
    let mut overridden_by = None;
    if let Some((number, node)) = &compiled.override_by {
        let views = case.found.get(*number).map_or_else(Vec::new, Found::views);
        for view in &views {
            if overridden_by.is_none() && case.holds_of(Some(node), Some(view))? {
                overridden_by = Some(view.seq());
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
