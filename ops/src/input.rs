//! Files of events: NDJSON, JSON, or standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::exit::{Exit, Failure};

/// Where an event stands.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file; `-` is standard input.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// No line may be longer: the largest message is far smaller, and nobody's mistake may fill the memory.
const LONGEST_LINE_BYTES: u64 = 64 << 20;

/// The lines of a file that are not empty, each with its place.
pub struct Lines {
    file: PathBuf,
    reader: Box<dyn BufRead + Send>,
    line: u64,
}

/// Opens a file; `-` is standard input.
pub fn open(file: &Path) -> Result<Lines, Failure> {
    let reader: Box<dyn BufRead + Send> = if file == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let opened = File::open(file).and_then(|opened| {
            if opened.metadata()?.is_dir() {
                return Err(io::Error::new(
                    io::ErrorKind::IsADirectory,
                    "it is a folder",
                ));
            }
            Ok(opened)
        });
        Box::new(BufReader::with_capacity(
            1 << 20,
            opened.map_err(|error| unreadable(file, error))?,
        ))
    };
    Ok(Lines {
        file: file.to_owned(),
        reader,
        line: 0,
    })
}

fn unreadable(file: &Path, error: io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::PermissionDenied => {
            Exit::Usage
        }
        _ => Exit::Failed,
    };
    let failure = Failure::with(exit, format!("cannot read {}", file.display())).because(error);
    if exit == Exit::Usage {
        return failure.mend("name a file that is there and may be read, or - for standard input");
    }
    failure
}

impl Iterator for Lines {
    type Item = Result<(Place, Bytes), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            let read = self
                .reader
                .by_ref()
                .take(LONGEST_LINE_BYTES)
                .read_until(b'\n', &mut line);
            self.line += 1;
            match read {
                Err(error) => return Some(Err(unreadable(&self.file, error))),
                Ok(0) => return None,
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => {
                    let place = Place {
                        file: self.file.clone(),
                        line: self.line,
                    };
                    let text = line.trim_ascii();
                    return Some(Ok((place, Bytes::copy_from_slice(text))));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_count_and_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("events.ndjson");
        std::fs::write(&file, "{\"a\":1}\r\n\n  \n{\"b\":2}").expect("written");
        let read: Vec<_> = open(&file)
            .expect("opened")
            .map(|item| item.map(|(place, text)| (place.line, text)).expect("read"))
            .collect();
        assert_eq!(
            read,
            [(1, Bytes::from("{\"a\":1}")), (4, Bytes::from("{\"b\":2}"))]
        );
        assert_eq!(
            open(folder.path()).err().map(|error| error.exit()),
            Some(Exit::Usage)
        );
        let missing = open(&folder.path().join("none"))
            .err()
            .map(|error| error.exit());
        assert_eq!(missing, Some(Exit::Usage));
    }
}
