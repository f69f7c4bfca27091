//! Messages that wait on this machine until NATS is back and the ledger has them.
//!
//! A folder of numbered files, each complete and synced before it has its name. Anybody may add one; sending
//! and removing is for the one process that holds the lock.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::publish::Outbound;

/// What the name of a file of refused messages begins with.
const REFUSED: &str = "refused-";

/// The spool cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A file or folder.
    #[error("{path} cannot be used as a spool: {what}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was done.
        what: &'static str,
        /// What came of it.
        source: io::Error,
    },
    /// A line that is not a message.
    #[error("line {line} of {path} is not a spooled message: mend or remove it")]
    Form {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_path_buf();
    move |source| SpoolError::Io { path, what, source }
}

/// One message in a file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    subject: String,
    source: Option<String>,
    id: Option<String>,
    body: String,
}

/// A folder of messages.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
}

/// The right to send what is in the folder; it ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct Held<'a> {
    spool: &'a Spool,
    _lock: File,
}

impl Spool {
    /// Opens the folder, and makes it where it is missing.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, SpoolError> {
        let folder = folder.as_ref().to_path_buf();
        fs::create_dir_all(&folder).map_err(io_error(&folder, "make the folder"))?;
        Ok(Self { folder })
    }

    /// How many messages wait.
    pub fn waiting(&self) -> Result<usize, SpoolError> {
        let mut count = 0;
        for segment in self.segments()? {
            count += read(&segment)?.len();
        }
        Ok(count)
    }

    /// Keeps messages: when this returns they survive a crash of the machine.
    pub fn keep<'a>(
        &self,
        items: impl IntoIterator<Item = &'a Outbound>,
    ) -> Result<(), SpoolError> {
        let (draft, file) = self.draft()?;
        let named = write(&draft, file, items).and_then(|()| self.name(&draft));
        let removed = fs::remove_file(&draft).map_err(io_error(&draft, "remove"));
        named.and(removed)?;
        sync_folder(&self.folder)
    }

    /// A new file for what has no number yet. Never one that is there: a process that crashed may have left it with a
    /// number already, and in containers every process has the same identifier.
    fn draft(&self) -> Result<(PathBuf, File), SpoolError> {
        let process = std::process::id();
        let mut attempt = 0_u64;
        loop {
            let path = self.folder.join(format!("draft-{process}-{attempt}"));
            match File::create_new(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
                Err(error) => return Err(io_error(&path, "write")(error)),
            }
        }
    }

    /// Gives a complete file the next free number. A link, unlike a renaming, never replaces what is there. The number of
    /// what was refused is not free: the messages of another file would take the place of those.
    fn name(&self, draft: &Path) -> Result<(), SpoolError> {
        let given = |path: &PathBuf| number(path).or_else(|| number_of_refused(path));
        let last = self.paths()?.iter().filter_map(given).max();
        let mut next = last.unwrap_or(0) + 1;
        loop {
            let path = self.folder.join(format!("{next:012}.ndjson"));
            match fs::hard_link(draft, &path) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => next += 1,
                Err(error) => return Err(io_error(&path, "write")(error)),
            }
        }
    }

    fn segments(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let mut found = self.paths()?;
        found.retain(|path| number(path).is_some());
        found.sort_by_key(|path| number(path));
        Ok(found)
    }

    /// Everything in the folder.
    fn paths(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let list = || io_error(&self.folder, "list");
        let entries = fs::read_dir(&self.folder).map_err(list())?;
        entries
            .map(|entry| Ok(entry.map_err(list())?.path()))
            .collect()
    }

    /// Takes the right to send, or gives `None` while another process has it.
    pub fn lock(&self) -> Result<Option<Held<'_>>, SpoolError> {
        let path = self.folder.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io_error(&path, "open"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Held {
                spool: self,
                _lock: lock,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(io_error(&path, "lock")(error)),
        }
    }
}

impl Held<'_> {
    /// The files, oldest first.
    pub fn segments(&self) -> Result<Vec<PathBuf>, SpoolError> {
        self.spool.segments()
    }

    /// The messages of a file, in order.
    pub fn read(&self, segment: &Path) -> Result<Vec<Outbound>, SpoolError> {
        read(segment)
    }

    /// Removes a file whose messages are all in the ledger, but for those that can never be sent: they stay
    /// beside it, as `refused-<number>`, for somebody to look at.
    pub fn finish<'i>(
        &self,
        segment: &Path,
        refused: impl IntoIterator<Item = &'i Outbound>,
    ) -> Result<(), SpoolError> {
        let mut refused = refused.into_iter().peekable();
        if refused.peek().is_some() {
            let name = format!("{REFUSED}{}", number(segment).unwrap_or_default());
            let path = self.spool.folder.join(name);
            // One that is there is of this same file: it was not removed in time.
            let file = File::create(&path).map_err(io_error(&path, "write"))?;
            write(&path, file, refused)?;
        }
        fs::remove_file(segment).map_err(io_error(segment, "remove"))?;
        sync_folder(&self.spool.folder)
    }
}

/// Writes and syncs a file of messages, or leaves none: half of one on a full disk is of no use to anybody.
fn write<'a>(
    path: &Path,
    file: File,
    items: impl IntoIterator<Item = &'a Outbound>,
) -> Result<(), SpoolError> {
    fill(path, file, items).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

fn fill<'a>(
    path: &Path,
    file: File,
    items: impl IntoIterator<Item = &'a Outbound>,
) -> Result<(), SpoolError> {
    let mut file = BufWriter::new(file);
    for item in items {
        let (source, id) = item.identity.clone().unzip();
        let line = Line {
            subject: item.subject.clone(),
            source,
            id,
            body: STANDARD.encode(&item.body),
        };
        let mut line =
            serde_json::to_vec(&line).map_err(|error| io_error(path, "write")(error.into()))?;
        line.push(b'\n');
        file.write_all(&line).map_err(io_error(path, "write"))?;
    }
    file.flush().map_err(io_error(path, "write"))?;
    file.get_ref().sync_all().map_err(io_error(path, "sync"))
}

fn number(path: &Path) -> Option<u64> {
    if path.extension()? != "ndjson" {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

fn number_of_refused(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix(REFUSED)?.parse().ok()
}

fn sync_folder(folder: &Path) -> Result<(), SpoolError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error(folder, "sync"))
}

fn read(path: &Path) -> Result<Vec<Outbound>, SpoolError> {
    let file = File::open(path).map_err(io_error(path, "read"))?;
    let mut items = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(io_error(path, "read"))?;
        let wrong = || SpoolError::Form {
            path: path.to_path_buf(),
            line: at + 1,
        };
        let line: Line = serde_json::from_str(&line).map_err(|_| wrong())?;
        let body = STANDARD.decode(&line.body).map_err(|_| wrong())?;
        items.push(Outbound {
            subject: line.subject,
            identity: line.source.zip(line.id),
            body: body.into(),
        });
    }
    Ok(items)
}
