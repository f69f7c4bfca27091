//! `[fields.…]`: types, bounds, patterns, references, examples.

use serde_json::Value;

use super::links;
use super::table::{Table, Text, nearest};
use crate::check;
use crate::diagnostic::listed;
use crate::example;
use crate::kind::{Bounds, Field, Members, Pattern, Shape};
use crate::name::KindName;
use crate::named;

const TYPES: [&str; 14] = [
    "any",
    "scalar",
    "string",
    "integer",
    "number",
    "amount",
    "boolean",
    "timestamp",
    "uuid",
    "enum",
    "array",
    "map",
    "object",
    "entity",
];

/// Where kinds are named, by byte.
pub(super) type References = Vec<(KindName, usize)>;

/// How deep fields may be nested: what comes in is at most 64 deep.
const DEEPEST: usize = 16;

/// Every field of a table of fields.
pub(super) fn fields(table: &Table<'_>, references: &mut References) -> Vec<Field> {
    fields_at(table, references, 0)
}

fn fields_at(table: &Table<'_>, references: &mut References, depth: usize) -> Vec<Field> {
    let named = table.named_tables();
    if named.len() > 64 {
        let message = format!("{} has {} fields", table.name, named.len());
        let mend = "an object has at most 64: group some of them in an object of their own";
        table.source.report(table.at, message, mend);
    }
    named
        .into_iter()
        .filter_map(|(name, table)| field(name, &table, references, depth))
        .collect()
}

fn field(
    name: Text<'_>,
    table: &Table<'_>,
    references: &mut References,
    depth: usize,
) -> Option<Field> {
    let found_before = table.source.count();
    check_name(name, table);
    let about = table.need_text("about", "say in a sentence what the field tells");
    let sensitive = table.flag("sensitive").unwrap_or(false);
    let reference = reference(table, references);
    let outermost = depth == 0;
    let reference_id = outermost.then(|| links::reference_id(table)).flatten();
    let part = outermost.then(|| links::part(table)).flatten();
    let becomes = outermost.then(|| table.text("becomes")).flatten();
    let shape = shape(table, references, depth);
    let reference = reference.or_else(|| of_reference(table, shape.as_ref()?));
    let example = table.json("example");
    table.finish();
    let shape = shape?;
    let example = if let Some((value, at)) = example {
        judge_example(table, &shape, &value, at);
        value
    } else {
        let sound = table.source.count() == found_before;
        derived_example(name, table, &shape, sound)
    };
    Some(Field {
        name: name.value.to_owned(),
        about: about?.value.to_owned(),
        shape,
        sensitive,
        reference,
        reference_id,
        part,
        becomes: becomes.map(|text| text.value.to_owned()),
        example,
    })
}

fn check_name(name: Text<'_>, table: &Table<'_>) {
    let legal = !name.value.is_empty()
        && name.value.len() <= 64
        && name
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !legal {
        let message = format!("{:?} is not a field's name", name.value);
        let mend = "write 1 to 64 letters, digits, `_` and `-`";
        table.source.report(name.at, message, mend);
    }
}

fn judge_example(table: &Table<'_>, shape: &Shape, value: &Value, at: usize) {
    if let Err(pointer) = check::value(shape, value) {
        let place = if pointer.is_empty() {
            "it".to_owned()
        } else {
            format!("`{pointer}`")
        };
        table.source.report(
            at,
            format!(
                "the example {value} of {} is not accepted: {place} is not what the type allows",
                table.name
            ),
            "give a value that the field accepts",
        );
    }
}

fn derived_example(name: Text<'_>, table: &Table<'_>, shape: &Shape, sound: bool) -> Value {
    let value = example::of(name.value, shape);
    if sound && check::value(shape, &value).is_err() {
        table.source.report(
            table.at,
            format!("{} has no `example`, and none can be derived", table.name),
            "give one, e.g. `example = \"…\"`",
        );
    }
    value
}

fn reference(table: &Table<'_>, references: &mut References) -> Option<KindName> {
    let text = table.text("reference")?;
    match text.value.parse::<KindName>() {
        Ok(kind) => {
            references.push((kind.clone(), text.at));
            Some(kind)
        }
        Err(error) => {
            let mend = "name the kind, e.g. `reference = \"platform.environment\"`";
            table.source.report(text.at, error.to_string(), mend);
            None
        }
    }
}

/// What the items of an array or the values of a map refer to; whether it is a kind is checked with them.
fn of_reference(table: &Table<'_>, shape: &Shape) -> Option<KindName> {
    if !matches!(shape, Shape::Array { .. } | Shape::Map { .. }) {
        return None;
    }
    let inner = table.table("of")?;
    inner.text("reference")?.value.parse().ok()
}

/// The type and what belongs to it. Keys of other types stay unknown.
fn shape(table: &Table<'_>, references: &mut References, depth: usize) -> Option<Shape> {
    let mend = format!("write one of {}", listed(TYPES));
    let name = table.need_text("type", &mend)?;
    if depth > DEEPEST {
        table.source.report(
            name.at,
            "fields are nested too deep",
            "use `type = \"any\"` there",
        );
        return None;
    }
    Some(match name.value {
        "any" => Shape::Any,
        "scalar" => Shape::Scalar,
        "amount" => Shape::Amount,
        "boolean" => Shape::Boolean,
        "timestamp" => Shape::Timestamp,
        "uuid" => Shape::Uuid,
        "string" => Shape::String {
            size: sizes(table),
            pattern: pattern(table),
        },
        "integer" => Shape::Integer(integers(table)),
        "number" => Shape::Number(numbers(table)),
        "enum" => Shape::Enum(values(table)),
        "array" => Shape::Array {
            of: Box::new(of(table, references, depth)?),
            size: sizes(table),
        },
        "map" => Shape::Map {
            of: Box::new(of(table, references, depth)?),
            size: sizes(table),
        },
        "object" => Shape::Object(object(table, references, depth)?),
        "entity" => Shape::Entity(links::templates(table)),
        other => {
            let mend = nearest(other, &TYPES).map_or(mend, |near| format!("write `{near}`"));
            table
                .source
                .report(name.at, format!("unknown type `{other}`"), mend);
            return None;
        }
    })
}

/// `of = { type = … }`, the shape of an array's items or a map's values.
fn of(table: &Table<'_>, references: &mut References, depth: usize) -> Option<Shape> {
    let Some(inner) = table.table("of") else {
        let message = format!("{} does not say what it holds", table.name);
        table
            .source
            .report(table.at, message, "write e.g. `of = { type = \"string\" }`");
        return None;
    };
    // An item may say what it refers to as well.
    let _ = reference(&inner, references);
    let shape = shape(&inner, references, depth + 1);
    inner.finish();
    shape
}

fn object(table: &Table<'_>, references: &mut References, depth: usize) -> Option<Members> {
    let Some(inner) = table.table("fields") else {
        let message = format!("{} is an object without `fields`", table.name);
        let mend = "name its members in `fields`, or write `type = \"map\"` or `\"any\"`";
        table.source.report(table.at, message, mend);
        return None;
    };
    let fields = fields_at(&inner, references, depth + 1);
    let required = required(table, &fields);
    Some(Members {
        names_entities: named::any(&fields),
        fields,
        required,
        required_when: Vec::new(),
        additional: table.flag("additional").unwrap_or(true),
    })
}

/// `required = […]`: the places of the fields that must be there.
pub(super) fn required(table: &Table<'_>, fields: &[Field]) -> Vec<usize> {
    let mut places: Vec<usize> = table
        .texts("required")
        .into_iter()
        .filter_map(|name| place(table, fields, name, "required"))
        .collect();
    places.sort_unstable();
    places
}

/// The place of a field that is named by something else.
pub(super) fn place(
    table: &Table<'_>,
    fields: &[Field],
    name: Text<'_>,
    key: &str,
) -> Option<usize> {
    let place = fields.iter().position(|field| field.name == name.value);
    if place.is_none() {
        let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let mend = match nearest(name.value, &known) {
            Some(near) => format!("write `{near}`"),
            None => format!("declare it, or name one of {}", listed(known)),
        };
        let message = format!(
            "`{key}` of {} names the unknown field `{}`",
            table.name, name.value
        );
        table.source.report(name.at, message, mend);
    }
    place
}

fn pattern(table: &Table<'_>) -> Option<Pattern> {
    let text = table.text("pattern")?;
    match Pattern::new(text.value) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let said = error.to_string();
            let why = said.lines().last().unwrap_or_default().trim();
            let message = format!("`{}` is not a pattern: {why}", text.value);
            let mend = "mend the regular expression (no look-around, no back-references)";
            table.source.report(text.at, message, mend);
            None
        }
    }
}

fn values(table: &Table<'_>) -> Vec<String> {
    let values = table.texts("values");
    if values.is_empty() {
        let message = format!("{} is an enum without `values`", table.name);
        table.source.report(
            table.at,
            message,
            "name them, e.g. `values = [\"none\", \"minor\"]`",
        );
    }
    values.iter().map(|value| value.value.to_owned()).collect()
}

fn bounds<T: PartialOrd>(
    table: &Table<'_>,
    wanted: &str,
    read: impl Fn(&serde_json::Number) -> Option<T>,
) -> Bounds<T> {
    let one = |key| {
        let (number, at) = table.number(key)?;
        let read = read(&number);
        if read.is_none() {
            let message = format!("`{key} = {number}` in {}", table.name);
            table.source.report(at, message, format!("write {wanted}"));
        }
        read
    };
    let bounds = Bounds {
        min: one("min"),
        max: one("max"),
    };
    if let (Some(min), Some(max)) = (&bounds.min, &bounds.max)
        && min > max
    {
        let at = table.place("max").unwrap_or(table.at);
        let message = format!("`max` of {} is below its `min`", table.name);
        table
            .source
            .report(at, message, "nothing would be accepted: swap the two");
    }
    bounds
}

fn sizes(table: &Table<'_>) -> Bounds<u64> {
    bounds(table, "a whole number from 0", serde_json::Number::as_u64)
}

fn integers(table: &Table<'_>) -> Bounds<i64> {
    bounds(table, "a whole number", serde_json::Number::as_i64)
}

fn numbers(table: &Table<'_>) -> Bounds<f64> {
    bounds(table, "a number", serde_json::Number::as_f64)
}
