//! Where a bundle's bytes come from: a folder, or the same packed. Only reads; follows no link; unpacks nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{BundleError, EVENTS, MANIFEST, PROOFS, VERDICTS, failed, quote};

/// More files than any bundle has; a listing stays within memory.
const MOST_FILES: usize = 10_000;
/// So large are the files of a packed bundle that are kept while it is listed: each of them would otherwise be reached
/// by unpacking all that lies before it once more.
const SMALL: u64 = 1 << 16;
/// How much of them is kept, in bytes.
const MOST_KEPT: u64 = 64 << 20;
/// Deeper than any bundle's folders.
const DEEPEST: usize = 8;
/// A packed bundle's extension headers are read up to this many bytes.
const MOST_EXTENSION: u64 = 1 << 16;

/// The files of a bundle, by name, and what is wrong with the way they lie there.
pub(super) struct Source {
    path: PathBuf,
    packed: bool,
    files: BTreeMap<String, Place>,
    /// How many bytes of small files are kept.
    kept: u64,
    /// In words; each is a problem of the bundle.
    pub oddities: Vec<String>,
}

/// Where a file's bytes are: of a packed bundle, in the unpacked stream.
#[derive(Default)]
struct Place {
    offset: u64,
    size: u64,
    /// What the listing learnt of it on its way: the SHA-256 in hex, and the bytes of a small file.
    digest: Option<String>,
    bytes: Option<Vec<u8>>,
}

/// Whether a name stays within the bundle on every system.
pub(super) fn is_safe(name: &str) -> bool {
    let part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.contains(|c: char| c.is_control() || matches!(c, '\\' | ':' | '\u{fffd}'))
    };
    name.split('/').all(part)
}

impl Source {
    /// Lists a bundle's files.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let metadata = fs::metadata(path).map_err(failed(path, "opened"))?;
        let mut source = Self {
            path: path.to_owned(),
            packed: !metadata.is_dir(),
            files: BTreeMap::new(),
            kept: 0,
            oddities: Vec::new(),
        };
        if metadata.is_dir() {
            // Any folder may be named, /tmp for example: what lies in it is looked at only if it can be a bundle.
            if path.join(MANIFEST).symlink_metadata().is_err() {
                return Err(source.without_manifest());
            }
            source.list_folder(path, "", 0)?;
        } else if metadata.is_file() {
            let listed = source.list_packed();
            listed.map_err(failed(path, "read as a packed bundle (.tar.zst)"))?;
            source.strip_top();
        } else {
            let why = "it is neither a folder nor a file".to_owned();
            return Err(BundleError::NotABundle {
                path: path.to_owned(),
                why,
            });
        }
        if !source.files.contains_key(MANIFEST) {
            return Err(source.without_manifest());
        }
        Ok(source)
    }

    fn without_manifest(&self) -> BundleError {
        BundleError::NotABundle {
            path: self.path.clone(),
            why: format!("it has no {MANIFEST}"),
        }
    }

    /// The names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// A file's bytes from the beginning; nothing at all for a file that is not there.
    pub fn read(&self, name: &str) -> Result<Box<dyn Read>, BundleError> {
        let Some(place) = self.files.get(name) else {
            return Ok(Box::new(io::empty()));
        };
        if !self.packed {
            let path = self.path.join(name);
            let file = File::open(&path).map_err(failed(&path, "opened"))?;
            return Ok(Box::new(file));
        }
        if let Some(bytes) = &place.bytes {
            return Ok(Box::new(io::Cursor::new(bytes.clone())));
        }
        let mut stream = self.unpacked().map_err(failed(&self.path, "opened"))?;
        io::copy(&mut (&mut stream).take(place.offset), &mut io::sink())
            .map_err(failed(&self.path, "read"))?;
        Ok(Box::new(stream.take(place.size)))
    }

    /// A small file's bytes; `None` for a larger one, which is not read.
    pub fn small(&self, name: &str) -> Result<Option<Vec<u8>>, BundleError> {
        if self.files.get(name).is_some_and(|place| place.size > SMALL) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut file = self.read(name)?.take(SMALL + 1);
        file.read_to_end(&mut bytes)
            .map_err(failed(&self.path, "read"))?;
        let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= SMALL);
        Ok(fits.then_some(bytes))
    }

    /// A file's SHA-256 in hex.
    pub fn digest(&self, name: &str) -> Result<String, BundleError> {
        if let Some(known) = self.files.get(name).and_then(|place| place.digest.clone()) {
            return Ok(known);
        }
        let mut hash = Sha256::new();
        io::copy(&mut self.read(name)?, &mut hash).map_err(failed(&self.path, "read"))?;
        Ok(hex::encode(hash.finalize()))
    }

    fn unpacked(&self) -> io::Result<impl Read + use<>> {
        zstd::Decoder::with_buffer(BufReader::with_capacity(1 << 18, File::open(&self.path)?))
    }

    fn odd(&mut self, name: &str, what: &str) {
        if self.oddities.len() < 1000 {
            self.oddities.push(format!("{} {what}", quote(name)));
        }
    }

    fn list_folder(&mut self, folder: &Path, above: &str, depth: usize) -> Result<(), BundleError> {
        for entry in fs::read_dir(folder).map_err(failed(folder, "listed"))? {
            let entry = entry.map_err(failed(folder, "listed"))?;
            let name = format!("{above}{}", entry.file_name().to_string_lossy());
            let kind = entry
                .file_type()
                .map_err(failed(&entry.path(), "looked at"))?;
            if !is_safe(&name) {
                self.odd(&name, "is a name that is not allowed");
            } else if kind.is_dir() && depth < DEEPEST {
                self.list_folder(&entry.path(), &format!("{name}/"), depth + 1)?;
            } else if kind.is_file() {
                self.add(name, Place::default());
            } else {
                self.odd(
                    &name,
                    "is not a file (a link, a device, or too deep a folder)",
                );
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, place: Place) {
        if self.files.len() >= MOST_FILES {
            self.odd(&name, "is one file too many");
            return;
        }
        match self.files.entry(name) {
            Entry::Vacant(free) => {
                free.insert(place);
            }
            Entry::Occupied(taken) => {
                let name = taken.key().clone();
                self.odd(&name, "is there twice; the first is read");
            }
        }
    }

    fn list_packed(&mut self) -> io::Result<()> {
        let mut archive = tar::Archive::new(self.unpacked()?);
        // Raw: extension headers are looked at here, for the reader would take any length of them into memory.
        for entry in archive.entries()?.raw(true) {
            let mut entry = entry?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = entry.header().entry_type();
            if kind.is_pax_local_extensions() || kind.is_pax_global_extensions() {
                if let Some(what) = renaming(&mut entry)? {
                    self.odd(&name, what);
                }
                continue;
            }
            let plain = name.strip_prefix("./").unwrap_or(&name);
            let mut place = Place {
                offset: entry.raw_file_position(),
                size: entry.size(),
                ..Place::default()
            };
            if kind.is_dir() {
                let inner = plain.trim_end_matches('/');
                if !inner.is_empty() && inner != "." && !is_safe(inner) {
                    self.odd(&name, "is a name that is not allowed");
                }
            } else if !kind.is_file() {
                self.odd(
                    &name,
                    "is not a file (a link, a device, or a name that is too long)",
                );
            } else if is_safe(plain) {
                if place.size <= SMALL && self.kept + place.size > MOST_KEPT {
                    self.odd(&name, "is one small file too many");
                    continue;
                }
                self.look_into(plain, &mut entry, &mut place)?;
                self.add(plain.to_owned(), place);
            } else {
                self.odd(&name, "is a name that is not allowed");
            }
        }
        Ok(())
    }

    /// Hashes a file on the way, and keeps it if it is small. The large ones are hashed as they are read, once each.
    fn look_into(&mut self, name: &str, file: &mut impl Read, place: &mut Place) -> io::Result<()> {
        let last = name.rsplit('/').next().unwrap_or(name);
        if [EVENTS, PROOFS, VERDICTS].contains(&last) || self.files.len() >= MOST_FILES {
            return Ok(());
        }
        let mut hash = Sha256::new();
        if place.size <= SMALL {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            hash.update(&bytes);
            self.kept += place.size;
            place.bytes = Some(bytes);
        } else {
            io::copy(file, &mut hash)?;
        }
        place.digest = Some(hex::encode(hash.finalize()));
        Ok(())
    }

    /// A folder that was packed with its own name: what is in it is the bundle.
    fn strip_top(&mut self) {
        if self.has(MANIFEST) {
            return;
        }
        let ending = format!("/{MANIFEST}");
        let mut tops = self
            .files
            .keys()
            .filter_map(|name| name.strip_suffix(&ending));
        let (Some(top), None) = (tops.next(), tops.next()) else {
            return;
        };
        let top = format!("{top}/");
        let mut inside = BTreeMap::new();
        for (name, place) in std::mem::take(&mut self.files) {
            match name.strip_prefix(&top) {
                Some(inner) => {
                    inside.insert(inner.to_owned(), place);
                }
                None => self.odd(&name, "lies beside the bundle's folder"),
            }
        }
        self.files = inside;
    }
}

/// Whether a pax header gives the next file another name or size, which different readers take differently.
fn renaming(entry: &mut impl Read) -> io::Result<Option<&'static str>> {
    let mut text = Vec::new();
    entry.take(MOST_EXTENSION).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length >= MOST_EXTENSION) {
        return Ok(Some("is an extension header of more than 64 KiB"));
    }
    let text = String::from_utf8_lossy(&text);
    let renames = ["path=", "linkpath=", "size="]
        .iter()
        .any(|key| text.contains(key));
    Ok(renames.then_some("is an extension header that gives a file another name or size"))
}
