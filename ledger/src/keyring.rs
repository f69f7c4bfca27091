//! The keys that live outside the database: one salt key for each month, and the key that signs heads.
//!
//! ```text
//! <folder>/signing.key              PRIVATE+KEY+…, as Go's note package writes it
//! <folder>/salt/2026-11.key         64 hex digits: the salts of what was recorded in that month (UTC)
//! <folder>/salt/2026-07.destroyed   when the key of that month was destroyed
//! <folder>/succeeded/<hex>.key      the signing key of a log that this one succeeded
//! ```
//!
//! Whoever holds a month's key can guess short data back from its commitment, so a key is destroyed once its
//! month's messages are gone from the stream. Files are for their owner alone (0600 in 0700), and are on the
//! disk, name and content, before a key is used: a salt whose key was lost in a crash could not be derived again.
//!
//! Nothing is remembered between calls, and every step leaves what another process has just made: any number of
//! processes may share the folder.

mod error;
mod file;
mod salt;

use std::fmt;
use std::path::{Path, PathBuf};

pub use self::error::KeyringError;
pub use self::salt::{SaltMonths, month};

use self::file::{create, make_folder, read, replace};
use crate::digest::{self, Hash};
use crate::note::Signer;

/// Fills the bytes from a cryptographic generator of random numbers.
pub type Random = fn(&mut [u8]);

/// The folder of keys.
#[derive(Clone)]
pub struct Keyring {
    folder: PathBuf,
    random: Random,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// Opens the folder, making it if it is not there. Keys are read when they are needed.
    pub fn open(folder: &Path, random: Random) -> Result<Self, KeyringError> {
        make_folder(&folder.join("salt"))?;
        Ok(Self {
            folder: folder.to_owned(),
            random,
        })
    }

    /// Where the keys are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The key that signs the heads of `origin`; it must be there.
    pub fn signer(&self, origin: &str) -> Result<Signer, KeyringError> {
        let path = self.signing_path();
        let signer =
            read_signer(&path)?.ok_or_else(|| KeyringError::NoSigningKey { path: path.clone() })?;
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

    /// The signing key, whosever it is; it must be there.
    pub fn any_signer(&self) -> Result<Signer, KeyringError> {
        let path = self.signing_path();
        read_signer(&path)?.ok_or(KeyringError::NoSigningKey { path })
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

    /// Puts the signing key of `old` away, where it can be read for ever, and makes one for `new`, which succeeds
    /// it. Where that was done before, the key of `new` is given.
    pub fn succeed(&self, old: &str, new: &str) -> Result<Signer, KeyringError> {
        match self.signer(new) {
            Err(KeyringError::OtherOrigin { found, .. }) if found == old => {}
            other => return other,
        }
        let path = self.signing_path();
        let aside = self.succeeded_path(old);
        make_folder(&self.folder.join("succeeded"))?;
        create(&aside, &read(&path)?.unwrap_or_default())?;
        let signer = Signer::from_seed(new, &self.draw()?).map_err(KeyringError::Name)?;
        replace(&path, &format!("{}\n", signer.to_secret()))?;
        self.signer(new)
    }

    /// The signing key of `origin`, be it the one in use or that of a log that was succeeded.
    pub fn signer_of(&self, origin: &str) -> Result<Signer, KeyringError> {
        match read_signer(&self.succeeded_path(origin))? {
            Some(signer) if signer.name() == origin => Ok(signer),
            _ => self.signer(origin),
        }
    }

    fn signing_path(&self) -> PathBuf {
        self.folder.join("signing.key")
    }

    /// Origins have characters that file names have not.
    fn succeeded_path(&self, origin: &str) -> PathBuf {
        let name = digest::message_id("ledger", "succeeded", origin);
        let name = hex::encode(name.first_chunk::<8>().copied().unwrap_or_default());
        self.folder.join("succeeded").join(format!("{name}.key"))
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

fn read_signer(path: &Path) -> Result<Option<Signer>, KeyringError> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    let signer = Signer::from_secret(text.trim_ascii_end());
    signer.map(Some).map_err(|source| KeyringError::Signing {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
