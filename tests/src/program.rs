//! The program `ledger`: built once, run to its end or beside the test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command as Blocking, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::binaries;
use crate::process::PATIENCE;

/// The built program: `$LEDGER_BIN`, or what cargo builds now in this test's own profile.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("LEDGER_BIN") {
            return PathBuf::from(path);
        }
        let built = Blocking::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "ops", "--bin", "ledger"])
            .current_dir(binaries::checkout())
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the program does not build"
        );
        // <target>/debug/deps/<this test> -> <target>/debug/ledger
        let test = std::env::current_exe().expect("a test knows its own path");
        let profile = test.ancestors().nth(2).expect("a test lies in deps/");
        profile.join("ledger")
    })
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 where it was ended by a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Asserts the exit code.
    #[track_caller]
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often the assertion is all that is wanted"
    )]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| {
            panic!("not JSON ({error}):\n{}\nstderr:\n{}", self.out, self.err)
        })
    }

    /// Standard output as a list of JSON objects.
    #[track_caller]
    pub fn list(&self) -> Vec<Value> {
        match self.json() {
            Value::Array(items) => items,
            other => panic!("not a list: {other}"),
        }
    }
}

/// A running `ledger serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Serving {
    pub(crate) child: Child,
}

impl Serving {
    /// `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// SIGTERM; gives the exit code.
    pub async fn stop(mut self) -> i32 {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        self.exits().await
    }

    /// Waits for it to end by itself; gives the exit code.
    pub async fn exits(&mut self) -> i32 {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        status
            .expect("it ends in time")
            .expect("it was ours")
            .code()
            .unwrap_or(-1)
    }
}

/// What a command can be told.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP.
    Hangup,
}

/// A command that runs, with pipes for what it prints. Dropping it kills it.
#[derive(Debug)]
pub struct Begun {
    child: Child,
    printed: Vec<u8>,
}

impl Begun {
    pub(crate) fn new(child: Child) -> Self {
        let printed = Vec::new();
        Self { child, printed }
    }

    /// Waits until it has printed so many lines.
    pub async fn prints(&mut self, lines: usize) {
        let out = self.child.stdout.as_mut().expect("piped");
        let read = async {
            while String::from_utf8_lossy(&self.printed).lines().count() < lines
                || !self.printed.ends_with(b"\n")
            {
                let byte = out.read_u8().await.expect("it prints more");
                self.printed.push(byte);
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("it prints in time");
    }

    /// Sends the signal, and waits for the end.
    pub async fn tell(self, told: Told) -> Ran {
        let signal = match told {
            Told::Interrupt => Signal::INT,
            Told::Terminate => Signal::TERM,
            Told::Hangup => Signal::HUP,
        };
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok())
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = kill_process(pid, signal);
        }
        let ran = ended(self.child, PATIENCE * 2).await;
        let out = String::from_utf8_lossy(&self.printed) + ran.out.as_str();
        Ran {
            out: out.into_owned(),
            ..ran
        }
    }
}

/// What a command printed until its end, and its exit code.
async fn ended(child: Child, limit: Duration) -> Ran {
    let output = tokio::time::timeout(limit, child.wait_with_output()).await;
    let output = output
        .expect("the command ends in time")
        .expect("its output can be read");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a command to its end with this on its standard input.
pub(crate) async fn finish(command: &mut Command, input: &str) -> Ran {
    finish_within(command, input, PATIENCE * 2).await
}

/// The same for one that may take long.
pub(crate) async fn finish_within(command: &mut Command, input: &str, limit: Duration) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut stdin = child.stdin.take().expect("piped");
    let written = async {
        // A command may end without reading all of it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
    };
    tokio::join!(written, ended(child, limit)).1
}

/// Runs the program in a folder, with a configuration and with this on its standard input.
pub async fn run_in(folder: &Path, config: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env("LEDGER_CONFIG", config)
        .current_dir(folder)
        .kill_on_drop(true);
    finish(&mut command, input).await
}

/// Runs the program without any installation.
pub async fn run_alone<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Ran {
    let empty = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .current_dir(empty.path())
        .kill_on_drop(true);
    finish(&mut command, "").await
}

/// Waits for something to become true, and says what it was where it does not.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
