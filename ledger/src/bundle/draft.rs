//! A bundle's folder while it is written: files with their SHA-256, gone again if it is not finished.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{BundleError, failed};

/// A folder that is emptied again when it is dropped unfinished.
pub(super) struct Folder {
    path: PathBuf,
    made: bool,
    files: BTreeMap<String, String>,
    kept: bool,
}

impl Folder {
    /// Makes the folder; one that is there must be empty.
    pub fn create(path: &Path) -> Result<Self, BundleError> {
        let made = match fs::create_dir(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(path, "made a folder")(error)),
        };
        let mut inside = fs::read_dir(path).map_err(|_| BundleError::Exists {
            path: path.to_owned(),
        })?;
        if inside.next().is_some() {
            return Err(BundleError::Exists {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            made,
            files: BTreeMap::new(),
            kept: false,
        })
    }

    /// Begins a file.
    pub fn file(&mut self, name: &str) -> Result<Output, BundleError> {
        let path = self.path.join(name);
        let file = File::create_new(&path).map_err(failed(&path, "made"))?;
        self.files.insert(name.to_owned(), String::new());
        Ok(Output {
            name: name.to_owned(),
            path,
            hash: Sha256::new(),
            file: BufWriter::with_capacity(1 << 18, file),
        })
    }

    /// Ends a file: its bytes are on the disk, and its digest is known.
    pub fn close(&mut self, output: Output) -> Result<(), BundleError> {
        let Output {
            name,
            path,
            hash,
            file,
        } = output;
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(failed(&path, "written"))?;
        self.files.insert(name, hex::encode(hash.finalize()));
        Ok(())
    }

    /// Writes a whole file.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        let mut output = self.file(name)?;
        output.write(bytes)?;
        self.close(output)
    }

    /// The files so far with their digests.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps what was written.
    pub fn keep(mut self) -> Result<(), BundleError> {
        self.kept = true;
        let folder = File::open(&self.path).and_then(|folder| folder.sync_all());
        folder.map_err(failed(&self.path, "synced"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // What cannot be removed stays, without a manifest: nobody takes it for a bundle.
        for name in self.files.keys() {
            let _ = fs::remove_file(self.path.join(name));
        }
        if self.made {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// A file that is being written and hashed.
pub(super) struct Output {
    name: String,
    path: PathBuf,
    hash: Sha256,
    file: BufWriter<File>,
}

impl Output {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        self.hash.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(failed(&self.path, "written"))
    }
}
