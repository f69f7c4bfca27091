//! As whom PostgreSQL runs: it refuses to run as root.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::exit::{Context, Failure};

/// Who runs the database server when we are root, the first that exists.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

/// The account that PostgreSQL must run as, or `None` where it may run as ourselves.
pub fn needed() -> Result<Option<Account>, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let found = CANDIDATES.iter().find_map(|name| find(&passwd, name));
    found.map(Some).ok_or_else(|| {
        Failure::new("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
            .mend("adduser --system postgres, or run ledger up as another user")
    })
}

fn find(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        Some(Account {
            name: name.to_owned(),
            uid: fields.nth(1)?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    })
}

impl Account {
    /// Gives a file or a folder to the account.
    pub fn own(&self, path: &Path) -> Result<(), Failure> {
        chown(path, Some(self.uid), Some(self.gid)).context(format!(
            "cannot give {} to the user {}",
            path.display(),
            self.name
        ))
    }

    /// The first folder on the way to `path` that the account may not enter.
    pub fn barred_from(&self, path: &Path) -> Option<PathBuf> {
        let mut folders: Vec<&Path> = path.ancestors().collect();
        folders.reverse();
        folders
            .into_iter()
            .find(|folder| fs::metadata(folder).is_ok_and(|found| !self.may_enter(&found)))
            .map(Path::to_owned)
    }

    fn may_enter(&self, folder: &Metadata) -> bool {
        let mode = folder.permissions().mode();
        let bit = if folder.uid() == self.uid {
            0o100
        } else if folder.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_their_whole_name() {
        let passwd = "post:x:1:2::/:/bin/sh\npostgres:x:101:104:x:/var/lib:/bin/bash\n";
        let account = find(passwd, "postgres").expect("there");
        assert_eq!((account.uid, account.gid), (101, 104));
        assert_eq!(find(passwd, "nobody"), None);
    }

    #[test]
    fn a_private_folder_bars_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let stranger = Account {
            name: "stranger".to_owned(),
            uid: 4_000_000,
            gid: 4_000_000,
        };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("ours");
        let inner = folder.path().join("not/there/yet");
        assert_eq!(stranger.barred_from(&inner).as_deref(), Some(folder.path()));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("ours");
        assert_eq!(stranger.barred_from(&inner), None);
    }
}
