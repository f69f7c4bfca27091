//! A child process that does not outlive its value.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to become ready or to stop. Generous: two cores may be busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Sends a signal to a child, by its process id.
pub fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // The process may have ended a moment ago; that is what was wanted.
        let _ = kill_process(pid, signal);
    }
}

/// Asks a child to end by `gently`, waits, and kills it when it does not.
pub fn end(child: &mut Child, gently: Signal) {
    signal(child, gently);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The process of a server, while it runs.
#[derive(Debug, Default)]
pub struct Running(pub Option<Child>);

impl Running {
    /// Asks it to end, where it runs.
    pub fn stop(&mut self, gently: Signal) {
        if let Some(mut child) = self.0.take() {
            end(&mut child, gently);
        }
    }

    /// Kills it outright, where it runs, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("the server was ours");
        }
    }
}

/// The log in a server's folder, to be written to.
pub fn log(folder: &Path) -> File {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"));
    log.expect("the server's log can be written")
}

/// What the log says.
pub fn logged(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// Keeps a copy of what is in a folder of a server.
pub fn save(folder: &Path, data: &str) {
    copy(&folder.join(data), &folder.join("saved"));
}

/// Puts the copy that was kept in its place.
pub fn roll_back(folder: &Path, data: &str) {
    copy(&folder.join("saved"), &folder.join(data));
}

/// Puts a copy of a folder in the place of another.
pub fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let copied = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .arg(from)
        .arg(to)
        .status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "copying {} failed",
        from.display()
    );
}
