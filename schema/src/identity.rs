//! How an entity's identifier (the CloudEvents `subject`) is made from its fields: `<environment>/<role>`.

use std::fmt;

use serde_json::{Map, Value};

/// A template of text and fields, as the key `identity` of a kind file writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Field(String),
}

impl Identity {
    /// Reads a template; `None` where it names no field, or a `<` has no `>`.
    pub fn parse(template: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('<') {
            let (field, behind) = after.split_once('>')?;
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            parts.push(Part::Field(field.to_owned()));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let identity = Self { parts };
        (identity.fields().next().is_some() && !template.contains("<>")).then_some(identity)
    }

    /// The fields that it is made of, in its order.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The field that it is, where it is one alone.
    pub fn whole(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Field(name)] => Some(name),
            _ => None,
        }
    }

    /// The identifier that these fields make; `None` where one of them is absent or neither text nor number.
    pub fn of(&self, fields: &Map<String, Value>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Field(name) => match fields.get(name)? {
                    Value::String(value) => text.push_str(value),
                    Value::Number(value) => text.push_str(&value.to_string()),
                    _ => return None,
                },
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

impl fmt::Display for Identity {
    /// The template as the kind file writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Field(name) => write!(f, "<{name}>"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_and_text_make_the_identifier() {
        let identity = Identity::parse("<environment>/<role>").expect("a template");
        assert_eq!(
            identity.fields().collect::<Vec<_>>(),
            ["environment", "role"]
        );
        let fields = json!({"environment": "staging", "role": "app-team"});
        assert_eq!(
            identity
                .of(fields.as_object().expect("an object"))
                .as_deref(),
            Some("staging/app-team")
        );
        assert_eq!(identity.of(&Map::new()), None);
    }

    #[test]
    fn a_template_names_a_field() {
        for wrong in ["", "name", "<name", "<>", "a/<b>/<"] {
            assert_eq!(Identity::parse(wrong), None, "{wrong}");
        }
    }
}
