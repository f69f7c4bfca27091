//! Cells, widths and lines of tables.

use std::borrow::Cow;
use std::io::Write;

use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::exit::Failure;

/// No column but the last is padded beyond this: an identifier of the ledger's own, a digest in hexadecimal digits.
const WIDEST: usize = 64;
/// No column is made narrower than this, or than its heading, to fit a terminal.
const NARROWEST: usize = 8;
/// Between two columns.
const GAP: usize = 2;

/// The value at a path with dots.
pub fn at<'a>(item: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(item, |value, key| value.get(key))
}

/// A value as the text of a cell; objects and arrays as JSON.
pub fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Text with control characters escaped, so that nothing that a publisher sent can steer a terminal. Marks
/// that turn the direction of text are escaped too.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            c if steers(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

/// Whether a character does something to a terminal, or turns the direction of the text beside it.
pub fn steers(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control()
}

/// Text for a cell of a Markdown table.
pub fn markdown(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| printable(line).replace('|', "\\|").replace('<', "&lt;"))
        .collect();
    lines.join("<br>")
}

/// The width of each column.
pub fn widths(names: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<usize> = names.iter().map(|name| name.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width()).min(WIDEST);
        }
    }
    widths
}

/// The widths to which columns that want `wanted` are cut, the widest first, so that a line of them has at most `room`
/// characters; none below its `least`, even where the line is longer then.
pub fn fitted(wanted: &[usize], least: &[usize], room: usize) -> Vec<usize> {
    let gaps = wanted.len().saturating_sub(1) * GAP;
    let mut widths: Vec<usize> = wanted.iter().map(|width| (*width).min(room)).collect();
    while widths.iter().sum::<usize>() + gaps > room {
        let can = widths
            .iter_mut()
            .zip(least)
            .filter(|(width, least)| **width > **least);
        let Some((widest, _)) = can.max_by_key(|(width, _)| **width) else {
            break;
        };
        *widest -= 1;
    }
    widths
}

/// How narrow each column may become.
pub fn least(names: &[String], widths: &[usize]) -> Vec<usize> {
    let pairs = names.iter().zip(widths);
    pairs
        .map(|(name, width)| name.width().max(NARROWEST).min(*width))
        .collect()
}

/// One line of a table; the last cell is not padded. With a room, cells are cut until the line fits, but for the last
/// one where it is `words`: what it says is worth a second line.
pub fn line(cells: &[String], widths: &[usize], room: Option<usize>, words: bool) -> String {
    let most = room.map(|room| {
        let fixed = cells.len().saturating_sub(usize::from(words));
        let own = cells.iter().map(|cell| cell.width()).take(fixed);
        let wanted: Vec<usize> = own
            .zip(widths)
            .map(|(own, column)| own.max(*column))
            .collect();
        fitted(&wanted, widths, room)
    });
    let mut text = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let most = most.as_ref().and_then(|most| most.get(at));
        let shown = match cell.as_str() {
            "" => Cow::Borrowed("-"),
            cell => most.map_or(Cow::Borrowed(cell), |most| cut(cell, *most)),
        };
        text.push_str(&shown);
        let missing = width.saturating_sub(shown.width());
        text.extend(std::iter::repeat_n(' ', missing + GAP));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Text in at most so many columns of a terminal; an ellipsis stands for what was cut off.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.width() <= most {
        return Cow::Borrowed(text);
    }
    let mut left = most.saturating_sub(1);
    let kept = text.chars().take_while(|c| {
        let fits = c.width().unwrap_or(0) <= left;
        left = left.saturating_sub(c.width().unwrap_or(0));
        fits
    });
    let mut kept: String = kept.collect();
    kept.push('…');
    Cow::Owned(kept)
}

/// An object as pairs of key and text: what it is and how it stands first, nested objects last, by paths with dots.
pub fn flat(item: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    flatten("", item, &mut pairs);
    let first = ["kind", "id", "status"];
    pairs.sort_by_key(|(key, _)| {
        let place = first.iter().position(|one| one == key);
        (place.unwrap_or(first.len()), key.contains('.'))
    });
    pairs
}

fn flatten(path: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, member, pairs);
            }
        }
        other => pairs.push((path.to_owned(), cell(Some(other)))),
    }
}

/// An object as one line a key.
pub fn pairs(out: &mut impl Write, item: &Value, bold: bool) -> Result<(), Failure> {
    let pairs = flat(item);
    let width = pairs.iter().map(|(key, _)| key.width()).max().unwrap_or(0);
    for (key, value) in &pairs {
        let padding = " ".repeat(width.saturating_sub(key.width()) + 2);
        let value = if value.is_empty() {
            "-".to_owned()
        } else {
            printable(value)
        };
        if bold {
            writeln!(out, "\u{1b}[1m{}\u{1b}[0m{padding}{value}", printable(key))?;
        } else {
            writeln!(out, "{}{padding}{value}", printable(key))?;
        }
    }
    Ok(())
}
