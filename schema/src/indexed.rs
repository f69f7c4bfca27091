//! Which places of an entity's attributes are looked up by value: its references to other entities, and what
//! rules look up. The fold keeps a row for every value at such a place (a *link*).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::kind::{Field, Kind, Shape};
use crate::name::KindName;

/// A place in the attributes of a kind's entities.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Indexed {
    path: Path,
    target: Arc<str>,
    made_of: Option<Identity>,
    asked: bool,
}

impl Indexed {
    /// A place whose values name entities of that kind, or are plain values.
    pub fn new(path: Path, target: Option<&KindName>) -> Self {
        let target = target.map_or_else(|| Arc::from(""), |kind| kind.to_string().into());
        Self {
            path,
            target,
            made_of: None,
            asked: false,
        }
    }

    /// The same, and rules look entities up by what stands there.
    #[must_use]
    pub fn asked(self) -> Self {
        Self {
            asked: true,
            ..self
        }
    }

    /// Whether rules look entities up by what stands there.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// What stands there. Where the field says that other fields belong to the identifier of the entity that it
    /// names, that identifier; none of it where one of them is absent.
    pub fn values<'a>(&self, attributes: &'a Map<String, Value>) -> Vec<Cow<'a, str>> {
        let found = self.path.values(attributes);
        match &self.made_of {
            Some(identity) if !found.is_empty() => identity
                .of(attributes)
                .map(Cow::Owned)
                .into_iter()
                .collect(),
            _ => found,
        }
    }

    /// Whether each value that stands there is indexed as it is, and not as a part of an identifier.
    pub(crate) fn is_whole(&self) -> bool {
        self.made_of.is_none()
    }

    /// Whether it is that place, and each value there is indexed as it is.
    pub(crate) fn is_whole_at(&self, path: &str) -> bool {
        self.is_whole() && *self.path.text == *path
    }

    /// The place.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind whose entities the values name; empty for plain values.
    pub fn target(&self) -> &Arc<str> {
        &self.target
    }
}

/// The way to a place: members with dots between them, `[]` for every item of an array, `*` for every value of a
/// map. `nodes[].node_id`, `owners.*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    text: Arc<str>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Member(String),
    Items,
    Values,
}

impl Path {
    /// Reads a path; `None` where a name in it is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let name = part.trim_end_matches("[]");
            match name {
                "" => return None,
                "*" => steps.push(Step::Values),
                name => steps.push(Step::Member(name.to_owned())),
            }
            let items = (part.len() - name.len()) / 2;
            steps.extend(std::iter::repeat_n(Step::Items, items));
        }
        Some(Self {
            text: text.into(),
            steps,
        })
    }

    /// The path as it is written.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// What stands there: texts as they are, numbers and booleans as JSON writes them. Nothing else can be looked
    /// up, nor can an empty text.
    pub fn values<'a>(&self, attributes: &'a Map<String, Value>) -> Vec<Cow<'a, str>> {
        let mut found = Vec::new();
        if let Some((Step::Member(name), rest)) = self.steps.split_first()
            && let Some(value) = attributes.get(name)
        {
            walk(value, rest, &mut found);
        }
        found
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn walk<'a>(value: &'a Value, steps: &[Step], found: &mut Vec<Cow<'a, str>>) {
    let Some((step, rest)) = steps.split_first() else {
        match value {
            Value::String(text) if !text.is_empty() => found.push(Cow::Borrowed(text)),
            Value::Number(number) => found.push(Cow::Owned(number.to_string())),
            Value::Bool(flag) => found.push(Cow::Owned(flag.to_string())),
            _ => {}
        }
        return;
    };
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => {
            if let Some(value) = members.get(name) {
                walk(value, rest, found);
            }
        }
        (Step::Items, Value::Array(items)) => {
            for item in items {
                walk(item, rest, found);
            }
        }
        (Step::Values, Value::Object(members)) => {
            for value in members.values() {
                walk(value, rest, found);
            }
        }
        _ => {}
    }
}

/// What the kinds' references make look-ups of, in the order of the paths.
pub(crate) fn references<'a>(
    kinds: impl Iterator<Item = &'a Kind>,
) -> BTreeMap<KindName, Vec<Indexed>> {
    let mut all = BTreeMap::new();
    for kind in kinds.filter(|kind| !kind.stateless) {
        let mut places = Vec::new();
        for field in &kind.fields {
            let from = places.len();
            collect("", field, &mut places);
            for place in places.iter_mut().skip(from) {
                place.made_of.clone_from(&field.reference_id);
            }
        }
        places.sort();
        places.dedup();
        if !places.is_empty() {
            all.insert(kind.name.clone(), places);
        }
    }
    all
}

fn collect(before: &str, field: &Field, places: &mut Vec<Indexed>) {
    inner(
        &format!("{before}{}", field.name),
        field.reference.as_ref(),
        &field.shape,
        places,
    );
}

fn inner(path: &str, reference: Option<&KindName>, shape: &Shape, places: &mut Vec<Indexed>) {
    match shape {
        Shape::Array { of, .. } => inner(&format!("{path}[]"), reference, of, places),
        Shape::Map { of, .. } => inner(&format!("{path}.*"), reference, of, places),
        Shape::Object(members) => {
            for field in &members.fields {
                collect(&format!("{path}."), field, places);
            }
        }
        _ => {
            if let (Some(kind), Some(path)) = (reference, Path::parse(path)) {
                places.push(Indexed::new(path, Some(kind)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(path: &str, attributes: &Value) -> Vec<String> {
        let path = Path::parse(path).expect("a path");
        let attributes = attributes.as_object().expect("an object");
        let values = path.values(attributes);
        values.into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn every_value_at_a_place_is_found() {
        let attributes = json!({
            "environment": "production", "weight": 3, "live": true, "none": null, "empty": "",
            "nodes": [{"node_id": "a", "tags": ["x", "y"]}, {"node_id": "b"}, 7, {}],
            "owners": {"db": "ann", "web": ["ben"], "dns": "cleo"},
        });
        for (path, wanted) in [
            ("environment", vec!["production"]),
            ("weight", vec!["3"]),
            ("live", vec!["true"]),
            ("none", vec![]),
            ("empty", vec![]),
            ("absent.deeper", vec![]),
            ("environment[]", vec![]),
            ("nodes[].node_id", vec!["a", "b"]),
            ("nodes[].tags[]", vec!["x", "y"]),
            ("owners.*", vec!["ann", "cleo"]),
            ("owners.db", vec!["ann"]),
        ] {
            assert_eq!(values(path, &attributes), wanted, "{path}");
        }
        assert_eq!(Path::parse("a..b"), None);
        assert_eq!(Path::parse(""), None);
    }

    #[test]
    fn references_are_indexed_however_deep_they_lie() {
        let text = r#"
            kind = "plant.valve"
            title = "Valve"
            about = "A valve."
            subject = "Its number."
            view = "valves"
            retention = "forever"
            [fields.site]
            type = "string"
            reference = "plant.valve"
            about = "Where."
            [fields.feeds]
            type = "array"
            of = { type = "string", reference = "plant.valve" }
            about = "What it feeds."
            [fields.parts]
            type = "array"
            about = "Its parts."
            [fields.parts.of]
            type = "object"
            [fields.parts.of.fields.spare]
            type = "string"
            reference = "plant.valve"
            about = "What replaces it."
            [events.installed]
            about = "It was put in."
            creates = true
            carries = "all"
        "#;
        let name = crate::Name::new("plant").expect("legal");
        let kind = crate::load::kind(&name, "valve.toml", text).expect("it loads");
        let all = references(std::iter::once(&kind));
        let places: Vec<(&str, &str)> = all
            .values()
            .flatten()
            .map(|one| (&**one.path().text(), &**one.target()))
            .collect();
        let valve = "plant.valve";
        assert_eq!(
            places,
            [
                ("feeds[]", valve),
                ("parts[].spare", valve),
                ("site", valve)
            ]
        );
    }

    #[test]
    fn other_fields_belong_to_an_identifier() {
        let text = r#"
            kind = "plant.valve"
            title = "Valve"
            about = "A valve."
            subject = "Its number."
            view = "valves"
            retention = "forever"
            [fields.site]
            type = "string"
            about = "Where."
            [fields.room]
            type = "string"
            reference = "plant.valve"
            reference_id = "<site>/<room>"
            about = "The room there."
            [events.installed]
            about = "It was put in."
            creates = true
            carries = "all"
        "#;
        let name = crate::Name::new("plant").expect("legal");
        let kind = crate::load::kind(&name, "valve.toml", text).expect("it loads");
        let all = references(std::iter::once(&kind));
        let place = all.values().flatten().next().expect("a place");
        for (attributes, wanted) in [
            (json!({"site": "north", "room": "b2"}), vec!["north/b2"]),
            (json!({"site": "north"}), vec![]),
            (json!({"room": "b2"}), vec![]),
        ] {
            let found = place.values(attributes.as_object().expect("an object"));
            assert_eq!(found, wanted, "{attributes}");
        }
    }
}
