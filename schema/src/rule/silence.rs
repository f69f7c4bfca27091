//! Rules that are silenced for a while: what they find is found all the same, and cleared at once as silenced.
//!
//! `ledger.rule.silenced` is an event of the entity `ledger.rule` with the rule's name, or `<rule>/<kind>`, or
//! `<rule>/<kind>/<id>`, where it is silenced for these alone. So what is silenced is state like any other: as it is at the
//! event's own position, and over when an event is recorded at `until_us` or later. No clock is asked.
//!
//! Two rules cannot be silenced, [`NEVER`]: they say that somebody acts as the ledger, and whoever does could silence them
//! first.

use std::collections::BTreeSet;

use super::inputs::{Known, Lookup, Need};
use super::judge::Judged;
use crate::cel::View;
use crate::name::{KindName, Name};

/// Rules that nothing silences: a verdict in the chain that does not follow from it, and an event that names data to be
/// deleted which must be kept.
pub const NEVER: [&str; 2] = ["verdict.unexpected", "retention.blocked"];

impl Judged {
    /// Says of what was found by which event it is silenced, by what is known at the position of an event that was recorded
    /// at this moment, in µs. What has to be loaded first comes back, and then what was said counts for nothing.
    pub fn silence(&mut self, recorded_us: i64, known: &dyn Known) -> BTreeSet<Need> {
        let mut needs = BTreeSet::new();
        let silences = Silences { recorded_us, known };
        for one in &mut self.findings {
            if one.overridden_by.is_none() {
                one.silenced_by = silences.of(&one.rule, &one.kind, &one.id, &mut needs);
            }
        }
        needs
    }
}

/// When an event was recorded, µs, and what was known at its position.
pub(super) struct Silences<'a> {
    recorded_us: i64,
    known: &'a dyn Known,
}

impl<'a> Silences<'a> {
    pub(super) fn new(recorded_us: i64, known: &'a dyn Known) -> Self {
        Self { recorded_us, known }
    }

    /// The position of the event by which this rule is silenced about this entity. What has to be loaded first goes to
    /// `needs`, and then the answer counts for nothing.
    pub(super) fn of(
        &self,
        rule: &str,
        kind: &str,
        id: &str,
        needs: &mut BTreeSet<Need>,
    ) -> Option<u64> {
        let silenced = kind_of_silences()?;
        let any = Lookup {
            kind: silenced.clone(),
            fields: Vec::new(),
            most: 1,
        };
        // Mostly nothing is: then this is all that is asked.
        match self.known.count(&any) {
            Some(0) => return None,
            Some(_) => {}
            None => {
                needs.insert(Need::Count(any));
                return None;
            }
        }
        let names = [
            rule.to_owned(),
            format!("{rule}/{kind}"),
            format!("{rule}/{kind}/{id}"),
        ];
        let mut found = None;
        for name in names {
            match self.known.entity(&silenced, &name) {
                Some(entity) => {
                    let holds = entity.filter(|view| self.holds(view, rule, kind, id));
                    found = found.or(holds.map(|view| view.seq()));
                }
                None => {
                    needs.insert(Need::Entity(silenced.clone(), name));
                }
            }
        }
        found
    }

    /// Whether a silence is of this rule and entity, and not over.
    fn holds(&self, silence: &View<'_>, rule: &str, kind: &str, id: &str) -> bool {
        let says = |name: &str| silence.field(name).and_then(|value| value.as_str());
        let until = silence
            .field("until_us")
            .and_then(serde_json::Value::as_i64);
        says("rule") == Some(rule)
            && says("kind").is_none_or(|one| one == kind)
            && says("id").is_none_or(|one| one == id)
            && until.is_none_or(|until| self.recorded_us < until)
            && !silence.redacted()
    }
}

/// `ledger.rule`.
fn kind_of_silences() -> Option<KindName> {
    let package = Name::new(crate::package::LEDGER).ok()?;
    Some(KindName::new(package, Name::new("rule").ok()?))
}
