//! Names in SQL: quoted, at most 63 bytes, none twice.

use std::collections::BTreeSet;

/// The longest name that PostgreSQL keeps; it cuts longer ones off without a word that programs hear.
const LONGEST: usize = 63;

/// Names that are taken, in the order of asking: the same questions get the same names.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// Begins with names that are taken.
    pub(super) fn with<'a>(taken: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            taken: taken.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The wanted name if it is free and short enough; else its beginning and eight digits that tell it apart.
    /// `what` is what is named: the digits follow from it.
    pub(super) fn take(&mut self, wanted: &str, what: &str) -> String {
        let mut name = wanted.to_owned();
        let mut round = 0_u32;
        while name.len() > LONGEST || self.taken.contains(&name) {
            let digest = blake3::hash(format!("{what}#{round}").as_bytes()).to_hex();
            let digits: String = digest.chars().take(8).collect();
            // Names are ASCII, but a cut in the middle of a character must not be possible.
            let mut end = wanted.len().min(LONGEST - digits.len() - 1);
            while !wanted.is_char_boundary(end) {
                end -= 1;
            }
            name = format!("{}_{digits}", wanted.split_at(end).0);
            round += 1;
        }
        self.taken.insert(name.clone());
        name
    }
}

/// A name for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text for SQL, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_where_it_can_be() {
        let mut names = Names::with(["entity"]);
        assert_eq!(names.take("lab_lamps", "lab.lamp"), "lab_lamps");
        let second = names.take("lab_lamps", "lab.light");
        assert!(
            second.starts_with("lab_lamps_") && second.len() == 18,
            "{second}"
        );
        assert_ne!(names.take("entity", "x"), "entity");
        let long = "x".repeat(80);
        let (one, two) = (names.take(&long, "a"), names.take(&long, "b"));
        assert_eq!((one.len(), two.len()), (63, 63));
        assert_ne!(one, two);
    }

    #[test]
    fn the_same_questions_get_the_same_names() {
        let ask = || {
            let mut names = Names::default();
            ["a", "a", "a"].map(|name| names.take(name, name))
        };
        assert_eq!(ask(), ask());
    }

    #[test]
    fn quotes_cannot_be_left() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }
}
