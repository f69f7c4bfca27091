//! The last signed head in a file outside the database, so that a database that was rolled back is noticed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// The head as it was written; `None` where there is no file.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the head, making its folder if it is not there. On return it is on the disk, name and content; a crash
/// leaves the old one or the new one.
pub fn write(path: &Path, note: &str) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}
