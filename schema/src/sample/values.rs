//! Values like an example: of the same shape, and the door accepts them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use serde_json::{Map, Value};

use super::PEOPLE;
use super::below;
use super::fixed::identifies;
use crate::check;
use crate::kind::{Bounds, Field, Kind, Members, Shape};
use crate::time;

/// What values are drawn with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink<'s> {
    /// Now, in µs.
    pub(super) at_us: i64,
    /// How far the times of examples are moved, where they keep their distances.
    pub(super) shift_us: Option<i64>,
    /// Whether values differ from the example.
    pub(super) free: bool,
    /// Who acts.
    pub(super) actor: &'s str,
}

/// A text of this shape, like the example, that hardly any other draw gives: for what identifies an entity.
pub(super) fn unlike(
    random: &mut ChaCha8Rng,
    shape: &Shape,
    example: &Value,
    ink: &Ink<'_>,
) -> Value {
    let ink = Ink { free: true, ..*ink };
    let drawn = like(random, shape, example, &ink);
    match (&drawn, shape) {
        (Value::String(text), Shape::String { .. }) if drawn == *example => {
            // What a name ends with says what it is.
            let file = text.rfind('/').map_or(0, |slash| slash + 1);
            let end = text.get(file..).and_then(|name| name.find('.'));
            let (name, rest) = text.split_at(end.map_or(text.len(), |end| file + end));
            let number = below(random, 9000) + 1000;
            let numbered = Value::from(format!("{name}-{number}{rest}"));
            let accepted = check::value(shape, &numbered).is_ok();
            if accepted { numbered } else { drawn }
        }
        _ => drawn,
    }
}

/// A text that stands in another.
#[derive(Debug, Clone)]
pub(super) struct Echo {
    part: String,
    whole: String,
    /// Where it stands, in bytes.
    at: usize,
    length: usize,
}

/// Texts whose examples stand in one another: a version's number is that of its name. What identifies the entity
/// stays as it was drawn.
pub(super) fn echoes(kind: &Kind, members: &Members) -> Vec<Echo> {
    let free = |field: &&Field| !identifies(kind, &field.name);
    let mut echoes = Vec::new();
    for field in members.fields.iter().filter(free) {
        let (Shape::String { .. }, None, Value::String(part)) =
            (&field.shape, &field.reference, &field.example)
        else {
            continue;
        };
        let whole = members.fields.iter().filter_map(|other| {
            let example = other.example.as_str()?;
            let at = example.find(part.as_str())?;
            (example.len() > part.len() && other.reference.is_none()).then_some((other, at))
        });
        let longest = whole.max_by_key(|(other, _)| other.example.as_str().map_or(0, str::len));
        if let Some((other, at)) = longest.filter(|_| part.len() >= 4) {
            echoes.push(Echo {
                part: field.name.clone(),
                whole: other.name.clone(),
                at,
                length: part.len(),
            });
        }
    }
    echoes
}

/// They keep doing so: a text is drawn letter for letter, so that what stood at a place of the example stands at that
/// place of what was drawn.
pub(super) fn echo(echoes: &[Echo], data: &mut Map<String, Value>) {
    for one in echoes.iter().filter(|one| one.length > 0) {
        let drawn = data.get(&one.whole).and_then(Value::as_str);
        let again = drawn.and_then(|text| text.get(one.at..one.at + one.length));
        if let Some(again) = again.map(Value::from)
            && data.contains_key(&one.part)
        {
            data.insert(one.part.clone(), again);
        }
    }
}

/// What stood for one entity in the example stands for the one that was drawn: a text, or a part of one that is a word
/// or several.
pub(super) fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text.contains(from) => {
            let mut renamed = String::with_capacity(text.len());
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once(from) {
                renamed.push_str(before);
                let apart = |one: Option<char>| one.is_none_or(|one| !one.is_alphanumeric());
                let whole = apart(renamed.chars().last()) && apart(after.chars().next());
                renamed.push_str(if whole { to } else { from });
                rest = after;
            }
            renamed.push_str(rest);
            *text = renamed;
        }
        Value::Array(items) => items.iter_mut().for_each(|one| rename(one, from, to)),
        Value::Object(members) => members.values_mut().for_each(|one| rename(one, from, to)),
        _ => {}
    }
}

/// A value of this shape, like the example. Times lie within a minute after `at_us`.
pub(super) fn like(
    random: &mut ChaCha8Rng,
    shape: &Shape,
    example: &Value,
    ink: &Ink<'_>,
) -> Value {
    let drawn = draw(random, shape, example, ink);
    match check::value(shape, &drawn) {
        Ok(()) => drawn,
        Err(_) => example.clone(),
    }
}

fn draw(random: &mut ChaCha8Rng, shape: &Shape, example: &Value, ink: &Ink<'_>) -> Value {
    match (shape, example) {
        (Shape::Uuid, _) => Value::from(uuid(random)),
        (Shape::Timestamp, Value::String(text)) => {
            let moved = ink.shift_us.zip(time::parse_rfc3339_us(text));
            let at_us = moved.map(|(shift_us, us)| us.saturating_add(shift_us));
            let within = i64::try_from(below(random, 60_000)).unwrap_or_default();
            let at_us = at_us.unwrap_or(ink.at_us.saturating_add(within * 1000));
            Value::from(time::format_us(at_us))
        }
        (Shape::Enum(_) | Shape::Boolean | Shape::Integer(_), _) if !ink.free => example.clone(),
        (Shape::Enum(values), _) => {
            let which = below(random, values.len());
            values
                .get(which)
                .map_or(Value::Null, |value| Value::from(value.as_str()))
        }
        (Shape::Boolean, _) => Value::from(below(random, 4) > 0),
        (Shape::Integer(bounds), Value::Number(number)) => number.as_i64().map_or_else(
            || example.clone(),
            |middle| Value::from(near(random, bounds, middle)),
        ),
        (Shape::String { .. } | Shape::Scalar | Shape::Entity(_), Value::String(text)) => {
            let person = person(random, text, ink.actor);
            match person {
                Some(person) => Value::from(person),
                None if ink.free => Value::from(respelt(random, text, ink.at_us)),
                None => example.clone(),
            }
        }
        (Shape::Array { of, .. }, Value::Array(items)) => {
            let items = items.iter().map(|item| like(random, of, item, ink));
            Value::Array(items.collect())
        }
        (Shape::Map { of, .. }, Value::Object(entries)) => {
            let drawn = entries
                .iter()
                .map(|(name, value)| (name.clone(), like(random, of, value, ink)));
            Value::Object(drawn.collect())
        }
        (Shape::Object(members), Value::Object(values)) => {
            let drawn = values.iter().map(|(name, value)| {
                let value = match members.find(name) {
                    Some((_, field)) => like(random, &field.shape, value, ink),
                    None => value.clone(),
                };
                (name.clone(), value)
            });
            Value::Object(drawn.collect::<Map<_, _>>())
        }
        _ => example.clone(),
    }
}

/// Where the text is somebody's address, one of the people; half of the time whoever acts.
fn person(random: &mut ChaCha8Rng, text: &str, actor: &str) -> Option<String> {
    let (name, domain) = text.split_once('@')?;
    let plain = |text: &str| {
        let letter = |one: char| one.is_ascii_alphanumeric() || one == '.' || one == '-';
        !text.is_empty() && text.chars().all(letter)
    };
    if !plain(name) || !plain(domain) || !domain.contains('.') {
        return None;
    }
    if below(random, 2) == 0 {
        return Some(actor.to_owned());
    }
    let who = PEOPLE.get(below(random, PEOPLE.len()))?;
    Some(format!("{who}@{domain}"))
}

/// A whole number within half and one and a half of the middle, and within the bounds.
fn near(random: &mut ChaCha8Rng, bounds: &Bounds<i64>, middle: i64) -> i64 {
    let half = usize::try_from(middle.unsigned_abs() / 2).unwrap_or(1_000_000);
    let offset = below(random, half.saturating_mul(2).saturating_add(1));
    let drawn = i64::try_from(offset)
        .ok()
        .zip(i64::try_from(half).ok())
        .and_then(|(offset, half)| middle.checked_add(offset - half))
        .unwrap_or(middle);
    let low = bounds.min.unwrap_or(i64::MIN);
    drawn.max(low).min(bounds.max.unwrap_or(i64::MAX).max(low))
}

/// The text with other numbers and other long hexadecimal runs; a date becomes that of `at_us`, and words stay.
fn respelt(random: &mut ChaCha8Rng, text: &str, at_us: i64) -> String {
    let today = time::format_us(at_us);
    let today = today.get(..10).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let date = rest.get(..10).filter(|ten| is_date(ten));
        let run = rest
            .find(|letter: char| !letter.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let taken = if date.is_some() {
            out.push_str(today);
            10
        } else if run > 0 {
            redraw(random, rest.get(..run).unwrap_or_default(), &mut out);
            run
        } else {
            out.push(first);
            first.len_utf8()
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// `2026-08-24`.
fn is_date(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit();
    text.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        _ => digit(byte),
    })
}

/// A run of letters and digits: a number with other digits, a hexadecimal one of eight and more likewise; a long one,
/// which is a key or a digest, of the letters that it has, but for its beginning.
fn redraw(random: &mut ChaCha8Rng, run: &str, out: &mut String) {
    let number = run.bytes().all(|byte| byte.is_ascii_digit());
    let lower = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    let hex = !number && run.len() >= 8 && run.chars().all(lower);
    let own = run.as_bytes();
    let key = !number && !hex && own.len() >= 32 && own.iter().any(u8::is_ascii_digit);
    for (place, letter) in run.chars().enumerate() {
        let drawn = match letter {
            _ if key && place >= 4 => {
                let which = below(random, own.len());
                own.get(which).map_or(letter, |byte| char::from(*byte))
            }
            _ if hex => digit(random, 16),
            // A number keeps its length.
            '1'..='9' if number && place == 0 => nonzero(random),
            _ if number && place > 0 => digit(random, 10),
            letter => letter,
        };
        out.push(drawn);
    }
}

fn digit(random: &mut ChaCha8Rng, radix: u32) -> char {
    let value =
        u32::try_from(below(random, usize::try_from(radix).unwrap_or(10))).unwrap_or_default();
    char::from_digit(value, radix).unwrap_or('0')
}

fn nonzero(random: &mut ChaCha8Rng) -> char {
    let value = u32::try_from(below(random, 9)).unwrap_or_default() + 1;
    char::from_digit(value, 10).unwrap_or('1')
}

/// A UUID of version 4 (RFC 9562, section 5.4).
fn uuid(random: &mut ChaCha8Rng) -> String {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// A UUID of version 7 (RFC 9562, section 5.7).
pub(super) fn uuid_of_time(random: &mut ChaCha8Rng, at_us: i64) -> String {
    let mut tail = [0; 10];
    random.fill_bytes(&mut tail);
    let millis = u64::try_from(at_us / 1000).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &tail)
        .into_uuid()
        .to_string()
}
