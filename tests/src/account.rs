//! Whom the database server runs as.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Who runs the server: PostgreSQL refuses to run as root.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account `postgres` when we are root, else nobody in particular (our own).
    pub fn needed() -> Option<Self> {
        let ours = fs::metadata("/proc/self").expect("/proc is mounted").uid();
        if ours != 0 {
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
        let fields = passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.first() == Some(&"postgres"))
            .expect("running as root needs an account `postgres`: run ops/install");
        let number = |at: usize| fields.get(at).and_then(|text| text.parse().ok());
        Some(Self {
            uid: number(2).expect("/etc/passwd names the uid of postgres"),
            gid: number(3).expect("/etc/passwd names the gid of postgres"),
        })
    }

    /// Gives a folder to the account, where there is one.
    pub fn own(account: Option<Self>, path: &Path) {
        if let Some(account) = account {
            chown(path, Some(account.uid), Some(account.gid)).expect("root may give a folder away");
        }
    }

    /// A program that runs as the account, where there is one.
    pub fn command(account: Option<Self>, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir("/")
            .env_remove("PGDATA")
            .env_remove("PGPORT")
            .stdin(Stdio::null());
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }
}
