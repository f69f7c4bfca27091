//! How long the data of events is kept: each kind's class, as the settings change it.
//!
//! A kind's file gives the least; the settings may lengthen that, or say when data goes that would stay, and never
//! undercut the least. Headers and digests stay for ever.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::kind::Kind;
use crate::load::table::nearest;
use crate::name::KindName;
use crate::rule::Settings;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;
/// What is announced is deleted so long after that, where nothing else is said.
const NOTICE_US: i64 = 7 * DAY_US;

/// The setting that says what is kept how long, by kind.
pub const KEEP: &str = "retention.keep";
/// The setting that says how long before its deletion data is announced.
pub const NOTICE: &str = "retention.notice";
/// The setting that says whether a redaction needs two people.
pub const FOUR_EYES: &str = "retention.four_eyes";

/// How long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    /// So many days after it was recorded.
    Days(u32),
    /// Never deleted, except by a redaction.
    Forever,
}

impl Term {
    /// Reads `365d` or `forever`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "forever" {
            return Some(Self::Forever);
        }
        let days = text.strip_suffix('d')?;
        let digits = days.bytes().all(|byte| byte.is_ascii_digit());
        let days = days.parse().ok().filter(|days| digits && *days > 0)?;
        Some(Self::Days(days))
    }

    /// In µs; `None` is for ever.
    pub fn us(self) -> Option<i64> {
        match self {
            Self::Days(days) => Some(i64::from(days).saturating_mul(DAY_US)),
            Self::Forever => None,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days}d"),
            Self::Forever => f.write_str("forever"),
        }
    }
}

/// The class that a kind's file gives its events' data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retention {
    /// So long it is kept at least, whatever the settings say.
    pub least: Term,
    /// So long it is kept where the settings say nothing.
    pub usual: Term,
}

impl Retention {
    /// Reads `forever`, `365d` (so long, then deleted) or `365d+` (so long at least, and for ever unless the settings
    /// say when it goes).
    pub fn parse(text: &str) -> Option<Self> {
        let (least, open) = match text.strip_suffix('+') {
            Some(days) => (Term::parse(days)?, true),
            None => (Term::parse(text)?, false),
        };
        if open && least == Term::Forever {
            return None;
        }
        let usual = if open { Term::Forever } else { least };
        Some(Self { least, usual })
    }
}

impl fmt::Display for Retention {
    /// The class's name, as in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.least == self.usual { "" } else { "+" };
        write!(f, "{}{open}", self.least)
    }
}

/// How long the data of one kind's events is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// So long at least.
    pub least: Term,
    /// So long by the settings: the name of its class.
    pub term: Term,
    /// The rows of the seeds that demand the least.
    pub rows: Vec<String>,
}

/// How long the data of every kind's events is kept, and how it is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retentions {
    kinds: BTreeMap<KindName, Kept>,
    notice_us: i64,
    four_eyes: bool,
}

impl Retentions {
    /// What holds where no settings are.
    pub(crate) fn usual<'k>(kinds: impl Iterator<Item = &'k Kind>) -> Self {
        let kept = kinds.map(|kind| {
            let kept = Kept {
                least: kind.retention.least,
                term: kind.retention.usual,
                rows: kind.retention_rows.clone(),
            };
            (kind.name.clone(), kept)
        });
        Self {
            kinds: kept.collect(),
            notice_us: NOTICE_US,
            four_eyes: true,
        }
    }

    /// What the settings make of it. What would undercut a least, and what names no kind, goes to `found`.
    pub(crate) fn of<'k>(
        kinds: impl Iterator<Item = &'k Kind>,
        settings: &Settings,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut all = Self::usual(kinds);
        all.notice_us = settings.span_us(NOTICE).unwrap_or(NOTICE_US);
        let four_eyes = settings.get(FOUR_EYES).and_then(Value::as_bool);
        all.four_eyes = four_eyes.unwrap_or(true);
        let said = settings.get(KEEP).and_then(Value::as_object);
        for (name, text) in said.into_iter().flatten() {
            if let Some((message, mend)) = all.keep(name, text.as_str().unwrap_or_default()) {
                found.push(Diagnostic::new("settings", 1, message, mend));
            }
        }
        all
    }

    fn keep(&mut self, name: &str, text: &str) -> Option<(String, String)> {
        let known = name.parse::<KindName>().ok();
        let Some(kept) = known.and_then(|known| self.kinds.get_mut(&known)) else {
            let names: Vec<String> = self.kinds.keys().map(ToString::to_string).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mend = match nearest(name, &names) {
                Some(near) => format!("write `{near}`"),
                None => "ledger catalog list names every kind".to_owned(),
            };
            let message = format!("`{KEEP}` names `{name}`, which is no kind");
            return Some((message, mend));
        };
        let Some(term) = Term::parse(text) else {
            let message = format!("`{KEEP}` says {text:?} of `{name}`");
            let mend = "write days, e.g. `\"400d\"`, or `\"forever\"`".to_owned();
            return Some((message, mend));
        };
        if term < kept.least {
            let rows = if kept.rows.is_empty() {
                format!("its file {}.toml", name.replace('.', "/"))
            } else {
                format!("row {}", kept.rows.join(", "))
            };
            let message = format!(
                "`{KEEP}` says {term} of `{name}`, and its data is kept {} at least ({rows})",
                words(kept.least)
            );
            let mend = match kept.least {
                Term::Forever => "take it out: a single event can be redacted".to_owned(),
                least @ Term::Days(_) => format!("write \"{least}\" or more, or \"forever\""),
            };
            return Some((message, mend));
        }
        kept.term = term;
        None
    }

    /// How long the data of a kind's events is kept; `None` for a kind that is not known.
    pub fn kind(&self, kind: &KindName) -> Option<&Kept> {
        self.kinds.get(kind)
    }

    /// Every kind, in the order of the names.
    pub fn all(&self) -> impl Iterator<Item = (&KindName, &Kept)> {
        self.kinds.iter()
    }

    /// How long before its deletion data is announced, in µs.
    pub fn notice_us(&self) -> i64 {
        self.notice_us
    }

    /// Whether somebody other than who asks must agree to a redaction.
    pub fn four_eyes(&self) -> bool {
        self.four_eyes
    }
}

fn words(term: Term) -> String {
    match term {
        Term::Days(days) => format!("{days} days"),
        Term::Forever => "for ever".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::Catalog;
    use crate::package::Package;

    #[test]
    fn classes_are_read_and_written() {
        for text in ["forever", "365d", "90d+"] {
            let class = Retention::parse(text).expect("a class");
            assert_eq!(class.to_string(), text);
        }
        for text in [
            "", "d", "0d", "+5d", "-1d", "365", "forever+", "1y", "365d++",
        ] {
            assert_eq!(Retention::parse(text), None, "{text}");
        }
        assert!(Term::Days(u32::MAX) < Term::Forever);
    }

    fn with(keep: &Value) -> Result<Retentions, Vec<String>> {
        let settings = json!({ "retention": { "keep": keep } });
        let catalog = Catalog::of(
            &Package::builtin().expect("the built-in packages load"),
            settings,
        );
        let retentions = catalog.map(|catalog| catalog.retentions().clone());
        retentions.map_err(|found| found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn settings_lengthen_and_set_a_most_and_undercut_nothing() {
        let name: KindName = "cluster.provisioning_run".parse().expect("legal");
        let usual = with(&json!({})).expect("nothing is wrong");
        let kept = usual.kind(&name).expect("known");
        assert_eq!((kept.least, kept.term), (Term::Days(365), Term::Forever));
        let most = with(&json!({ "cluster.provisioning_run": "400d", "gitops.commit": "forever" }));
        let most = most.expect("nothing is wrong");
        assert_eq!(most.kind(&name).expect("known").term, Term::Days(400));

        for (keep, said) in [
            (json!({ "cluster.provisioning_run": "364d" }), "000-49"),
            (json!({ "cluster.apply_evidence": "9999d" }), "000-50"),
            (json!({ "cluster.alert_route": "1d" }), "000-51"),
            (json!({ "platform.drift_report": "89d" }), "001-58"),
            (json!({ "gitops.commit": "30d" }), "gitops/commit.toml"),
            (json!({ "gitops.comit": "400d" }), "gitops.commit"),
            (json!({ "gitops.commit": "a year" }), "400d"),
            (json!({ "ledger.hold": "30d" }), "ledger/hold.toml"),
        ] {
            let found = with(&keep).expect_err("refused");
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found.iter().all(|one| one.contains(said)), "{found:?}");
        }
    }
}
