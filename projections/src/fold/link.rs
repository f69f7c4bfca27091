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
    if is_kept(value) {
        return value.to_owned();
    }
    format!("{DIGEST}{}", blake3::hash(value.as_bytes()).to_hex())
}

/// Whether a value is indexed as it is.
fn is_kept(value: &str) -> bool {
    value.len() <= LONGEST && !value.starts_with(DIGEST)
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
        for value in values(place, status, attributes) {
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

/// Whether these are its links, where that can be told without making them: `false` may mean that it cannot.
pub(super) fn are_links(
    links: &[Link],
    places: &[Indexed],
    status: Option<&str>,
    attributes: &Map<String, Value>,
) -> bool {
    let Some(all) = 1_u64.checked_shl(u32::try_from(links.len()).unwrap_or(u32::MAX)) else {
        return false;
    };
    // A bit a link.
    let mut found = 0;
    for place in places {
        for value in values(place, status, attributes) {
            let said = (&**place.path().text(), &**place.target(), &*value);
            let at = links.binary_search_by(|link| {
                (&*link.field, &*link.target_kind, link.target_id.as_str()).cmp(&said)
            });
            match at {
                Ok(at) if is_kept(&value) => found |= 1 << at,
                _ => return false,
            }
        }
    }
    found == all - 1
}

/// What stands at a place.
fn values<'a>(
    place: &Indexed,
    status: Option<&'a str>,
    attributes: &'a Map<String, Value>,
) -> Vec<Cow<'a, str>> {
    let is_status = place.target().is_empty() && **place.path().text() == *STATUS;
    match status.filter(|_| is_status) {
        Some(status) => vec![Cow::Borrowed(status)],
        None => place.values(attributes),
    }
}

/// What is in these and not in others, which are in order.
pub(super) fn only<'a>(these: &'a [Link], others: &[Link]) -> impl Iterator<Item = &'a Link> {
    let missing = |link: &&Link| others.binary_search(link).is_err();
    these.iter().filter(missing)
}

#[cfg(test)]
mod tests {
    use schema::indexed::Path;
    use serde_json::json;

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

    #[test]
    fn links_are_known_again_and_others_are_not_taken_for_them() {
        let place = |path: &str| Indexed::new(Path::parse(path).expect("a path"), None);
        let places = [place("parts[]"), place("status")];
        let of = |parts: &[&str]| {
            let attributes = json!({ "parts": parts });
            attributes.as_object().cloned().expect("an object")
        };
        let (long, many) = ("x".repeat(LONGEST + 1), vec!["n"; 70]);
        for parts in [
            &["a", "b"][..],
            &[],
            &["a"],
            &["a", "a"],
            &["b", "c"],
            &[&long],
            &many,
        ] {
            let attributes = of(parts);
            let own = links(&places, Some("on"), &attributes);
            for other in [
                &["a", "b"][..],
                &["b", "a"],
                &["a", "a", "b"],
                &[],
                &[&long],
            ] {
                let same = are_links(&own, &places, Some("on"), &of(other));
                assert!(!same || links(&places, Some("on"), &of(other)) == own);
            }
            assert!(!are_links(&own, &places, Some("off"), &attributes));
            let can_tell = parts.iter().all(|one| is_kept(one));
            assert_eq!(are_links(&own, &places, Some("on"), &attributes), can_tell);
        }
    }
}
