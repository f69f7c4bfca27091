//! Packing a bundle: `.tar.zst`, the small files first.

use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
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
/// `modified_s`, in seconds since the Unix epoch, is every file's time.
pub(super) fn pack(
    folder: &Path,
    draft: &Path,
    target: &Path,
    modified_s: u64,
) -> Result<(), BundleError> {
    let packed = write(folder, draft, modified_s).map_err(failed(draft, "written"));
    let named = packed.and_then(|()| fs::rename(draft, target).map_err(failed(target, "made")));
    if named.is_err() {
        let _ = fs::remove_file(draft);
    }
    named
}

fn write(folder: &Path, draft: &Path, modified_s: u64) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(File::create_new(draft)?, LEVEL)?;
    encoder.include_checksum(true)?;
    let mut tar = tar::Builder::new(encoder);
    for name in ORDER {
        let file = match File::open(folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut header = tar::Header::new_ustar();
        header.set_size(file.metadata()?.len());
        header.set_mode(0o644);
        header.set_mtime(modified_s);
        tar.append_data(&mut header, name, BufReader::with_capacity(1 << 18, file))?;
    }
    let mut file = tar.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}
