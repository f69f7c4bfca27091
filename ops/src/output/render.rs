//! Cells, widths and lines of tables.

use std::io::Write;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::exit::Failure;

/// No column but the last is padded beyond this.
const WIDEST: usize = 60;

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
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                safe.extend(c.escape_unicode());
            }
            c if c.is_control() => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
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

/// One line of a table; the last cell is not padded.
pub fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let shown = if cell.is_empty() { "-" } else { cell };
        text.push_str(shown);
        let missing = width.saturating_sub(shown.width());
        text.extend(std::iter::repeat_n(' ', missing + 2));
    }
    text.truncate(text.trim_end().len());
    text
}

/// An object as pairs of key and text, nested objects by paths with dots.
pub fn flat(item: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    flatten("", item, &mut pairs);
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
