//! Packing a bundle: `.tar.zst`, the small files first, files for other programs last.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use super::{
    BundleError, CHECKPOINT, EVENTS, KEYS, MANIFEST, MANIFEST_NOTE, PROOFS, VERDICTS, failed,
};

/// So that whoever reads from the front knows what to expect of the large ones.
const ORDER: [&str; 7] = [
    MANIFEST,
    MANIFEST_NOTE,
    CHECKPOINT,
    KEYS,
    EVENTS,
    PROOFS,
    VERDICTS,
];

/// zstd's own default: higher levels save little on hashes and cost much time.
const LEVEL: i32 = 3;

/// Packs `folder` into `draft` and gives that the name `target`. The same files give the same bytes:
/// `modified_s`, in seconds since the Unix epoch, is every file's time. Once `given_up` says yes, it is undone.
pub(super) fn pack(
    folder: &Path,
    draft: &Path,
    target: &Path,
    modified_s: u64,
    given_up: &dyn Fn() -> bool,
) -> Result<(), BundleError> {
    let packed = write(folder, draft, modified_s, given_up).map_err(|error| {
        if given_up() {
            BundleError::GivenUp
        } else {
            failed(draft, "written")(error)
        }
    });
    let named = packed.and_then(|()| fs::rename(draft, target).map_err(failed(target, "made")));
    if named.is_err() {
        let _ = fs::remove_file(draft);
    }
    named
}

/// A file that can no longer be read once it is given up.
struct Wanted<'a> {
    file: File,
    given_up: &'a dyn Fn() -> bool,
}

impl Read for Wanted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if (self.given_up)() {
            return Err(io::Error::other("given up"));
        }
        self.file.read(into)
    }
}

/// Every file of the folder, each in its place; those without one in the order of their names.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    let place = |name: &str| ORDER.iter().position(|one| *one == name);
    names.sort_by_cached_key(|name| (place(name).unwrap_or(ORDER.len()), name.clone()));
    Ok(names)
}

fn write(
    folder: &Path,
    draft: &Path,
    modified_s: u64,
    given_up: &dyn Fn() -> bool,
) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(File::create_new(draft)?, LEVEL)?;
    encoder.include_checksum(true)?;
    let mut tar = tar::Builder::new(encoder);
    for name in names(folder)? {
        let file = File::open(folder.join(&name))?;
        let mut header = tar::Header::new_ustar();
        header.set_size(file.metadata()?.len());
        header.set_mode(0o644);
        header.set_mtime(modified_s);
        let file = Wanted { file, given_up };
        tar.append_data(&mut header, &name, BufReader::with_capacity(1 << 18, file))?;
    }
    let mut file = tar.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}
