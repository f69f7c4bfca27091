//! Reading lines of hostile files: bounded, counted, and hashed on the way.

use std::io::{self, BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

/// The longest line that is read. The largest that is written: a quarantined message of the most that a NATS
/// server takes by default (1 MiB; 8 MiB at most by its advice), twice in base64, fits well.
pub(super) const LONGEST: u64 = 64 << 20;

/// A reader that hashes what passes.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// The lines of a file, without their ends.
pub(super) struct Lines {
    reader: BufReader<Hashed<Box<dyn Read>>>,
    line: Vec<u8>,
    number: u64,
}

/// What came next.
pub(super) enum Next<'a> {
    /// A line.
    Line(&'a [u8]),
    /// A line longer than [`LONGEST`]; it was passed over.
    TooLong,
    /// The end.
    End,
}

impl Lines {
    /// The lines of what `inner` gives.
    pub fn new(inner: Box<dyn Read>) -> Self {
        let hashed = Hashed {
            inner,
            hash: Sha256::new(),
        };
        Self {
            reader: BufReader::with_capacity(1 << 18, hashed),
            line: Vec::new(),
            number: 0,
        }
    }

    /// The number of the line that came last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Reads on.
    pub fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let read = (&mut self.reader)
            .take(LONGEST)
            .read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(Next::End);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if u64::try_from(read).is_ok_and(|read| read >= LONGEST) {
            self.line = Vec::new();
            self.reader.skip_until(b'\n')?;
            return Ok(Next::TooLong);
        }
        Ok(Next::Line(&self.line))
    }

    /// Reads to the end and gives the SHA-256 of the whole file in hex.
    pub fn digest(mut self) -> io::Result<String> {
        io::copy(&mut self.reader, &mut io::sink())?;
        Ok(hex::encode(self.reader.into_inner().hash.finalize()))
    }
}
