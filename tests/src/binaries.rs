//! Where the servers' programs are. They are found, never installed: `ops/install` does that.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

/// The newest folder of PostgreSQL programs: `$LEDGER_POSTGRES_BIN`, Debian's folders, or that of `postgres` on the PATH.
pub fn postgres_bin() -> PathBuf {
    if let Some(dir) = env::var_os("LEDGER_POSTGRES_BIN") {
        return PathBuf::from(dir);
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, dir)| dir.join("postgres").is_file())
        .collect();
    versions.sort();
    versions
        .pop()
        .map(|(_, dir)| dir)
        .or_else(|| on_path("postgres")?.canonicalize().ok()?.parent().map(Path::to_path_buf))
        .expect("no PostgreSQL server found: run ops/install, or name its folder in LEDGER_POSTGRES_BIN")
}

/// The NATS server: `$LEDGER_NATS_SERVER`, the checkout's `.deps/bin/nats-server`, or `nats-server` on the PATH.
pub fn nats_server() -> PathBuf {
    if let Some(path) = env::var_os("LEDGER_NATS_SERVER") {
        return PathBuf::from(path);
    }
    let local = checkout().join(".deps/bin/nats-server");
    if local.is_file() {
        return local;
    }
    on_path("nats-server")
        .or_else(|| Some(PathBuf::from("/usr/sbin/nats-server")).filter(|path| path.is_file()))
        .expect("no nats-server found: run ops/install, or name it in LEDGER_NATS_SERVER")
}
