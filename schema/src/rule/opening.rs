//! The incident that opens with a verdict, with a deadline that was missed, or with an event.

use super::compiled::Opens;
use super::finds::{Base, Found};
use super::judge::{Finding, Opened, Violation};
use super::judging::About;
use super::shape::Case;
use crate::cel::node::Node;
use crate::cel::{Failure, Value, truth};

/// The incident that opens under a rule's name, where one does.
pub(super) fn opening(
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
pub(super) fn opening_with(
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
pub(super) struct Opening<'c, 'a> {
    pub(super) base: &'c Base<'a>,
    pub(super) found: &'c [Found<'a>],
    pub(super) item: &'c Value<'c>,
    pub(super) budget: &'c mut u64,
}

impl Opening<'_, '_> {
    fn holds(&mut self, node: Option<&Node>) -> Result<bool, Failure> {
        let Some(node) = node else { return Ok(true) };
        let asked = self
            .base
            .ask(node, self.found, self.item, None, self.budget);
        truth(&asked?)
    }

    /// The incident that opens, if it does.
    pub(super) fn opens(
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
            redacted: self.base.entity.is_some_and(|view| view.redacted())
                || self.found.iter().any(Found::redacted),
            with: None,
        }))
    }
}
