//! Links: what an entity's attributes say at the places that the catalog indexes.

use std::borrow::Cow;
use std::sync::Arc;

use schema::Indexed;
use serde_json::{Map, Value};

/// The longest value that is kept as it is, in bytes: 256 characters, which is as long as an identifier can be.
const LONGEST: usize = 1024;
/// The place where an entity's status stands in the index.
const STATUS: &str = "status";
/// What stands before the digest of a longer one.
const DIGEST: &str = "blake3:";

/// What an entity says at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The place, as [`schema::indexed::Path`] writes it.
    pub field: Arc<str>,
    /// The kind of the entity that is named there; empty for a plain value.
    pub target_kind: Arc<str>,
    /// That entity's identifier, or the value, in the form of [`target_id`].
    pub target_id: String,
}

/// A value as it is indexed: itself, or its digest where it is longer than any identifier. Two values have the same
/// form only where they are the same.
pub fn target_id(value: &str) -> String {
    if value.len() <= LONGEST && !value.starts_with(DIGEST) {
        return value.to_owned();
    }
    format!("{DIGEST}{}", blake3::hash(value.as_bytes()).to_hex())
}

/// The links of an entity with this status and these attributes, in order, each once. They follow from those and the
/// places alone, so that they can be derived again at any time.
pub fn links(
    places: &[Indexed],
    status: Option<&str>,
    attributes: &Map<String, Value>,
) -> Vec<Link> {
    let mut found = Vec::new();
    for place in places {
        let is_status = place.target().is_empty() && **place.path().text() == *STATUS;
        let values = match status.filter(|_| is_status) {
            Some(status) => vec![Cow::Borrowed(status)],
            None => place.values(attributes),
        };
        for value in values {
            found.push(Link {
                field: place.path().text().clone(),
                target_kind: place.target().clone(),
                target_id: target_id(&value),
            });
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What is in the first list alone, and what in the second alone. Both are in order.
pub(super) fn difference(before: &[Link], after: &[Link]) -> (Vec<Link>, Vec<Link>) {
    let only = |these: &[Link], those: &[Link]| -> Vec<Link> {
        let missing = |link: &&Link| those.binary_search(link).is_err();
        these.iter().filter(missing).cloned().collect()
    };
    (only(before, after), only(after, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_values_have_the_same_form() {
        let long = "x".repeat(LONGEST + 1);
        let digest = target_id(&long);
        assert_eq!(target_id("production"), "production");
        assert!(digest.len() < LONGEST && digest.starts_with(DIGEST));
        assert_ne!(target_id(&digest), digest);
        assert_ne!(target_id(&"y".repeat(LONGEST + 1)), digest);
    }
}
