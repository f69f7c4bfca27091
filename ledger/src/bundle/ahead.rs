//! Files in the order of positions, read in step with the events.

use std::io;

use super::form::{ProofLine, VerdictLine};
use super::lines::{Lines, Next};
use super::quote;
use crate::report::{Report, What};

/// A line that belongs to a position.
pub(super) trait At: serde::de::DeserializeOwned {
    /// What is wrong where such a line is.
    const WHAT: What;
    /// The position.
    fn seq(&self) -> u64;
}

impl At for ProofLine {
    const WHAT: What = What::Tree;
    fn seq(&self) -> u64 {
        self.seq
    }
}

impl At for VerdictLine<'static> {
    const WHAT: What = What::Verdict;
    fn seq(&self) -> u64 {
        self.seq
    }
}

/// A file in order of positions, read beside the events.
pub(super) struct Ahead<T> {
    name: &'static str,
    pub lines: Lines,
    next: Option<T>,
    last: Option<u64>,
    /// How many lines were of positions that are not among the events.
    pub strays: u64,
}

impl<T: At> Ahead<T> {
    /// The lines of the file `name`.
    pub fn new(name: &'static str, lines: Lines) -> Self {
        Self {
            name,
            lines,
            next: None,
            last: None,
            strays: 0,
        }
    }

    /// The line of this position. Positions are asked for in rising order.
    pub fn at(&mut self, seq: u64, report: &mut Report) -> io::Result<Option<T>> {
        loop {
            if self.next.is_none() {
                self.next = self.read(report)?;
            }
            match &self.next {
                Some(next) if next.seq() < seq => {
                    self.strays += 1;
                    self.next = None;
                }
                Some(next) if next.seq() == seq => return Ok(self.next.take()),
                _ => return Ok(None),
            }
        }
    }

    /// Reads to the end: all that is left is of no event.
    pub fn drain(&mut self, report: &mut Report) -> io::Result<()> {
        self.strays += u64::from(self.next.take().is_some());
        while self.read(report)?.is_some() {
            self.strays += 1;
        }
        Ok(())
    }

    fn read(&mut self, report: &mut Report) -> io::Result<Option<T>> {
        loop {
            let parsed = match self.lines.next()? {
                Next::End => return Ok(None),
                Next::TooLong => Err("too long".to_owned()),
                Next::Line(line) => {
                    serde_json::from_slice::<T>(line).map_err(|error| quote(&error.to_string()))
                }
            };
            let why = match parsed {
                Ok(line) if self.last.is_none_or(|last| last < line.seq()) => {
                    self.last = Some(line.seq());
                    return Ok(Some(line));
                }
                Ok(_) => "not in the order of positions, or twice".to_owned(),
                Err(why) => why,
            };
            let detail = format!("{} line {}: {why}", self.name, self.lines.number());
            report.problem(None, T::WHAT, detail);
        }
    }
}
