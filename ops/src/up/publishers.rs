//! Who may publish: a NATS user a publisher, who may publish below its own name and hear its own answers alone.
//!
//! Their passwords lie in a folder, a file each; the folder is the list. The server's users stand in a file that its
//! configuration includes, so that one more is a new file and a signal, and nobody else is cut off.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};
use schema::{LedgerName, Name};

use super::folder::write_private;
use super::process;
use crate::app;
use crate::exit::{Context, Failure};

/// The publisher that nobody else may be.
const RESERVED: &str = "ledger";
const PASSWORD: &str = "password";

/// The NATS server's files in a data folder of `ledger up`.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// Those below the data folder.
    pub fn of(data: &Path) -> Self {
        Self {
            folder: data.join("nats"),
        }
    }

    /// The configuration that the server is started with.
    pub fn config(&self) -> PathBuf {
        self.folder.join("nats.conf")
    }

    /// The file with the ledger's own password.
    pub fn ledger_password(&self) -> PathBuf {
        self.folder.join("ledger.password")
    }

    fn publishers(&self) -> PathBuf {
        self.folder.join("publishers")
    }

    /// The file with a publisher's password.
    pub fn password_of(&self, publisher: &Name) -> PathBuf {
        password_file(&self.publishers(), publisher)
    }

    /// Every publisher, in order of name.
    pub fn list(&self) -> Result<Vec<Name>, Failure> {
        let folder = self.publishers();
        let what = || format!("cannot list {}", folder.display());
        let mut names = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(Failure::new(what()).because(error)),
        };
        for entry in entries {
            let path = entry.context(what())?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_some_and(|end| end == PASSWORD)
                && let Some(name) = name.and_then(|name| Name::new(name).ok())
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Makes passwords for those who have none, and says who they were.
    pub fn add(&self, names: &[Name]) -> Result<Vec<Name>, Failure> {
        if names.iter().any(|name| name.as_str() == RESERVED) {
            return Err(
                Failure::usage("the publisher `ledger` is the ledger itself")
                    .mend("choose another name for a tool"),
            );
        }
        let folder = super::postgres::own_folder(&self.publishers(), None)?;
        let mut added = Vec::new();
        for name in names {
            let file = password_file(&folder, name);
            if !file.exists() {
                added.push(name.clone());
            }
            password(&file)?;
        }
        Ok(added)
    }

    /// Deletes the publisher's password; false where there was none.
    pub fn remove(&self, publisher: &Name) -> Result<bool, Failure> {
        let file = self.password_of(publisher);
        match fs::remove_file(&file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => {
                Err(Failure::new(format!("cannot delete {}", file.display())).because(error))
            }
        }
    }

    /// Writes the server's users: the ledger and every publisher.
    pub fn write_users(&self, ledger: &LedgerName) -> Result<(), Failure> {
        let ours = password(&self.ledger_password())?;
        let mut users = format!("    {{ user: \"ledger\", password: \"{ours}\" }}\n");
        for name in self.list()? {
            let theirs = password(&self.password_of(&name))?;
            users.push_str(&user(ledger, &name, &theirs));
        }
        let text =
            format!("# Written by `ledger up` and `ledger publishers`.\nusers: [\n{users}]\n");
        write_private(&self.folder.join("users.conf"), &text)
    }

    /// Lets a running server read its users anew; false where none runs.
    pub fn reload(&self) -> bool {
        let argument = self.config().to_string_lossy().into_owned();
        let ours = |pid: Pid| process::has_argument(pid, &argument);
        let running = process::left_over(&self.folder.join("nats.pid"), ours);
        running.is_some_and(|pid| rustix::process::kill_process(pid, Signal::HUP).is_ok())
    }
}

/// The file of a publisher's password in a folder of them.
pub fn password_file(folder: &Path, publisher: &Name) -> PathBuf {
    folder.join(format!("{publisher}.{PASSWORD}"))
}

/// A publisher as NATS's configuration describes a user. What is not allowed here is refused: another's subjects, the
/// `JetStream` API, other people's answers.
pub fn user(ledger: &LedgerName, publisher: &Name, password: &str) -> String {
    format!(
        r#"    {{ user: "{publisher}", password: "{password}", permissions: {{
        publish: {{ allow: ["ledger.{ledger}.ingest.{publisher}.*.*.*"] }}
        subscribe: {{ allow: ["{inbox}.>", "ledger.{ledger}.event.{publisher}.>", "ledger.{ledger}.quarantine.{publisher}"] }}
    }} }}
"#,
        inbox = inbox(publisher),
    )
}

/// What the subjects of a publisher's answers begin with.
pub fn inbox(publisher: &Name) -> String {
    format!("_INBOX.{publisher}")
}

/// The password in the file, made when there is none.
pub fn password(file: &Path) -> Result<String, Failure> {
    if let Ok(text) = fs::read_to_string(file)
        && !text.trim().is_empty()
    {
        return Ok(text.trim().to_owned());
    }
    let mut bytes = [0; 24];
    app::random(&mut bytes)?;
    let text = hex::encode(bytes);
    write_private(file, &format!("{text}\n"))?;
    Ok(text)
}
