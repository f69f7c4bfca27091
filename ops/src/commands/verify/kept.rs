//! `ledger verify --against`: signed heads that somebody kept from before, in a file of their own or in a bundle.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ledger::bundle::Events;
use ledger::checkpoint::Checkpoint;

use crate::exit::Failure;

/// A signed head has some hundred bytes, and as many for each witness.
const LONGEST_BYTES: u64 = 1 << 20;

/// The heads at these paths, in the order in which they were named; their signatures are not looked at yet.
pub fn heads(paths: &[PathBuf]) -> Result<Vec<String>, Failure> {
    paths.iter().map(|path| head(path)).collect()
}

fn head(path: &Path) -> Result<String, Failure> {
    let wrong = || format!("--against {}: no signed head can be read", path.display());
    let named = || {
        Failure::usage(wrong()).mend(
            "name a file that `ledger checkpoint` printed, or a bundle, a folder or a .tar.zst",
        )
    };
    let packed = path.to_string_lossy().ends_with(".tar.zst");
    let note = if path.is_dir() || packed {
        let events = Events::open(path).map_err(|error| named().because(error))?;
        events.checkpoint
    } else {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LONGEST_BYTES).read_to_end(&mut bytes))
            .map_err(|error| named().because(error))?;
        String::from_utf8(bytes).map_err(|error| named().because(error))?
    };
    Checkpoint::parse_note(note.as_bytes()).map_err(|error| named().because(error))?;
    Ok(note)
}
