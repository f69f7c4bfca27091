//! Processes that we started: whether they still run, and how they are stopped.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time::{Instant, sleep};

use crate::exit::Failure;

/// How long a server may take to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// The process in a pid file if it still runs and `is_ours` recognises it. A number alone proves nothing:
/// after a restart of the machine it may be anybody's.
pub fn left_over(pid_file: &Path, is_ours: impl Fn(Pid) -> bool) -> Option<Pid> {
    let text = fs::read_to_string(pid_file).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?)?;
    is_ours(pid).then_some(pid)
}

/// Whether the process's program has this file name.
pub fn runs(pid: Pid, name: &str) -> bool {
    let command = fs::read(proc(pid, "cmdline")).unwrap_or_default();
    let program = command.split(|byte| *byte == 0).next().unwrap_or_default();
    Path::new(&*String::from_utf8_lossy(program))
        .file_name()
        .is_some_and(|found| found == name)
}

/// Whether one of the process's arguments is this.
pub fn has_argument(pid: Pid, argument: &str) -> bool {
    let command = fs::read(proc(pid, "cmdline")).unwrap_or_default();
    command
        .split(|byte| *byte == 0)
        .any(|found| found == argument.as_bytes())
}

/// Tells the process to stop and waits until it is gone.
pub async fn stop(pid: Pid, signal: Signal, name: &str) -> Result<(), Failure> {
    let _ = rustix::process::kill_process(pid, signal);
    let until = Instant::now() + PATIENCE;
    while is_alive(pid) {
        if Instant::now() > until {
            return Err(Failure::new(format!(
                "{name}, process {}, does not stop",
                pid.as_raw_nonzero()
            ))
            .mend(format!(
                "look why in its log, then: kill -9 {}",
                pid.as_raw_nonzero()
            )));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A zombie has ended; whoever started it has not asked yet.
fn is_alive(pid: Pid) -> bool {
    fs::read_to_string(proc(pid, "stat")).is_ok_and(|stat| {
        let state = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.trim_start().chars().next());
        state != Some(Some('Z'))
    })
}

fn proc(pid: Pid, file: &str) -> String {
    format!("/proc/{}/{file}", pid.as_raw_nonzero())
}
