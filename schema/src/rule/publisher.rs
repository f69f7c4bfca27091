//! Publishers that leave something out: numbers that skip, and silence. The ledger judges this of every event, whatever
//! kind it is of; it is no rule of a kind file, because it rests on who publishes and not on an entity.
//!
//! A publisher numbers the events of each of its sources with the `CloudEvents` extension `sequence`: whole numbers,
//! each one more than the one before. What is missing is a violation; when it arrives late, that is mended.

use super::inputs::RuleKey;
use super::judge::{Armed, Arrived, Due, Finding, Judged};
use super::rules::Rules;
use crate::name::{KindName, Name};

/// The rule that a number breaks which is missing.
pub const GAP: &str = "publisher.gap";

/// The rule that a publisher breaks of whom nothing was heard for too long.
pub const SILENT: &str = "publisher.silent";

/// What verdicts about publishers are about; its identifiers are publishers' names.
pub const PUBLISHER: &str = "ledger.publisher";

/// The setting that says for how long nothing may be heard; nothing, or zero, is for ever.
const SILENT_AFTER: &str = "publisher.silent_after";

/// How many missing numbers have a violation each. Of more there is one together, which nothing mends.
const MOST_MISSING: u64 = 16;

/// The extension's name.
pub const SEQUENCE: &str = "sequence";

/// An event as far as its publisher's numbers go.
#[derive(Debug, Clone, Copy)]
pub struct Numbered<'a> {
    /// Who published it.
    pub publisher: &'a str,
    /// Its source: each has numbers of its own.
    pub source: &'a str,
    /// Its position.
    pub seq: u64,
    /// Its number.
    pub number: u64,
}

/// A number, where it is one: digits, at most 18 of them.
pub fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn rule(id: &str) -> Option<RuleKey> {
    Some(RuleKey {
        owner: KindName::new(Name::new("ledger").ok()?, Name::new("publisher").ok()?),
        id: id.into(),
        part: "".into(),
    })
}

fn is_off(rules: &Rules, id: &str) -> bool {
    rules
        .settings()
        .texts("rules.off")
        .iter()
        .any(|off| off == id)
}

impl Rules {
    /// What an event's number says beside the highest of that publisher and source before it.
    pub fn numbers(&self, event: Numbered<'_>, highest: Option<u64>) -> Judged {
        let mut judged = Judged::default();
        let (Some(by), Some(highest), false) = (rule(GAP), highest, is_off(self, GAP)) else {
            return judged;
        };
        let Numbered {
            publisher,
            source,
            seq,
            number,
        } = event;
        let key = |what: String| format!("{publisher} {source}#{what}");
        if number <= highest {
            let id = key(number.to_string());
            judged.arrived.push(Arrived { by, id });
            return judged;
        }
        let (first, last) = (highest + 1, number - 1);
        let many = number - first;
        let finding = |what: String, clears: bool| Finding {
            detail_key: key(what),
            clears,
            ..about(publisher, GAP, &by, vec![seq])
        };
        if many <= MOST_MISSING {
            let missing = (first..number).map(|one| finding(one.to_string(), true));
            judged.findings.extend(missing);
        } else {
            judged
                .findings
                .push(finding(format!("{first}-{last}"), false));
        }
        judged
    }

    /// The deadline by which something is to be heard again of a publisher, after an event that was recorded at this
    /// moment, in µs; `None` where silence is no matter.
    pub fn hears(&self, publisher: &str, recorded_us: i64) -> Option<Armed> {
        let after_us = self.settings().span_us(SILENT_AFTER).filter(|us| *us > 0)?;
        let due = (recorded_us.saturating_add(after_us), false);
        Some(Armed {
            by: rule(SILENT)?,
            kind: PUBLISHER.into(),
            id: publisher.into(),
            due: [(String::new(), due)].into(),
        })
    }

    /// What it comes to that such a deadline has passed at the event at `seq`; nothing of any other.
    pub(super) fn silence(&self, due: &Due, seq: u64) -> Option<Finding> {
        let by = rule(SILENT).filter(|by| *by == due.by && !is_off(self, SILENT))?;
        self.settings().span_us(SILENT_AFTER).filter(|us| *us > 0)?;
        Some(about(&due.id, SILENT, &by, vec![due.armed_seq, seq]))
    }
}

fn about(publisher: &str, id: &str, by: &RuleKey, judged_from: Vec<u64>) -> Finding {
    Finding {
        by: Some(by.clone()),
        clears: true,
        ..Finding::of_the_ledger(PUBLISHER, publisher, id, judged_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_and_what_is_late_arrives() {
        let rules = Rules::default();
        let at = |number| Numbered {
            publisher: "ci",
            source: "/pipelines",
            seq: 9,
            number,
        };
        assert_eq!(rules.numbers(at(7), None), Judged::default());
        assert_eq!(rules.numbers(at(8), Some(7)), Judged::default());
        let gap = rules.numbers(at(11), Some(8));
        let keys: Vec<&str> = gap.findings.iter().map(|one| &*one.detail_key).collect();
        assert_eq!(keys, ["ci /pipelines#9", "ci /pipelines#10"]);
        let late = rules.numbers(at(9), Some(11));
        assert_eq!(late.arrived.len(), 1);
        assert_eq!(
            late.arrived.first().map(|one| &*one.id),
            Some("ci /pipelines#9")
        );
        let many = rules.numbers(at(1000), Some(11));
        let keys: Vec<&str> = many.findings.iter().map(|one| &*one.detail_key).collect();
        assert_eq!(keys, ["ci /pipelines#12-999"]);
    }

    #[test]
    fn a_number_is_digits() {
        assert_eq!(number("0042"), Some(42));
        for odd in ["", "-1", "1.5", "a", "9999999999999999999"] {
            assert_eq!(number(odd), None, "{odd}");
        }
    }
}
