//! A child process that does not outlive its value.

use std::fs;
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
