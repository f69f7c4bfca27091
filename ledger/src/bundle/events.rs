//! The events of a bundle as records, for whoever fills a database from it or judges it anew.

use std::fmt;
use std::path::{Path, PathBuf};

use super::form::Line;
use super::lines::{Lines, Next};
use super::manifest::Manifest;
use super::source::Source;
use super::{BundleError, CHECKPOINT, EVENTS, MANIFEST, failed, quote};
use crate::record::{Body, Record};

/// A bundle that was verified, read again event by event. Nothing here is checked: that is `super::verify`.
pub struct Events {
    path: PathBuf,
    /// What the bundle says of itself.
    pub manifest: Manifest,
    /// The signed head.
    pub checkpoint: String,
    lines: Lines,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Events {
    /// Opens the bundle at `path`, a folder or a `.tar.zst`.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let source = Source::open(path)?;
        let whole = |name: &str| {
            let mut text = String::new();
            let read = source
                .read(name)
                .map(|mut file| file.read_to_string(&mut text));
            read?.map_err(failed(path, "read"))?;
            Ok::<_, BundleError>(text)
        };
        let manifest = Manifest::parse(whole(MANIFEST)?.as_bytes());
        Ok(Self {
            path: path.to_owned(),
            manifest: manifest.map_err(|error| error.into_bundle_error(path))?,
            checkpoint: whole(CHECKPOINT)?,
            lines: Lines::new(source.read(EVENTS)?),
        })
    }

    /// The next event; `None` at the end.
    pub fn next_event(&mut self) -> Result<Option<Record>, BundleError> {
        let line = match self.lines.next().map_err(failed(&self.path, "read"))? {
            Next::End => return Ok(None),
            Next::TooLong => Err("too long".to_owned()),
            Next::Line(line) => {
                serde_json::from_slice::<Line<'_>>(line).map_err(|error| quote(&error.to_string()))
            }
        };
        line.map(|line| Some(record(line)))
            .map_err(|why| BundleError::NotABundle {
                path: self.path.clone(),
                why: format!("{EVENTS} line {}: {why}", self.lines.number()),
            })
    }
}

fn record(mut line: Line<'_>) -> Record {
    let body = line.salt.zip(line.data.take());
    Record {
        header: line.take_header(),
        data_commitment: line.data_commitment.0,
        event_hash: line.event_hash.0,
        chain: line.chain.0,
        body: body.map(|(salt, data)| Body {
            salt: salt.0,
            data: data.0.into_owned().into(),
        }),
    }
}
