//! Judging what an event broke.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::inputs::{Event, Inputs, Known, Need, RuleKey};
use super::judging::{About, Judging};
use super::rules::Rules;
use crate::kind::Severity;
use crate::name::{KindName, Name};

/// The rule that is raised where another could not be judged: its `detail_key` names that one.
pub const NOT_JUDGED: &str = "rule.not_judged";

/// The rule that is raised where a publisher may not publish a type, by the setting `authorities`.
pub const NOT_AUTHORIZED: &str = "publisher.not_authorized";

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
    /// What rules waited for and what is there now.
    pub arrived: Vec<Arrived>,
    /// Deadlines that are set, or are no more.
    pub armed: Vec<Armed>,
    /// Incidents that open, or gain a cause.
    pub opened: Vec<Opened>,
    /// Incidents that are resolved.
    pub resolved: Vec<Resolved>,
    /// Tasks that are opened.
    pub tasks: Vec<TaskOpened>,
    /// Events that the ledger publishes.
    pub emitted: Vec<Emitted>,
}

/// A rule that an event broke.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity.
    pub id: String,
    /// The rule that is raised.
    pub rule: String,
    /// The rule that found it: with several outcomes, its name is another than the one that is raised. `None` where
    /// the ledger itself did.
    pub by: Option<RuleKey>,
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
    /// The position of the event by which the rule is silenced about this entity.
    pub silenced_by: Option<u64>,
    /// Whether data that it was judged from was deleted: then the finding may be wrong.
    pub redacted: bool,
    /// Rules that are not raised about the same entity and event, since this one says it better.
    pub instead_of: Vec<String>,
    /// Why it could not be judged, where it could not.
    pub not_judged: Option<String>,
}

impl Finding {
    /// What the ledger finds by itself: an error that no later event clears.
    pub fn of_the_ledger(kind: &str, id: &str, rule: &str, judged_from: Vec<u64>) -> Self {
        Self {
            kind: kind.to_owned(),
            id: id.to_owned(),
            rule: rule.to_owned(),
            by: None,
            detail_key: String::new(),
            severity: Severity::Error,
            judged_from,
            clears: false,
            overridden_by: None,
            silenced_by: None,
            redacted: false,
            instead_of: Vec::new(),
            not_judged: None,
        }
    }
}

/// A rule that was judged at an event and that clears what it raised before: every violation of it that is open is
/// mended but for those with these keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The kind of the entity that it is about.
    pub kind: Arc<str>,
    /// That entity.
    pub id: Arc<str>,
    /// The rule.
    pub by: RuleKey,
    /// Keys of what is broken still.
    pub broken: BTreeSet<String>,
}

/// An entity that rules wait for is there, and as they want it: every open violation of the rule with its identifier
/// for a key is mended, whichever entity it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrived {
    /// The rule.
    pub by: RuleKey,
    /// The identifier.
    pub id: String,
}

/// The deadlines of one rule about one entity, in place of all those that it had.
///
/// One that fired and stays at its moment does not fire again. Where it is at another moment, or is no more, what it
/// raised is mended; also where something excuses from it now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Armed {
    /// The rule.
    pub by: RuleKey,
    /// The kind of the entity that it is about.
    pub kind: Arc<str>,
    /// That entity.
    pub id: Arc<str>,
    /// By key: when it is due, µs, and whether something excuses from it.
    pub due: BTreeMap<String, (i64, bool)>,
}

/// A deadline whose moment has passed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When it was due, µs.
    pub due_us: i64,
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity.
    pub id: String,
    /// The rule.
    pub by: RuleKey,
    /// The item's key; empty where the rule has no list.
    pub key: String,
    /// The position of the event that set it.
    pub armed_seq: u64,
}

/// A task that is opened; one a class and entity while open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskOpened {
    /// What it is about.
    pub class: String,
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity.
    pub id: String,
    /// What is to be done.
    pub title: String,
    /// The moment that passed, µs.
    pub due_us: i64,
}

/// An event that the ledger publishes about an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// `<package>.<entity>.<verb>`.
    pub event_type: String,
    /// The entity.
    pub subject: String,
    /// Its data, an object.
    pub data: serde_json::Value,
    /// The rule.
    pub by: RuleKey,
    /// The moment that passed, µs.
    pub due_us: i64,
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
    /// Whether data that this was judged from was deleted: then nothing is concluded from it.
    pub redacted: bool,
    /// The violation that it comes with, where that can be mended. While that is open already, what is broken still is
    /// no new cause.
    pub with: Option<Violation>,
}

/// A violation that is open, or could be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The rule that found it.
    pub by: RuleKey,
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity.
    pub id: String,
    /// Its key.
    pub detail_key: String,
}

impl Violation {
    /// Whether another part of the same rule found the same.
    pub(super) fn is_another_part(&self, other: &Self) -> bool {
        self.by.part != other.by.part
            && (&self.by.owner, &self.by.id) == (&other.by.owner, &other.by.id)
            && (&self.kind, &self.id) == (&other.kind, &other.id)
            && self.detail_key == other.detail_key
    }
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
    /// Whether data that this was judged from was deleted: then nothing is concluded from it.
    pub redacted: bool,
}

impl Rules {
    /// Judges everything that listens to an event. `kind` and `verb` are its type's; `also` is what the lifecycle
    /// says of it.
    pub fn judge(
        &self,
        kind: &KindName,
        verb: &Name,
        inputs: &Inputs<'_>,
        also: &[Finding],
        known: &dyn Known,
    ) -> Step {
        let mut needs = BTreeSet::new();
        let mut judged = Judged {
            findings: also.to_vec(),
            ..Judged::default()
        };
        let about = About::new(kind.text().clone(), inputs.event.subject, known);
        for compiled in self.listening(kind, verb) {
            let mut judging = Judging::new(self, compiled, inputs, known, &mut needs, &mut judged);
            judging.at_event(kind, &about);
        }
        for compiled in self.awaiting(kind) {
            let mut judging = Judging::new(self, compiled, inputs, known, &mut needs, &mut judged);
            judging.at_arrival();
        }
        // What the ledger itself publishes follows from the chain; the door sees to it that nobody else is `ledger`.
        if inputs.event.publisher != "ledger"
            && !self.authorities.allow(inputs.event.publisher, kind, verb)
        {
            let Event {
                kind, subject, seq, ..
            } = inputs.event;
            let finding = Finding::of_the_ledger(kind, subject, NOT_AUTHORIZED, vec![seq]);
            judged.findings.push(finding);
        }
        needs.extend(judged.silence(inputs.event.recorded_us, known));
        judged.settled(needs)
    }

    /// Judges a deadline whose moment has passed before an event. `inputs` has that event, and as its entity the one
    /// that the deadline is about, before the event; `known` is what is known before it, too.
    pub fn fire(&self, due: &Due, inputs: &Inputs<'_>, known: &dyn Known) -> Step {
        let mut needs = BTreeSet::new();
        let mut judged = Judged::default();
        if let Some(compiled) = self.named(&due.by.owner, &due.by.id, &due.by.part) {
            let mut judging = Judging::new(self, compiled, inputs, known, &mut needs, &mut judged);
            judging.when_due(due);
        }
        judged.findings.extend(self.silence(due, inputs.event.seq));
        needs.extend(judged.silence(inputs.event.recorded_us, known));
        judged.settled(needs)
    }
}

impl Judged {
    /// What is better said by another rule goes; the same thing is said once, by its worst severity.
    fn settled(mut self, needs: BTreeSet<Need>) -> Step {
        if !needs.is_empty() {
            return Step::Needs(needs);
        }
        self.say_once();
        Step::Judged(self)
    }

    /// The same thing is said once, in one order.
    fn say_once(&mut self) {
        if self.findings.is_empty()
            && self.opened.is_empty()
            && self.resolved.is_empty()
            && self.tasks.is_empty()
        {
            return;
        }
        let about = |one: &Finding, rule: &str| (one.kind.clone(), one.id.clone(), rule.to_owned());
        let unsaid: BTreeSet<(String, String, String)> = self
            .findings
            .iter()
            .flat_map(|one| one.instead_of.iter().map(|rule| about(one, rule)))
            .collect();
        self.findings
            .retain(|one| !unsaid.contains(&about(one, &one.rule)));
        let key = |one: &Finding| (about(one, &one.rule), one.detail_key.clone());
        self.findings.sort_by(|a, b| {
            key(a)
                .cmp(&key(b))
                .then(b.severity.cmp(&a.severity))
                .then(a.by.cmp(&b.by))
        });
        self.findings.dedup_by(|next, kept| key(next) == key(kept));
        for opened in &mut self.opened {
            // What is said once has one violation, whichever of its rules found it.
            if let Some(with) = &mut opened.with
                && let Some(said) = self.findings.iter().find(|one| {
                    (&one.kind, &one.id, &one.rule, &one.detail_key)
                        == (&with.kind, &with.id, &opened.rule, &with.detail_key)
                })
                && let Some(by) = &said.by
            {
                with.by.clone_from(by);
            }
        }
        let of = |one: &Opened| (one.class.clone(), one.kind.clone(), one.id.clone());
        self.opened.sort_by(|a, b| {
            let severe = b.severity.cmp(&a.severity);
            of(a).cmp(&of(b)).then(severe).then(a.cmp(b))
        });
        self.opened.dedup();
        self.resolved.sort();
        self.resolved.dedup();
        self.tasks.sort();
        self.tasks.dedup();
    }
}
