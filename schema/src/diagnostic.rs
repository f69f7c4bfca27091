//! What is wrong with a file that a person wrote: where, what, and what would mend it.

use std::fmt;

/// One thing that is wrong with a file of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// `<package>/<file>`, or what else was read (`settings`, `packages`).
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, with the value.
    pub message: String,
    /// What would mend it.
    pub mend: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}; {}",
            self.file, self.line, self.message, self.mend
        )
    }
}

impl std::error::Error for Diagnostic {}

impl Diagnostic {
    /// Makes one.
    pub fn new(
        file: impl Into<String>,
        line: usize,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line,
            message: message.into(),
            mend: mend.into(),
        }
    }
}

/// Words as a list in prose: "`a`, `b`, `c`".
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    if quoted.is_empty() {
        "none".to_owned()
    } else {
        quoted.join(", ")
    }
}
