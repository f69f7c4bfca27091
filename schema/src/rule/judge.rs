//! Judging what an event broke.

use std::collections::BTreeSet;

use super::compile::{Compiled, Does, Opens, Rules};
use super::declare::Rule;
use super::finds::{Base, Found};
use super::inputs::{Inputs, Known, Need};
use super::{MOST_ITEMS, shape::Shape};
use crate::cel::node::Node;
use crate::cel::{BUDGET, Failure, Frame, Value, evaluate, truth};
use crate::kind::Severity;
use crate::name::{KindName, Name};

/// The rule that is raised where another could not be judged: its `detail_key` names that one.
pub const NOT_JUDGED: &str = "rule.not_judged";

/// What judging an event came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This has to be known first; then it is judged again, from the beginning.
    Needs(BTreeSet<Need>),
    /// It is judged.
    Judged(Judged),
}

/// What an event broke, mended, opened and resolved. All in an order that depends on nothing but the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// What it broke.
    pub findings: Vec<Finding>,
    /// Rules that clear what they raised, and hold now but for these.
    pub held: Vec<Held>,
    /// Incidents that open, or gain a cause.
    pub opened: Vec<Opened>,
    /// Incidents that are resolved.
    pub resolved: Vec<Resolved>,
}

/// A rule that an event broke.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// Which part of it.
    pub part: String,
    /// Tells findings of one rule and event apart.
    pub detail_key: String,
    /// How bad it is.
    pub severity: Severity,
    /// The positions that it was judged from, rising; the event's is the last.
    pub judged_from: Vec<u64>,
    /// Whether a later event can clear it.
    pub clears: bool,
    /// The position of the override that excuses it.
    pub overridden_by: Option<u64>,
    /// Whether data that it was judged from was deleted: then the finding may be wrong.
    pub redacted: bool,
    /// Rules that are not raised about the same entity and event, since this one says it better.
    pub instead_of: Vec<String>,
    /// Why it could not be judged, where it could not.
    pub not_judged: Option<String>,
}

/// A rule that was judged at an event and that clears what it raised before: every violation of it that is open is
/// mended but for those with these keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// Which part of it.
    pub part: String,
    /// Keys of what is broken still.
    pub broken: BTreeSet<String>,
}

/// An incident that opens, or gains a cause if one of its class is open about the entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opened {
    /// Its class.
    pub class: String,
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// The rule that opens it; empty where none does.
    pub rule: String,
}

/// An incident that is resolved, if one of its class is open about the entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resolved {
    /// Its class.
    pub class: String,
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity.
    pub id: String,
}

/// What a part of a rule came to.
#[derive(Debug)]
pub(super) struct Broke {
    pub(super) rule: String,
    pub(super) severity: Severity,
    pub(super) detail_key: String,
}

impl Rules {
    /// Judges everything that listens to an event. `kind` and `verb` are its type's.
    pub fn judge(
        &self,
        kind: &KindName,
        verb: &Name,
        inputs: &Inputs<'_>,
        known: &dyn Known,
    ) -> Step {
        let mut needs = BTreeSet::new();
        let mut judged = Judged::default();
        for compiled in self.listening(kind, verb) {
            let mut judging = Judging {
                kind,
                compiled,
                inputs,
                known,
                aliases: self.settings.aliases(),
                needs: &mut needs,
                judged: &mut judged,
                budget: BUDGET,
            };
            judging.all();
        }
        if !needs.is_empty() {
            return Step::Needs(needs);
        }
        judged.settle();
        Step::Judged(judged)
    }
}

impl Judged {
    /// What is better said by another rule goes; the same thing is said once, by its worst severity.
    fn settle(&mut self) {
        let unsaid: Vec<(String, String, String)> = self
            .findings
            .iter()
            .flat_map(|one| {
                let about = |rule: &String| (one.kind.clone(), one.id.clone(), rule.clone());
                one.instead_of.iter().map(about)
            })
            .collect();
        self.findings.retain(|one| {
            !unsaid
                .iter()
                .any(|(kind, id, rule)| *kind == one.kind && *id == one.id && *rule == one.rule)
        });
        let key = |one: &Finding| {
            (
                one.kind.clone(),
                one.id.clone(),
                one.rule.clone(),
                one.detail_key.clone(),
            )
        };
        self.findings.sort_by(|a, b| {
            key(a)
                .cmp(&key(b))
                .then(b.severity.cmp(&a.severity))
                .then(a.part.cmp(&b.part))
        });
        self.findings.dedup_by(|next, kept| key(next) == key(kept));
        self.held.sort();
        self.opened.sort_by(|a, b| {
            let of = |one: &Opened| (one.class.clone(), one.kind.clone(), one.id.clone());
            of(a).cmp(&of(b)).then(b.severity.cmp(&a.severity))
        });
        self.opened.dedup_by(|next, kept| {
            (&next.class, &next.kind, &next.id) == (&kept.class, &kept.kind, &kept.id)
        });
        self.resolved.sort();
        self.resolved.dedup();
    }
}

struct Judging<'a, 'o> {
    kind: &'a KindName,
    compiled: &'a Compiled,
    inputs: &'a Inputs<'a>,
    known: &'a dyn Known,
    aliases: &'a serde_json::Value,
    needs: &'o mut BTreeSet<Need>,
    judged: &'o mut Judged,
    budget: u64,
}

/// What a rule is about.
#[derive(Clone)]
struct About {
    kind: String,
    id: String,
}

impl<'a> Judging<'a, '_> {
    fn all(&mut self) {
        let event = &self.inputs.event;
        let mut about = About {
            kind: event.kind.to_owned(),
            id: event.subject.to_owned(),
        };
        let mut base = Base {
            inputs: self.inputs,
            entity: self.inputs.entity,
            before: self.inputs.before,
            timer: None,
            aliases: self.aliases,
        };
        let compiled = self.compiled;
        let own = compiled.owner == *self.kind;
        if let (Some(node), false) = (&compiled.id_of, own) {
            about.kind = compiled.owner.to_string();
            match base.key(node, &[], &Value::Null, &mut self.budget) {
                Err(failure) => return self.not_judged(&about, failure),
                // The event names no entity of this kind.
                Ok(None) => return,
                Ok(Some(id)) => about.id = id,
            }
            let Some(entity) = self.known.entity(&compiled.owner, &about.id) else {
                self.needs
                    .insert(Need::Entity(compiled.owner.clone(), about.id));
                return;
            };
            base.entity = entity;
            base.before = entity;
        }
        let waiting = self.needs.len();
        let done = match &compiled.does {
            Does::Judge(shape, opens) => self.rule(&about, &base, shape, opens.as_ref()),
            Does::Open(opens) => self.open(&about, &base, opens),
            Does::Resolve(class) => self.resolve(&about, &base, class),
        };
        if let Err(failure) = done
            && self.needs.len() == waiting
        {
            self.not_judged(&about, failure);
        }
    }

    fn not_judged(&mut self, about: &About, failure: Failure) {
        let compiled = self.compiled;
        let rule = compiled.rule.as_ref().map(|rule| rule.id.as_str());
        let class = compiled
            .incident
            .as_ref()
            .map(|incident| incident.opening.class.as_str());
        self.judged.findings.push(Finding {
            kind: about.kind.clone(),
            id: about.id.clone(),
            rule: NOT_JUDGED.to_owned(),
            part: String::new(),
            detail_key: rule.or(class).unwrap_or_default().to_owned(),
            severity: Severity::Warning,
            judged_from: vec![self.inputs.event.seq],
            clears: false,
            overridden_by: None,
            redacted: false,
            instead_of: Vec::new(),
            not_judged: Some(failure.to_string()),
        });
    }

    fn rule(
        &mut self,
        about: &About,
        base: &Base<'a>,
        shape: &'a Shape,
        opens: Option<&'a Opens>,
    ) -> Result<(), Failure> {
        let compiled = self.compiled;
        let Some(rule) = &compiled.rule else {
            return Ok(());
        };
        let (items, keys) = self.items(base)?;
        let shared = if compiled.find.iter().any(|find| find.of_item) {
            None
        } else {
            Some(self.look_up(base, &Value::Null)?)
        };
        let mut findings = Vec::new();
        let mut failed = None;
        for (item, key) in items.iter().zip(&keys) {
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
            let mut frame = base.frame(found, item, self.budget);
            let broke = judge_one(compiled, shape, rule, key, &mut frame);
            let broke = broke.and_then(|broke| {
                let Some(broke) = broke else { return Ok(None) };
                let opened = opens.map(|opens| opening(opens, about, &broke.rule, &mut frame));
                Ok(Some((broke, opened.transpose()?.flatten())))
            });
            self.budget = frame.budget;
            match broke {
                Ok(None) => {}
                Ok(Some((broke, opened))) => {
                    findings.push(self.finding(about, base, found, rule, broke));
                    self.judged.opened.extend(opened);
                }
                Err(failure) => {
                    failed.get_or_insert(failure);
                }
            }
        }
        if rule.clears && failed.is_none() {
            self.judged.held.push(Held {
                kind: about.kind.clone(),
                id: about.id.clone(),
                rule: rule.id.clone(),
                part: rule.part.clone(),
                broken: findings.iter().map(|one| one.detail_key.clone()).collect(),
            });
        }
        self.judged.findings.append(&mut findings);
        failed.map_or(Ok(()), Err)
    }

    /// The items that are judged each on its own, with their keys; one without a name where there is no list.
    fn items<'f>(&mut self, base: &'f Base<'a>) -> Result<(Vec<Value<'f>>, Vec<String>), Failure>
    where
        'a: 'f,
    {
        let compiled = self.compiled;
        let Some((list, key)) = &compiled.each else {
            return Ok((vec![Value::Null], vec![String::new()]));
        };
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
            let named = named.filter(|named| named.chars().count() <= 128 && !keys.contains(named));
            keys.push(named.unwrap_or_else(|| format!("#{place}")));
        }
        self.budget = frame.budget;
        Ok((items, keys))
    }

    fn look_up(&mut self, base: &Base<'a>, item: &Value<'_>) -> Result<Vec<Found<'a>>, Failure> {
        let finders = &self.compiled.find;
        base.look_up(finders, item, self.known, self.needs, &mut self.budget)
    }

    fn finding(
        &self,
        about: &About,
        base: &Base<'a>,
        found: &[Found<'a>],
        rule: &Rule,
        broke: Broke,
    ) -> Finding {
        let seq = self.inputs.event.seq;
        let mut judged_from: Vec<u64> = found.iter().flat_map(Found::positions).collect();
        judged_from.extend(base.before.map(|view| view.seq));
        judged_from.push(seq);
        judged_from.sort_unstable();
        judged_from.dedup();
        let hidden = base.entity.is_some_and(|view| view.redacted);
        Finding {
            kind: about.kind.clone(),
            id: about.id.clone(),
            rule: broke.rule,
            part: rule.part.clone(),
            detail_key: broke.detail_key,
            severity: broke.severity,
            judged_from,
            clears: rule.clears,
            overridden_by: None,
            redacted: hidden || found.iter().any(Found::redacted),
            instead_of: rule.instead_of.clone(),
            not_judged: None,
        }
    }

    fn open(&mut self, about: &About, base: &Base<'a>, opens: &'a Opens) -> Result<(), Failure> {
        let found = self.look_up(base, &Value::Null)?;
        if found.iter().any(|one| matches!(one, Found::Unknown)) {
            return Ok(());
        }
        let mut frame = base.frame(&found, &Value::Null, self.budget);
        let opened = opening(opens, about, "", &mut frame)?;
        self.judged.opened.extend(opened);
        Ok(())
    }

    fn resolve(&mut self, about: &About, base: &Base<'a>, class: &str) -> Result<(), Failure> {
        let mut frame = base.frame(&[], &Value::Null, self.budget);
        if !holds(self.compiled.when.as_ref(), &mut frame)? {
            return Ok(());
        }
        self.judged.resolved.push(Resolved {
            class: class.to_owned(),
            kind: about.kind.clone(),
            id: about.id.clone(),
        });
        Ok(())
    }
}

/// Whether a condition holds; one that is not there does.
pub(super) fn holds<'f>(node: Option<&'f Node>, frame: &mut Frame<'f>) -> Result<bool, Failure> {
    node.map_or(Ok(true), |node| truth(&evaluate(node, frame)?))
}

/// Judges one item, or what the rule is about where it has none.
fn judge_one<'f>(
    compiled: &'f Compiled,
    shape: &'f Shape,
    rule: &Rule,
    key: &str,
    frame: &mut Frame<'f>,
) -> Result<Option<Broke>, Failure> {
    if !holds(compiled.when.as_ref(), frame)? {
        return Ok(None);
    }
    let broken = match shape {
        Shape::Require(node) => !truth(&evaluate(node, frame)?)?,
    };
    Ok(broken.then(|| Broke {
        rule: rule.id.clone(),
        severity: rule.severity,
        detail_key: key.to_owned(),
    }))
}

/// The incident that opens, if it does.
fn opening<'f>(
    opens: &'f Opens,
    about: &About,
    rule: &str,
    frame: &mut Frame<'f>,
) -> Result<Option<Opened>, Failure> {
    if !holds(opens.when.as_ref(), frame)? {
        return Ok(None);
    }
    let mut severity = opens.severity;
    for (worse, node) in &opens.severity_when {
        if *worse > severity && holds(Some(node), frame)? {
            severity = *worse;
        }
    }
    let (kind, id) = match &opens.of {
        None => (about.kind.clone(), about.id.clone()),
        Some((kind, node)) => match evaluate(node, frame)?.index_text() {
            Some(id) => (kind.to_string(), id),
            // It names nothing: better about what the verdict is about than no incident.
            None => (about.kind.clone(), about.id.clone()),
        },
    };
    Ok(Some(Opened {
        class: opens.class.clone(),
        kind,
        id,
        severity,
        rule: rule.to_owned(),
    }))
}
