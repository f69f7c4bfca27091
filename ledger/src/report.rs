//! What a verification says. The same words whether a database or a bundle was verified.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Serialize, Serializer};

use crate::digest::Hash;

/// How many problems a report spells out. One cause can break every position after it; the rest are counted.
pub const MOST_PROBLEMS: usize = 1000;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Salt and data do not give the commitment, or one is there without the other.
    Data,
    /// The header does not give the event hash, or holds what no ledger writes.
    Header,
    /// A link of the chain does not follow from the one before.
    Chain,
    /// A position is missing, twice, or out of order.
    Gap,
    /// The entries do not give the root, or a proof does not lead to it.
    Tree,
    /// The signed head is missing, malformed, or another ledger's.
    Checkpoint,
    /// A signature does not verify, or does not cover what it should.
    Signature,
    /// A head that was let out is larger than, or not consistent with, what is stored.
    RolledBack,
    /// A verdict is not the one that the facts give.
    Verdict,
    /// Data is gone and no event of the chain says why, or is there though it should be gone.
    Redaction,
    /// The stream's numbers do not continue.
    Stream,
}

impl What {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Header => "header",
            Self::Chain => "chain",
            Self::Gap => "gap",
            Self::Tree => "tree",
            Self::Checkpoint => "checkpoint",
            Self::Signature => "signature",
            Self::RolledBack => "rolled_back",
            Self::Verdict => "verdict",
            Self::Redaction => "redaction",
            Self::Stream => "stream",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for What {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The position, where there is one.
    pub seq: Option<u64>,
    /// What is wrong.
    pub what: What,
    /// In words, with the values. For people; may change.
    pub detail: String,
}

/// What was verified and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing is wrong: there is no problem.
    pub ok: bool,
    /// How many positions were recomputed.
    pub size: u64,
    /// The chain's value after the last of them, in hex; empty where there was none.
    pub chain: String,
    /// The root of the tree over them in base64, or for a part of a ledger the root that it was proved against;
    /// empty where there was none.
    pub root: String,
    /// The size of the signed head that they were compared with; null where there was none.
    pub checkpoint_size: Option<u64>,
    /// No position of the range in question was missing.
    pub complete: bool,
    /// What is wrong, the first [`MOST_PROBLEMS`] in the order found.
    pub problems: Vec<Problem>,
    /// How many problems more there are than `problems` holds.
    pub problems_left_out: u64,
    /// What the reader should know though nothing is wrong, e.g. that no key was pinned.
    pub notes: Vec<String>,
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

impl Report {
    /// A report on nothing yet.
    pub fn new() -> Self {
        Self {
            ok: true,
            size: 0,
            chain: String::new(),
            root: String::new(),
            checkpoint_size: None,
            complete: true,
            problems: Vec::new(),
            problems_left_out: 0,
            notes: Vec::new(),
        }
    }

    /// Adds a problem; the report is no longer `ok`, and after a gap not `complete` either.
    pub fn problem(&mut self, seq: Option<u64>, what: What, detail: impl Into<String>) {
        self.ok = false;
        self.complete &= what != What::Gap;
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem {
                seq,
                what,
                detail: detail.into(),
            });
        } else {
            self.problems_left_out += 1;
        }
    }

    /// Adds what the reader should know.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Sets the chain's last value.
    pub(crate) fn set_chain(&mut self, chain: &Hash) {
        self.chain = hex::encode(chain);
    }

    /// Sets the root.
    pub(crate) fn set_root(&mut self, root: &Hash) {
        self.root = BASE64.encode(root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_keys_that_scripts_rely_on() {
        let mut report = Report::new();
        report.problem(Some(7), What::RolledBack, "seven");
        let json = serde_json::to_value(&report).unwrap();
        for key in [
            "ok",
            "size",
            "chain",
            "root",
            "checkpoint_size",
            "complete",
            "problems",
        ] {
            assert!(json.get(key).is_some(), "{key}");
        }
        assert_eq!(
            json["problems"][0],
            serde_json::json!({"seq": 7, "what": "rolled_back", "detail": "seven"})
        );
        assert_eq!(json["ok"], false);
    }

    #[test]
    fn problems_beyond_the_limit_are_counted() {
        let mut report = Report::new();
        for seq in 0..1002 {
            report.problem(Some(seq), What::Data, "wrong");
        }
        assert_eq!(
            (report.problems.len(), report.problems_left_out),
            (MOST_PROBLEMS, 2)
        );
    }
}
