//! What is asked for goes to standard output, in one of five forms; JSON is the contract, a table is for people. On a
//! terminal a table is cut to its width; nothing else ever is.

mod render;
mod screen;

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use serde::Serialize;
use serde_json::Value;

use crate::exit::Failure;
use screen::Screen;

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns for people; it may change
    Table,
    /// One JSON document: an array for lists
    Json,
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values with a first line of names
    Csv,
    /// A Markdown table
    Markdown,
}

/// A column of tables, CSV and Markdown: its heading and the key whose value it shows, as a path with dots.
pub type Column = (&'static str, &'static str);

/// How many rows a table looks at to choose its widths before it starts to print.
const LOOK_AHEAD_ROWS: usize = 200;

/// The keys of columns that hold sentences. A table ends with one of them at most, and never cuts it.
const WORDS: [&str; 7] = [
    "message", "detail", "note", "mend", "reason", "said", "title",
];

/// Writes a list of items, one at a time, in the chosen form.
pub struct Rows<W: Write> {
    format: Format,
    columns: Vec<Column>,
    out: W,
    bold: bool,
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
    look_ahead: usize,
    written: u64,
    room: Option<usize>,
}

/// Rows on standard output.
pub type Printed = Rows<BufWriter<Screen<StdoutLock<'static>>>>;

/// A list on standard output; headings are bold where colours are wanted.
pub fn rows(format: Format, columns: &[Column], colour: bool) -> Printed {
    let bold = colour && format == Format::Table;
    let out = BufWriter::new(Screen::stdout(format));
    Rows::new(format, columns, out, bold).within(terminal_width())
}

/// How many characters a line of standard output has, where that is a terminal.
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

impl<W: Write> Rows<W> {
    /// A list that is written to `out`.
    pub fn new(format: Format, columns: &[Column], out: W, bold: bool) -> Self {
        Self {
            format,
            columns: columns.to_vec(),
            out,
            bold,
            waiting: Vec::new(),
            widths: None,
            look_ahead: LOOK_AHEAD_ROWS,
            written: 0,
            room: None,
        }
    }

    /// Cuts a table's lines to so many characters.
    #[must_use]
    pub fn within(mut self, room: Option<usize>) -> Self {
        self.room = room;
        self
    }

    /// Prints every row at once instead of looking ahead, for lists that never end.
    #[must_use]
    pub fn unbuffered(mut self) -> Self {
        self.look_ahead = 1;
        self
    }

    /// The same, where the list may never end.
    #[must_use]
    pub fn unbuffered_if(self, endless: bool) -> Self {
        if endless { self.unbuffered() } else { self }
    }

    /// Writes one item, an object.
    pub fn row(&mut self, item: &impl Serialize) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                self.out.write_all(if self.written == 0 {
                    b"[\n  "
                } else {
                    b",\n  "
                })?;
                write_json(&mut self.out, item)?;
            }
            Format::Ndjson => {
                write_json(&mut self.out, item)?;
                self.out.write_all(b"\n")?;
            }
            Format::Csv => {
                if self.written == 0 {
                    self.csv_heading()?;
                }
                let cells = self.cells(item)?;
                self.csv(&cells)?;
            }
            Format::Markdown => {
                if self.written == 0 {
                    self.markdown_heading()?;
                }
                let cells: Vec<String> = self
                    .cells(item)?
                    .iter()
                    .map(|cell| render::markdown(cell))
                    .collect();
                writeln!(self.out, "| {} |", cells.join(" | "))?;
            }
            Format::Table => {
                let cells = self
                    .cells(item)?
                    .iter()
                    .map(|cell| render::printable(cell))
                    .collect();
                self.waiting.push(cells);
                if self.widths.is_some() || self.waiting.len() >= self.look_ahead {
                    self.flush_table()?;
                }
            }
        }
        self.written += 1;
        if self.look_ahead == 1 {
            self.out.flush()?;
        }
        Ok(())
    }

    /// Ends the list and gives the number of its items.
    pub fn finish(mut self) -> Result<u64, Failure> {
        match (self.format, self.written) {
            (Format::Json, 0) => self.out.write_all(b"[]\n")?,
            (Format::Json, _) => self.out.write_all(b"\n]\n")?,
            (Format::Csv, 0) => self.csv_heading()?,
            (Format::Markdown, 0) => self.markdown_heading()?,
            (Format::Table, 1..) => self.flush_table()?,
            _ => {}
        }
        self.out.flush()?;
        Ok(self.written)
    }

    fn cells(&self, item: &impl Serialize) -> Result<Vec<String>, Failure> {
        let item = as_value(item)?;
        let paths = self.columns.iter().map(|(_, path)| path);
        Ok(paths
            .map(|path| render::cell(render::at(&item, path)))
            .collect())
    }

    fn csv_heading(&mut self) -> Result<(), Failure> {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|(_, path)| (*path).to_owned())
            .collect();
        self.csv(&names)
    }

    fn csv(&mut self, cells: &[String]) -> Result<(), Failure> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        writer
            .write_record(cells)
            .map_err(|error| Failure::new("cannot write the output").because(error))?;
        Ok(writer.flush()?)
    }

    fn markdown_heading(&mut self) -> Result<(), Failure> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        writeln!(self.out, "| {} |", names.join(" | "))?;
        writeln!(self.out, "|{}", " --- |".repeat(names.len()))?;
        Ok(())
    }

    fn flush_table(&mut self) -> Result<(), Failure> {
        let words = self
            .columns
            .last()
            .is_some_and(|(_, path)| WORDS.contains(path));
        if self.widths.is_none() {
            let names: Vec<String> = self
                .columns
                .iter()
                .map(|(name, _)| name.to_uppercase())
                .collect();
            let mut widths = render::widths(&names, &self.waiting);
            if let Some(room) = self.room {
                let fixed = widths.len().saturating_sub(usize::from(words));
                let (columns, _) = widths.split_at_mut(fixed);
                let fitted = render::fitted(columns, &render::least(&names, columns), room);
                columns.copy_from_slice(&fitted);
            }
            let heading = render::line(&names, &widths, None, words);
            if self.bold {
                writeln!(self.out, "\u{1b}[1m{heading}\u{1b}[0m")?;
            } else {
                writeln!(self.out, "{heading}")?;
            }
            self.widths = Some(widths);
        }
        let widths = self.widths.clone().unwrap_or_default();
        for cells in std::mem::take(&mut self.waiting) {
            let line = render::line(&cells, &widths, self.room, words);
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}

/// Writes one thing, an object: a table shows a line a key.
pub fn one(format: Format, item: &impl Serialize, colour: bool) -> Result<(), Failure> {
    let mut out = BufWriter::new(Screen::stdout(format));
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, item).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        Format::Ndjson => {
            write_json(&mut out, item)?;
            out.write_all(b"\n")?;
        }
        Format::Table => render::pairs(&mut out, &as_value(item)?, colour)?,
        Format::Csv | Format::Markdown => {
            let pairs = render::flat(&as_value(item)?);
            let mut rows = Rows::new(
                format,
                &[("key", "key"), ("value", "value")],
                &mut out,
                false,
            );
            for (key, value) in pairs {
                rows.row(&serde_json::json!({"key": key, "value": value}))?;
            }
            rows.finish()?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Writes text that was asked for as it is.
pub fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Writes bytes that were asked for as they are.
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// Says something beside what was asked for, on standard error. Nobody listening there is no failure.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether standard error is a terminal: the place for a progress bar.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// A number with its word: `1 fault`, `3 faults`.
pub fn counted(number: usize, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else {
        format!("{number} {word}s")
    }
}

/// Text of others, made safe for a terminal: control characters are escaped.
pub fn printable(text: &str) -> String {
    render::printable(text)
}

fn as_value(item: &impl Serialize) -> Result<Value, Failure> {
    Ok(serde_json::to_value(item).map_err(io::Error::from)?)
}

fn write_json(out: &mut impl Write, item: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(out, item).map_err(io::Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: &[Column] = &[("seq", "seq"), ("who", "data.who"), ("note", "note")];

    fn printed(format: Format, items: &[Value]) -> String {
        printed_within(None, COLUMNS, format, items)
    }

    fn printed_within(
        room: Option<usize>,
        columns: &[Column],
        format: Format,
        items: &[Value],
    ) -> String {
        let mut out = Vec::new();
        let mut rows = Rows::new(format, columns, &mut out, false).within(room);
        for item in items {
            rows.row(item).expect("memory takes it");
        }
        rows.finish().expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_form_of_a_list() {
        let items = [
            json!({"seq": 7, "data": {"who": "ann"}, "note": "a|b, \"c\""}),
            json!({"seq": 12, "data": {}, "note": "x\ny\u{1b}[2J"}),
        ];
        assert_eq!(
            printed(Format::Table, &items),
            "SEQ  WHO  NOTE\n7    ann  a|b, \"c\"\n12   -    x\\ny\\u{1b}[2J\n"
        );
        assert_eq!(
            printed(Format::Csv, &items),
            "seq,data.who,note\n7,ann,\"a|b, \"\"c\"\"\"\n12,,\"x\ny\u{1b}[2J\"\n"
        );
        assert_eq!(
            printed(Format::Markdown, &items),
            "| seq | who | note |\n| --- | --- | --- |\n| 7 | ann | a\\|b, \"c\" |\n| 12 |  | x<br>y\\u{1b}[2J |\n"
        );
        let parsed: Value = serde_json::from_str(&printed(Format::Json, &items)).expect("JSON");
        assert_eq!(parsed, json!(items));
        assert_eq!(printed(Format::Ndjson, &items).lines().count(), 2);
    }

    #[test]
    fn a_table_is_cut_to_a_terminal_and_nothing_else_is() {
        let long = "é".repeat(256);
        let items = [
            json!({"seq": 7, "id": "staging", "kind": "platform.environment"}),
            json!({"seq": 8, "id": long, "kind": "platform.environment"}),
        ];
        let columns: &[Column] = &[("seq", "seq"), ("id", "id"), ("kind", "kind")];
        let cut = printed_within(Some(50), columns, Format::Table, &items);
        let lines: Vec<&str> = cut.lines().collect();
        assert_eq!(
            lines[1],
            format!("7    staging{}platform.environment", " ".repeat(18))
        );
        assert_eq!(
            lines[2],
            format!("8    {}…  platform.environment", "é".repeat(22))
        );
        // Nothing below what can be read, even where it does not fit.
        let narrow = printed_within(Some(10), columns, Format::Table, &items);
        assert_eq!(narrow.lines().nth(2), Some("8    ééééééé…  platfor…"));
        for format in [Format::Json, Format::Ndjson, Format::Csv, Format::Markdown] {
            let whole = printed_within(Some(20), columns, format, &items);
            assert!(whole.contains(&long), "{whole}");
        }
        assert!(printed_within(None, columns, Format::Table, &items).contains(&long));
    }

    #[test]
    fn sentences_at_the_end_of_a_table_are_not_cut() {
        let words = "it was ready and is now recovering, which no edge allows";
        let items = [json!({"id": "x".repeat(100), "message": words})];
        let columns: &[Column] = &[("id", "id"), ("message", "message")];
        let cut = printed_within(Some(40), columns, Format::Table, &items);
        let line = cut.lines().nth(1).expect("a row");
        assert_eq!(line, format!("{}…  {words}", "x".repeat(39)));
    }

    #[test]
    fn a_list_that_never_ends_gives_later_rows_the_room_there_is() {
        let mut out = Vec::new();
        let columns: &[Column] = &[("id", "id"), ("who", "who")];
        let mut rows = Rows::new(Format::Table, columns, &mut out, false)
            .within(Some(30))
            .unbuffered();
        for id in ["a".to_owned(), "b".repeat(20), "c".repeat(60)] {
            rows.row(&json!({"id": id, "who": "ann"}))
                .expect("memory takes it");
        }
        rows.finish().expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                format!("{}  ann", "b".repeat(20)),
                format!("{}…  ann", "c".repeat(24))
            ]
        );
    }

    #[test]
    fn a_thing_begins_with_what_it_is_and_ends_with_what_it_holds() {
        let item = json!({
            "attributes": {"name": "staging"}, "events": 8, "id": "staging", "kind": "platform.environment",
            "seq": 9, "status": "ready",
        });
        let keys: Vec<String> = render::flat(&item)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        let wanted = ["kind", "id", "status", "events", "seq", "attributes.name"];
        assert_eq!(keys, wanted);
    }

    #[test]
    fn nothing_is_an_empty_list() {
        assert_eq!(printed(Format::Json, &[]), "[]\n");
        assert_eq!(printed(Format::Ndjson, &[]), "");
        assert_eq!(printed(Format::Table, &[]), "");
        assert_eq!(printed(Format::Csv, &[]), "seq,data.who,note\n");
    }
}
