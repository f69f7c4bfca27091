//! An error and what it came from, in one line, nothing said twice.

use std::error::Error;

/// How the database driver begins what the server said; `db::DbError` has said it already, with code and hint.
const DRIVER: &str = "db error: ";
const SERVER: &str = "ERROR: ";

/// The error's words and those of its causes.
pub fn in_full(error: &dyn Error) -> String {
    let said = error.to_string();
    match causes(error, &said) {
        Some(causes) => format!("{said}: {causes}"),
        None => said,
    }
}

/// The words of the causes alone, but for what the error itself says; `None` where nothing is left.
pub fn because(error: &dyn Error) -> Option<String> {
    causes(error, &error.to_string())
}

fn causes(error: &dyn Error, before: &str) -> Option<String> {
    let mut said: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        let core = text.strip_prefix(DRIVER).unwrap_or(&text);
        let core = core.strip_prefix(SERVER).unwrap_or(core);
        if !core.is_empty() && !before.contains(core) && !said.iter().any(|one| one.contains(core))
        {
            said.push(text);
        }
        next = source.source();
    }
    (!said.is_empty()).then(|| said.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Says(&'static str, #[source] Option<Box<Says>>);

    fn says(words: &[&'static str]) -> Says {
        let (first, rest) = words.split_first().expect("some");
        let source = (!rest.is_empty()).then(|| Box::new(says(rest)));
        Says(first, source)
    }

    #[test]
    fn nothing_is_said_twice() {
        let refused = says(&[
            "PostgreSQL db: reading failed",
            "cannot execute UPDATE in a read-only transaction (SQLSTATE 25006)",
            "db error: ERROR: cannot execute UPDATE in a read-only transaction",
            "ERROR: cannot execute UPDATE in a read-only transaction",
        ]);
        assert_eq!(
            in_full(&refused),
            "PostgreSQL db: reading failed: cannot execute UPDATE in a read-only transaction (SQLSTATE 25006)"
        );
        let away = says(&["connecting failed", "no route: refused", "refused"]);
        assert_eq!(in_full(&away), "connecting failed: no route: refused");
        assert_eq!(because(&away).as_deref(), Some("no route: refused"));
        assert_eq!(because(&says(&["alone"])), None);
    }
}
