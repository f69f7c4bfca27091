//! The keys that live outside the database: one salt key for each month, and the key that signs heads.
//!
//! ```text
//! <folder>/signing.key        PRIVATE+KEY+…, as Go's note package writes it
//! <folder>/salt/2026-11.key   64 hex digits: the salts of what was recorded in that month (UTC)
//! ```
//!
//! Whoever holds a month's key can guess short data back from its commitment, so a key is destroyed once its
//! month's messages are gone from the stream. Files are for their owner alone (0600 in 0700), and are on the
//! disk, name and content, before a key is used: a salt whose key was lost in a crash could not be derived again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::DateTime;

use crate::digest::Hash;
use crate::note::{KeyError, Signer};

/// Fills the bytes from a cryptographic generator of random numbers.
pub type Random = fn(&mut [u8]);

/// Why a key cannot be had. No message carries a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file system refused.
    #[error("the key file {} cannot be {done}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was to be done.
        done: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// Others than the owner may read the key.
    #[error(
        "the key file {} can be read by others (mode {mode:03o}); make it its owner's alone: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds something else.
    #[error("the key file {} does not hold {holds}; put the right file back from a copy of the keys", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        holds: &'static str,
    },
    /// The signing key's text is wrong.
    #[error("the key file {} holds no signing key", path.display())]
    Signing {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A name that no key can have.
    #[error("a signing key cannot have this name")]
    Name(#[source] KeyError),
    /// There is no signing key.
    #[error(
        "there is no signing key {}; `ledger init` makes one, or put it back from a copy of the keys",
        path.display()
    )]
    NoSigningKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// The signing key is another ledger's.
    #[error("the signing key {} is of {found}, not of {expected}", path.display())]
    OtherOrigin {
        /// Which file.
        path: PathBuf,
        /// The name that it has.
        found: String,
        /// The name that it should have.
        expected: String,
    },
    /// A time that has no year of four digits.
    #[error("{recorded_us} µs is not in a month of the years 0 to 9999")]
    Time {
        /// Microseconds since the Unix epoch.
        recorded_us: i64,
    },
    /// The generator of random numbers gave nothing.
    #[error("the generator of random numbers gave no randomness; no key was made")]
    NoRandomness,
}

/// The folder of keys. Cloning shares the cache.
#[derive(Clone)]
pub struct Keyring {
    folder: PathBuf,
    random: Random,
    salts: Arc<Mutex<BTreeMap<String, Hash>>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// Opens the folder, making it if it is not there. Keys are read when they are first needed.
    pub fn open(folder: &Path, random: Random) -> Result<Self, KeyringError> {
        make_folder(&folder.join("salt"))?;
        Ok(Self {
            folder: folder.to_owned(),
            random,
            salts: Arc::default(),
        })
    }

    /// Where the keys are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The salt key of the month (UTC) in which `recorded_us` lies, made and stored if there is none.
    pub fn salt_key(&self, recorded_us: i64) -> Result<Hash, KeyringError> {
        let month = month(recorded_us).ok_or(KeyringError::Time { recorded_us })?;
        // One key at a time, so that two threads cannot make two keys for a month.
        let mut salts = self.salts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = salts.get(&month) {
            return Ok(*key);
        }
        let path = self.folder.join("salt").join(format!("{month}.key"));
        let key = if let Some(key) = read_salt(&path)? {
            key
        } else {
            let text = format!("{}\n", hex::encode(self.draw()?));
            create(&path, &text)?;
            // What is on the disk counts: another process may have been first.
            read_salt(&path)?.ok_or(KeyringError::Malformed { path, holds: SALT })?
        };
        salts.insert(month, key);
        Ok(key)
    }

    /// The key that signs the heads of `origin`; it must be there.
    pub fn signer(&self, origin: &str) -> Result<Signer, KeyringError> {
        let path = self.signing_path();
        let Some(text) = read(&path)? else {
            return Err(KeyringError::NoSigningKey { path });
        };
        let signer =
            Signer::from_secret(text.trim_ascii_end()).map_err(|source| KeyringError::Signing {
                path: path.clone(),
                source,
            })?;
        if signer.name() != origin {
            let found = signer.name().to_owned();
            return Err(KeyringError::OtherOrigin {
                path,
                found,
                expected: origin.to_owned(),
            });
        }
        Ok(signer)
    }

    /// The key that signs the heads of `origin`, made and stored if there is none. Only a ledger that is being
    /// made calls this: a living ledger that finds its key gone must not go on with another.
    pub fn create_signer(&self, origin: &str) -> Result<Signer, KeyringError> {
        let path = self.signing_path();
        if read(&path)?.is_none() {
            let signer = Signer::from_seed(origin, &self.draw()?).map_err(KeyringError::Name)?;
            create(&path, &format!("{}\n", signer.to_secret()))?;
        }
        self.signer(origin)
    }

    fn signing_path(&self) -> PathBuf {
        self.folder.join("signing.key")
    }

    fn draw(&self) -> Result<Hash, KeyringError> {
        let mut key = [0; 32];
        (self.random)(&mut key);
        if key == [0; 32] {
            return Err(KeyringError::NoRandomness);
        }
        Ok(key)
    }
}

const SALT: &str = "64 hexadecimal digits";

/// `2026-11`, in UTC.
fn month(recorded_us: i64) -> Option<String> {
    use chrono::Datelike as _;
    let time = DateTime::from_timestamp_micros(recorded_us)?;
    let year = u32::try_from(time.year())
        .ok()
        .filter(|year| *year <= 9999)?;
    Some(format!("{year:04}-{:02}", time.month()))
}

fn failed(path: &Path, done: &'static str) -> impl FnOnce(io::Error) -> KeyringError {
    let path = path.to_owned();
    move |source| KeyringError::Io { path, done, source }
}

fn make_folder(path: &Path) -> Result<(), KeyringError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed(path, "made a folder"))?;
    // The names of new folders are on the disk too, before a key lies in them.
    path.ancestors()
        .take(3)
        .filter(|p| p.is_dir())
        .try_for_each(sync_folder)
}

fn sync_folder(path: &Path) -> Result<(), KeyringError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(failed(path, "synced"))
}

/// The file's text, or `None` where there is no file.
fn read(path: &Path) -> Result<Option<String>, KeyringError> {
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "looked at")(error)),
    };
    if mode & 0o077 != 0 {
        return Err(KeyringError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    fs::read_to_string(path)
        .map(Some)
        .map_err(failed(path, "read"))
}

fn read_salt(path: &Path) -> Result<Option<Hash>, KeyringError> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim_ascii(), &mut key).map_err(|_| KeyringError::Malformed {
        path: path.to_owned(),
        holds: SALT,
    })?;
    Ok(Some(key))
}

/// Writes a new file so that it is there whole or not at all, and leaves one that is there already.
fn create(path: &Path, text: &str) -> Result<(), KeyringError> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().unwrap_or(path);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("draft-{}-{number}", std::process::id()));
    // Left by a process that died with our number.
    let _ = fs::remove_file(&draft);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(failed(&draft, "written"));
    // A link, unlike a rename, never replaces a key that another process has just made.
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(failed(path, "made")),
    });
    let _ = fs::remove_file(&draft);
    linked?;
    sync_folder(folder)
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
