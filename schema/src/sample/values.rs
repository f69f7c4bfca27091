//! Values like an example: of the same shape, and the door accepts them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use serde_json::{Map, Value};

use super::below;
use crate::check;
use crate::kind::{Bounds, Shape};
use crate::time;

/// A value of this shape, like the example. Times lie within a minute after `at_us`.
pub(super) fn like(random: &mut ChaCha8Rng, shape: &Shape, example: &Value, at_us: i64) -> Value {
    let drawn = draw(random, shape, example, at_us);
    match check::value(shape, &drawn) {
        Ok(()) => drawn,
        Err(_) => example.clone(),
    }
}

fn draw(random: &mut ChaCha8Rng, shape: &Shape, example: &Value, at_us: i64) -> Value {
    match (shape, example) {
        (Shape::Enum(values), _) => {
            let which = below(random, values.len());
            values
                .get(which)
                .map_or(Value::Null, |value| Value::from(value.as_str()))
        }
        (Shape::Boolean, _) => Value::from(below(random, 4) > 0),
        (Shape::Uuid, _) => Value::from(uuid(random)),
        (Shape::Timestamp, _) => {
            let within = i64::try_from(below(random, 60_000)).unwrap_or_default();
            Value::from(time::format_us(at_us.saturating_add(within * 1000)))
        }
        (Shape::Integer(bounds), Value::Number(number)) => number.as_i64().map_or_else(
            || example.clone(),
            |middle| Value::from(near(random, bounds, middle)),
        ),
        (Shape::String { .. } | Shape::Scalar, Value::String(text)) => {
            Value::from(respelt(random, text))
        }
        (Shape::Array { of, .. }, Value::Array(items)) => {
            let items = items.iter().map(|item| like(random, of, item, at_us));
            Value::Array(items.collect())
        }
        (Shape::Map { of, .. }, Value::Object(entries)) => {
            let drawn = entries
                .iter()
                .map(|(name, value)| (name.clone(), like(random, of, value, at_us)));
            Value::Object(drawn.collect())
        }
        (Shape::Object(members), Value::Object(values)) => {
            let drawn = values.iter().map(|(name, value)| {
                let value = match members.find(name) {
                    Some((_, field)) => like(random, &field.shape, value, at_us),
                    None => value.clone(),
                };
                (name.clone(), value)
            });
            Value::Object(drawn.collect::<Map<_, _>>())
        }
        _ => example.clone(),
    }
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

/// The text with other digits; runs of eight and more that are hexadecimal get other hexadecimal digits. A text
/// without a digit gets a number behind it.
fn respelt(random: &mut ChaCha8Rng, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut run = String::new();
    for letter in text.chars().chain(std::iter::once('\n')) {
        if letter.is_ascii_alphanumeric() {
            run.push(letter);
            continue;
        }
        redraw(random, &run, &mut out);
        run.clear();
        if letter != '\n' {
            out.push(letter);
        }
    }
    if out == text {
        out.push('-');
        out.push_str(&(below(random, 9000) + 1000).to_string());
    }
    out
}

fn redraw(random: &mut ChaCha8Rng, run: &str, out: &mut String) {
    let lower = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    let hex = run.len() >= 8 && run.chars().all(lower);
    for (place, letter) in run.chars().enumerate() {
        let drawn = match letter {
            _ if hex => digit(random, 16),
            // A number keeps its length.
            '1'..='9' if place == 0 => nonzero(random),
            letter if letter.is_ascii_digit() => digit(random, 10),
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
