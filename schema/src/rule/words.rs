//! What a broken rule means in words: the sentences of its kind file, and what the event said of that.
//!
//! The chain holds none of it. A verdict names its rule by its stable name, which rules of several kinds may share;
//! what else is known of the verdict says which of them it was.

use std::collections::BTreeSet;

use serde_json::Value;

use super::compiled::Does;
use super::conditions::paths;
use super::declare::{On, Outcome, Rule, Shape};
use super::inputs::{Inputs, Known, Lookup, RuleKey};
use super::judge::{Judged, NOT_AUTHORIZED};
use super::judging::{About, Judging};
use super::rules::Rules;
use super::shape;
use crate::cel::View;
use crate::kind::{EventDef, Kind};
use crate::name::KindName;
use crate::package::Package;

/// How many values are told at most.
const MOST_VALUES: usize = 4;

/// How many characters of a text are told at most.
const MOST_CHARACTERS: usize = 60;

/// The rules of some packages, to be looked up by what a verdict says.
#[derive(Debug, Clone)]
pub struct Law {
    packages: Vec<Package>,
}

/// What is known of a verdict.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// The rule that was raised.
    pub rule: &'a str,
    /// The rule that found it, `<owner>/<id>/<part>`, where that is remembered.
    pub found_by: Option<&'a str>,
    /// The kind that it is about.
    pub kind: &'a str,
    /// The type of the event that caused it.
    pub event_type: Option<&'a str>,
    /// How bad it is; empty where that is not known.
    pub severity: &'a str,
    /// Tells verdicts of one rule and cause apart.
    pub detail_key: &'a str,
}

/// A rule in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What it demands.
    pub about: String,
    /// What to do when it is broken.
    pub mend: String,
    /// Whether it is about what did not happen: then its cause is only what found it so.
    pub is_deadline: bool,
}

impl Law {
    /// The rules of these packages.
    pub fn new(packages: Vec<Package>) -> Self {
        Self { packages }
    }

    /// The kind of an event's type, and what the type says of its data.
    fn event(&self, event_type: &str) -> Option<(&Kind, &EventDef)> {
        let mut parts = event_type.splitn(4, '.');
        let (package, entity, verb) = (parts.next()?, parts.next()?, parts.next()?);
        let named = |one: &&Package| one.name().as_str() == package;
        let kind = self.packages.iter().find(named)?.kind(entity)?;
        let mut events = kind.events.iter();
        Some((kind, events.find(|event| event.verb.as_str() == verb)?))
    }

    /// The rules that a verdict may be of, the likeliest alone: one, unless rules of a kind share name and event.
    pub fn rules(&self, said: &Said<'_>) -> Vec<(&Kind, &Rule)> {
        let kinds = self.packages.iter().flat_map(Package::kinds);
        let all = kinds.flat_map(|kind| kind.rules.iter().map(move |rule| (kind, rule)));
        // That name is the ledger's own as well; a kind that takes it means its own events.
        let theirs = |kind: &Kind| said.rule != NOT_AUTHORIZED || **kind.name.text() == *said.kind;
        let named = all.filter(|(kind, rule)| raises(rule, said.rule) && theirs(kind));
        let likely = |(kind, rule): &(&Kind, &Rule)| {
            let key = format!("{}/{}/{}", kind.name, rule.id, rule.part);
            let listens = said
                .event_type
                .is_some_and(|event| listens(kind, rule, event));
            let own = kind.name.to_string() == said.kind;
            let by = said.found_by == Some(key.as_str());
            // By whom it was found is remembered where something can mend it.
            let mends = rule.clears == said.found_by.is_some();
            (by, listens, own, mends, says(rule, said))
        };
        let named: Vec<_> = named.map(|one| (likely(&one), one)).collect();
        let most = named.iter().map(|(likely, _)| *likely).max();
        let best = named
            .into_iter()
            .filter(|(likely, _)| Some(*likely) == most);
        best.map(|(_, one)| one).collect()
    }

    /// Those rules, where they are several: what they are called when they are judged.
    pub fn parts(&self, said: &Said<'_>) -> Vec<RuleKey> {
        let rules = self.rules(said);
        if rules.len() < 2 {
            return Vec::new();
        }
        let key = |(kind, rule): (&Kind, &Rule)| RuleKey {
            owner: kind.name.clone(),
            id: rule.id.as_str().into(),
            part: rule.part.as_str().into(),
        };
        rules.into_iter().map(key).collect()
    }

    /// What the rule demands and what to do; `None` where the packages have no such rule.
    pub fn words(&self, said: &Said<'_>) -> Option<Words> {
        let rules = self.rules(said);
        let sentences = |of: fn(&Rule) -> &str| {
            let mut all: Vec<&str> = Vec::new();
            for (_, rule) in &rules {
                if !all.contains(&of(rule)) {
                    all.push(of(rule));
                }
            }
            all.join(" Or: ")
        };
        let first = rules.first()?.1;
        Some(Words {
            about: sentences(|rule| &rule.about),
            mend: sentences(|rule| &rule.mend),
            is_deadline: matches!(first.shape, Shape::Deadline(_)),
        })
    }

    /// Whether what an event says belongs to the words of a verdict.
    pub fn asks_for_values(&self, said: &Said<'_>) -> bool {
        self.rules(said)
            .iter()
            .any(|(_, rule)| !asked(rule).is_empty())
    }

    /// What the event said of what the rule asks for, in words: `` `duration_minutes` is 60.5 ``. Nothing sensitive, no
    /// lists and no long texts; what the rule asks the event for and it does not say, `is not there`.
    pub fn values(&self, said: &Said<'_>, data: &Value) -> Vec<String> {
        let Some((event_kind, event)) = said.event_type.and_then(|one| self.event(one)) else {
            return Vec::new();
        };
        let secret: BTreeSet<&str> = event_kind.sensitive().collect();
        let mut values = Vec::new();
        for (kind, rule) in self.rules(said) {
            let own = kind.name == event_kind.name && rule.whom.is_none();
            for (of_event, path) in asked(rule) {
                let known = path
                    .first()
                    .is_some_and(|first| event.members.find(first).is_some());
                if !known || !(own || of_event) || path.iter().any(|name| secret.contains(&**name))
                {
                    continue;
                }
                let name = path.join(".");
                let value = path.iter().try_fold(data, |at, name| at.get(name));
                let told = match value.filter(|value| !value.is_null()) {
                    // What the entity holds may have been said before.
                    None if of_event => format!("`{name}` is not there"),
                    None => continue,
                    Some(value) => match short(value) {
                        Some(value) => format!("`{name}` is {value}"),
                        None => continue,
                    },
                };
                if !values.contains(&told) {
                    values.push(told);
                }
            }
        }
        values.truncate(MOST_VALUES);
        values
    }
}

impl Rules {
    /// Which of these parts of a rule broke at an event, judged again with nothing known but the event and its entity: the
    /// one that says what was said. A part that has to look elsewhere is it where no other can be; `None` where that
    /// does not tell.
    pub fn which<'p>(
        &self,
        parts: &'p [RuleKey],
        said: &Said<'_>,
        kind: &KindName,
        inputs: &Inputs<'_>,
    ) -> Option<&'p RuleKey> {
        let mut parts: Vec<&RuleKey> = parts.iter().collect();
        parts.sort();
        let mut unsure = Vec::new();
        for part in parts {
            match self.broke(part, said, kind, inputs) {
                Some(true) => return Some(part),
                Some(false) => {}
                None => unsure.push(part),
            }
        }
        match unsure.as_slice() {
            [part] => Some(*part),
            _ => None,
        }
    }

    /// Whether a rule raises at an event what was said; `None` where that cannot be told.
    fn broke(
        &self,
        by: &RuleKey,
        said: &Said<'_>,
        kind: &KindName,
        inputs: &Inputs<'_>,
    ) -> Option<bool> {
        let compiled = self.named(&by.owner, &by.id, &by.part)?;
        let hidden = |view: &Option<View<'_>>| view.is_some_and(|view| view.redacted());
        let later = matches!(&compiled.does, Does::Judge(shape, _) if matches!(**shape, shape::Shape::Deadline(_)));
        if later || hidden(&inputs.entity) || hidden(&inputs.before) {
            return None;
        }
        let (mut needs, mut judged) = (BTreeSet::new(), Judged::default());
        let about = About::new(kind.text().clone(), inputs.event.subject, &Nothing);
        Judging::new(self, compiled, inputs, &Nothing, &mut needs, &mut judged)
            .at_event(kind, &about);
        let same = judged
            .findings
            .iter()
            .any(|one| one.rule == said.rule && one.detail_key == said.detail_key);
        (same || needs.is_empty()).then_some(same)
    }
}

/// Nothing is known of other entities.
struct Nothing;

impl Known for Nothing {
    fn entity(&self, _: &KindName, _: &str) -> Option<Option<View<'_>>> {
        None
    }

    fn matching(&self, _: &Lookup) -> Option<Vec<View<'_>>> {
        None
    }

    fn due_us(&self, _: &RuleKey, _: &str, _: &str, _: &str) -> Option<Option<i64>> {
        None
    }

    fn count(&self, _: &Lookup) -> Option<u64> {
        None
    }
}

/// Whether a rule, or one of its outcomes, is as severe as was said.
fn says(rule: &Rule, said: &Said<'_>) -> bool {
    let own = rule.id == said.rule && rule.severity.as_str() == said.severity;
    own || outcomes(rule).any(|one| one.id == said.rule && one.severity.as_str() == said.severity)
}

fn outcomes(rule: &Rule) -> impl Iterator<Item = &Outcome> {
    let outcomes = match &rule.shape {
        Shape::Precedes(one) => vec![&one.missing, &one.after, &one.backdated],
        _ => Vec::new(),
    };
    outcomes.into_iter().flatten()
}

/// Whether a rule raises this name: its own, or one of its outcomes.
fn raises(rule: &Rule, name: &str) -> bool {
    let silent = matches!(&rule.shape, Shape::Deadline(one) if !one.raise);
    !silent && (rule.id == name || outcomes(rule).any(|outcome| outcome.id == name))
}

fn listens(kind: &Kind, rule: &Rule, event_type: &str) -> bool {
    rule.on.iter().any(|on| match on {
        On::Any => true,
        On::Verb(verb) => format!("{}.{verb}", kind.name) == event_type,
        On::Type(..) => on.to_string() == event_type,
    })
}

/// What a rule's condition asks for: whether the event's own data is meant, and the way to it.
fn asked(rule: &Rule) -> Vec<(bool, Vec<String>)> {
    let mut found = Vec::new();
    if let Shape::Require(condition) = &rule.shape {
        paths(&condition.expr, &mut |path| {
            let (of_event, rest) = match path {
                ["event", "data", rest @ ..] => (true, rest),
                ["entity", rest @ ..] => (false, rest),
                _ => return,
            };
            let one = (
                of_event,
                rest.iter().map(|name| (*name).to_owned()).collect(),
            );
            if !rest.is_empty() && !found.contains(&one) {
                found.push(one);
            }
        });
    }
    found
}

/// A value that can stand in a sentence.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.chars().count() <= MOST_CHARACTERS => Some(format!("{text:?}")),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn law() -> Law {
        Law::new(Package::builtin().expect("the built-in packages load"))
    }

    #[test]
    fn a_rule_is_found_by_what_a_verdict_says() {
        let law = law();
        let said = Said {
            rule: "environment.deploy_not_ready",
            kind: "release.deployment",
            event_type: Some("release.deployment.started"),
            found_by: None,
            ..Said::default()
        };
        let owners = |said: &Said<'_>| -> Vec<String> {
            let rules = law.rules(said).into_iter();
            rules.map(|(kind, _)| kind.name.to_string()).collect()
        };
        assert_eq!(owners(&said), ["release.deployment"]);
        let said = Said {
            kind: "platform.argo_app",
            event_type: Some("platform.argo_app.synced"),
            ..said
        };
        assert_eq!(owners(&said), ["platform.argo_app"]);
        // Of parts that listen to one event, what is remembered tells which.
        let said = Said {
            rule: "tag.name_invalid",
            kind: "release.git_tag",
            event_type: Some("release.git_tag.created"),
            found_by: None,
            ..Said::default()
        };
        assert!(law.rules(&said).len() > 1);
        assert!(
            law.words(&said)
                .is_some_and(|words| words.about.contains(" Or: "))
        );
        assert_eq!(
            law.words(&Said {
                rule: "no.such",
                ..said
            }),
            None
        );
        // By the name of an outcome, too.
        let said = Said {
            rule: "evidence.backdated",
            ..Said::default()
        };
        assert!(law.words(&said).is_some());
    }

    #[test]
    fn what_the_event_said_is_told_and_nothing_sensitive() {
        let law = law();
        let said = Said {
            rule: "run.rebuild_over_60m",
            kind: "cluster.provisioning_run",
            event_type: Some("cluster.provisioning_run.succeeded"),
            found_by: None,
            ..Said::default()
        };
        assert_eq!(
            law.values(
                &said,
                &json!({"duration_minutes": 60.5, "trigger_type": "rebuild"})
            ),
            ["`duration_minutes` is 60.5"]
        );
        let said = Said {
            rule: "environment.rollback_without_snapshot",
            kind: "platform.environment",
            event_type: Some("platform.environment.status_changed"),
            found_by: None,
            ..Said::default()
        };
        assert_eq!(
            law.values(&said, &json!({"to": "recovering"})),
            ["`snapshot_ref` is not there"]
        );
        let long = json!({"snapshot_ref": "s".repeat(61)});
        assert!(law.values(&said, &long).is_empty());
    }

    /// Of every rule that raises something, a verdict has words.
    #[test]
    fn every_rule_has_words() {
        let law = law();
        for kind in law.packages.iter().flat_map(Package::kinds) {
            for rule in kind.rules.iter().filter(|rule| raises(rule, &rule.id)) {
                let key = format!("{}/{}/{}", kind.name, rule.id, rule.part);
                let kind = kind.name.to_string();
                let said = Said {
                    rule: &rule.id,
                    found_by: Some(&key),
                    kind: &kind,
                    event_type: None,
                    ..Said::default()
                };
                let words = law.words(&said);
                assert_eq!(
                    words.map(|words| words.about),
                    Some(rule.about.clone()),
                    "{key}"
                );
            }
        }
    }
}
