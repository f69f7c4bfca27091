//! JSON and CSV on a terminal: what a publisher sent must not steer it there either.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, StdoutLock, Write};

use super::Format;
use super::render;

/// A writer that writes marks which steer a terminal as JSON escapes them, which says the same in JSON. Into a file or a
/// pipe everything goes as it is.
pub struct Screen<W: Write> {
    inner: W,
    guards: bool,
    /// The beginning of a character whose end has not come yet.
    rest: Vec<u8>,
}

impl Screen<StdoutLock<'static>> {
    /// Standard output. Tables and Markdown escape their cells themselves, and colour what is theirs.
    pub fn stdout(format: Format) -> Self {
        let plain = matches!(format, Format::Json | Format::Ndjson | Format::Csv);
        Self::new(io::stdout().lock(), plain && io::stdout().is_terminal())
    }
}

impl<W: Write> Screen<W> {
    fn new(inner: W, guards: bool) -> Self {
        Self {
            inner,
            guards,
            rest: Vec::new(),
        }
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.guards {
            return self.inner.write(bytes);
        }
        self.rest.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.rest) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.rest.len(),
        };
        let whole: Vec<u8> = self.rest.drain(..whole).collect();
        self.inner
            .write_all(escaped(&String::from_utf8_lossy(&whole)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && render::steers(c) {
            // All of them have four digits.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(guards: bool, pieces: &[&[u8]]) -> String {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, guards);
        for piece in pieces {
            screen.write_all(piece).expect("memory takes it");
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn nothing_steers_a_terminal_and_json_says_the_same() {
        let value = serde_json::json!({"actor": "a\u{9b}2J\u{202e}\u{7f}grün\u{1b}"});
        let text = value.to_string() + "\n";
        let (head, tail) = text.as_bytes().split_at(12);
        assert_eq!(written(false, &[head, tail]), text);
        let shown = written(true, &[head, tail]);
        assert!(
            shown.trim_end().chars().all(|c| !render::steers(c)),
            "{shown:?}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).ok(),
            Some(value)
        );
        // Characters that come in pieces.
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(written(true, &bytes), shown);
    }
}
