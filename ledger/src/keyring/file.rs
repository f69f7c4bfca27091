//! Key files: for their owner alone, and on the disk, name and content, before they are used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::KeyringError;

pub(super) fn failed(path: &Path, done: &'static str) -> impl FnOnce(io::Error) -> KeyringError {
    let path = path.to_owned();
    move |source| KeyringError::Io { path, done, source }
}

pub(super) fn make_folder(path: &Path) -> Result<(), KeyringError> {
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
pub(super) fn read(path: &Path) -> Result<Option<String>, KeyringError> {
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

/// Writes a new file so that it is there whole or not at all, and leaves one that is there already.
pub(super) fn create(path: &Path, text: &str) -> Result<(), KeyringError> {
    let draft = draft(path, text)?;
    // A link, unlike a rename, never replaces a key that another process has just made.
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(failed(path, "made")),
    };
    let _ = fs::remove_file(&draft);
    linked?;
    sync_folder(path.parent().unwrap_or(path))
}

/// Writes a file so that the old one or the new one is there, whole.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), KeyringError> {
    let draft = draft(path, text)?;
    fs::rename(&draft, path).map_err(failed(path, "replaced"))?;
    sync_folder(path.parent().unwrap_or(path))
}

/// Overwrites a file and removes it; one that is gone already is no error.
pub(super) fn erase(path: &Path) -> Result<(), KeyringError> {
    let overwritten = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| {
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
            file.write_all(&vec![0; length.min(4096)])?;
            file.sync_all()
        });
    match overwritten.and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path, "destroyed")(error)),
        Ok(()) => sync_folder(path.parent().unwrap_or(path)),
    }
}

/// The text in a new file beside `path`, on the disk.
fn draft(path: &Path, text: &str) -> Result<PathBuf, KeyringError> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
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
        });
    written.map_err(failed(&draft, "written")).map(|()| draft)
}
