//! The one folder of `ledger up`: where it lies, who holds it, what it contains.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::account::Account;
use crate::app;
use crate::exit::{Context, Failure};

/// Where the data lie when the database's user cannot enter the folder that was asked for.
const ELSEWHERE: &str = "/var/lib/ledger";

/// The data folder, held by this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    // Held, never read: the lock goes with the process, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it does not exist and takes hold of it. `told` receives what the user should know.
    pub fn take(
        wanted: &Path,
        account: Option<&Account>,
        told: &dyn Fn(&str),
    ) -> Result<Self, Failure> {
        let wanted = std::path::absolute(wanted)
            .context(format!("cannot find the folder {}", wanted.display()))?;
        is_folder(&wanted)?;
        if let Some(account) = account {
            make_reachable(&wanted, account, told)?;
        }
        make(&wanted)?;
        let path = wanted
            .canonicalize()
            .context(format!("cannot open {}", wanted.display()))?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The path, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A place in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Refuses a path that leads over something that is there and is no folder.
fn is_folder(wanted: &Path) -> Result<(), Failure> {
    let no_folder = |path: &&Path| fs::metadata(path).is_ok_and(|found| !found.is_dir());
    match wanted.ancestors().find(no_folder) {
        None => Ok(()),
        Some(found) => Err(Failure::usage(format!("{} is no folder", found.display()))
            .mend("choose another folder with --data")),
    }
}

/// The database's user must be able to enter every folder on the way. Where it cannot, a folder that does
/// not exist yet becomes a link to one that it can.
fn make_reachable(wanted: &Path, account: &Account, told: &dyn Fn(&str)) -> Result<(), Failure> {
    let real = wanted.canonicalize().unwrap_or_else(|_| wanted.to_owned());
    if real.is_dir() {
        make(&real)?;
    }
    let Some(barrier) = account.barred_from(&real) else {
        return Ok(());
    };
    if fs::symlink_metadata(wanted).is_ok() {
        return Err(Failure::new(format!(
            "PostgreSQL runs as the user {}, which may not enter {}, a folder above {}",
            account.name,
            barrier.display(),
            wanted.display()
        ))
        .mend(format!(
            "choose another folder with --data, or: chmod o+x {}",
            barrier.display()
        )));
    }
    let mut tag = [0; 4];
    app::random(&mut tag)?;
    let place = Path::new(ELSEWHERE).join(format!("up-{}", hex::encode(tag)));
    make(Path::new(ELSEWHERE))?;
    make(&place)?;
    if let Some(parent) = wanted.parent() {
        fs::create_dir_all(parent).context(format!("cannot make {}", parent.display()))?;
    }
    symlink(&place, wanted).context(format!(
        "cannot make {} a link to {}",
        wanted.display(),
        place.display()
    ))?;
    told(&format!(
        "the user {} may not enter {}: the data are in {}, and {} is a link to it",
        account.name,
        barrier.display(),
        place.display(),
        wanted.display()
    ));
    Ok(())
}

/// Others may pass through, to the socket, and see nothing: what is secret has modes of its own.
fn make(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o711)))
        .context(format!("cannot make the folder {}", path.display()))
}

/// One `ledger up` a folder. The kernel drops the lock with the process, also when it is killed.
fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.join("up.lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .context(format!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        return Err(Failure::new(format!(
            "ledger up is already running in {} as process {}",
            folder.display(),
            holder.trim()
        ))
        .mend(format!(
            "stop it with: kill {}; or choose another folder with --data",
            holder.trim()
        )));
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .context(format!("cannot write {}", path.display()))?;
    Ok(file)
}

/// Writes a file that only its owner may read; it appears whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let what = || format!("cannot write {}", path.display());
    let beside = path.with_extension("new");
    // A leftover may have another mode, and `mode` counts only for a file that is made.
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .context(what())?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .context(what())?;
    fs::rename(&beside, path).context(what())
}

/// The last lines of a server's log, for a message about why it stopped. Processes of an earlier server that end only now
/// write there as well: what the process with this number said counts alone, where it said anything.
pub fn last_lines(log: &Path, process: Option<u32>) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mark = process.map(|number| format!("[{number}]"));
    let own = |line: &str| {
        mark.as_ref()
            .is_some_and(|mark| line.contains(mark.as_str()))
    };
    let all = || text.lines().rev();
    let said = all().any(own);
    let lines: Vec<&str> = all().filter(|line| !said || own(line)).take(8).collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| {
            [
                "
    ", line,
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_the_server_s_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("postgres.log");
        let dying = "16:17:05 UTC [41] FATAL:  terminating connection\n".repeat(20);
        let text = format!("16:17:04 UTC [42] FATAL:  pre-existing shared memory block\n{dying}");
        fs::write(&log, text).expect("written");
        assert!(last_lines(&log, Some(42)).ends_with("shared memory block"));
        assert!(!last_lines(&log, Some(42)).contains("terminating"));
        assert_eq!(last_lines(&log, Some(43)).matches("[41]").count(), 8);
        assert_eq!(last_lines(&log, None).matches("[41]").count(), 8);
    }

    #[test]
    fn what_is_no_folder_holds_no_data() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        for wanted in [&file, &file.join("deeper/still")] {
            let said = is_folder(wanted).expect_err("refused").render();
            assert!(
                said.starts_with(&format!("{} is no folder", file.display())),
                "{said}"
            );
        }
        assert!(is_folder(&folder.path().join("not/there/yet")).is_ok());
    }
}
