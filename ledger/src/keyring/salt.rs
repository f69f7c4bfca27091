//! Salt keys: one a month, made when the chain first steps into it, destroyed when the stream has left it.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike as _};

use super::file::{create, erase, failed, read};
use super::{Keyring, KeyringError};
use crate::digest::Hash;

const SALT: &str = "64 hexadecimal digits";
const KEY: &str = "key";
const DESTROYED: &str = "destroyed";

/// Which months have a salt key, and which had one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaltMonths {
    /// The months whose key is there, in order, as `2026-11`.
    pub kept: Vec<String>,
    /// The months whose key was destroyed, in order.
    pub destroyed: Vec<String>,
}

/// The month (UTC) in which a time lies, as `2026-11`; `None` beyond the years 0 to 9999.
pub fn month(recorded_us: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(recorded_us)?;
    let year = u32::try_from(time.year())
        .ok()
        .filter(|year| *year <= 9999)?;
    Some(format!("{year:04}-{:02}", time.month()))
}

impl Keyring {
    /// The salt key of the month in which `recorded_us` lies; it must be there. Never makes one: other salts give
    /// another chain than the one that was signed.
    pub fn salt_key(&self, recorded_us: i64) -> Result<Hash, KeyringError> {
        let month = month(recorded_us).ok_or(KeyringError::Time { recorded_us })?;
        if let Some(key) = read_salt(&self.salt_path(&month, KEY))? {
            return Ok(key);
        }
        Err(match read(&self.salt_path(&month, DESTROYED))? {
            Some(at) => KeyringError::Destroyed {
                month,
                at: at.trim_ascii().to_owned(),
            },
            None => KeyringError::NoSaltKey {
                path: self.salt_path(&month, KEY),
                month,
            },
        })
    }

    /// The same, made and stored if there never was one. Only whoever knows that nothing that was signed has used
    /// it calls this: a new ledger, or an append that steps into the month.
    pub(crate) fn create_salt_key(&self, recorded_us: i64) -> Result<Hash, KeyringError> {
        match self.salt_key(recorded_us) {
            Err(KeyringError::NoSaltKey { path, .. }) => {
                create(&path, &format!("{}\n", hex::encode(self.draw()?)))?;
                // What is on the disk counts: another process may have been first.
                self.salt_key(recorded_us)
            }
            other => other,
        }
    }

    /// Makes another key for a month, as `2026-11`, whose key was lost. One that is there stays.
    pub fn replace_salt_key(&self, month: &str) -> Result<(), KeyringError> {
        let noon = DateTime::parse_from_rfc3339(&format!("{month}-01T12:00:00Z"));
        let noon = noon.map_err(|_| KeyringError::NoMonth(month.to_owned()))?;
        self.create_salt_key(noon.timestamp_micros()).map(|_| ())
    }

    /// Which months have a key, and which had one.
    pub fn salt_months(&self) -> Result<SaltMonths, KeyringError> {
        let folder = self.folder().join("salt");
        let mut months = SaltMonths::default();
        for entry in fs::read_dir(&folder).map_err(failed(&folder, "listed"))? {
            let path = entry.map_err(failed(&folder, "listed"))?.path();
            let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
                continue;
            };
            match path.extension().and_then(|ending| ending.to_str()) {
                Some(KEY) => months.kept.push(name.to_owned()),
                Some(DESTROYED) => months.destroyed.push(name.to_owned()),
                _ => {}
            }
        }
        months.kept.sort();
        months.destroyed.sort();
        Ok(months)
    }

    /// Destroys the keys of all months before the one in which `oldest_us` lies, the time of the oldest message
    /// that the stream keeps, and gives those months. That it was done is noted first, with the time `now`, so
    /// that a destroyed key is never taken for a lost one.
    ///
    /// The bytes are overwritten before the file goes. A file system that copies on write, a snapshot and a backup
    /// may keep them all the same.
    pub fn destroy_salts_before(
        &self,
        oldest_us: i64,
        now: &str,
    ) -> Result<Vec<String>, KeyringError> {
        let needed = month(oldest_us).ok_or(KeyringError::Time {
            recorded_us: oldest_us,
        })?;
        let mut gone = self.salt_months()?.kept;
        gone.retain(|month| *month < needed);
        for month in &gone {
            create(&self.salt_path(month, DESTROYED), &format!("{now}\n"))?;
            erase(&self.salt_path(month, KEY))?;
        }
        Ok(gone)
    }

    fn salt_path(&self, month: &str, ending: &str) -> PathBuf {
        self.folder().join("salt").join(format!("{month}.{ending}"))
    }
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
