//! Being told to stop: SIGTERM, SIGINT, and SIGHUP where nobody asked to ignore it; once politely.

use std::time::Duration;

use tokio::signal::unix::{self, SignalKind};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::exit::{Context, Exit, Failure};
use crate::output;

/// One Ctrl-C may arrive twice, from the terminal and from a script around us. Only a later one is impatience.
const ONE_WISH: Duration = Duration::from_millis(500);

/// What told us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The terminal is gone.
    Hangup,
    /// Ctrl-C.
    Interrupt,
    /// `kill`, a supervisor, a shutdown.
    Terminate,
}

impl Sign {
    /// The signal's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// What a shell makes of a program that the signal ended: 128 and the signal's number.
    pub fn code(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Whether a command was told to stop.
#[derive(Debug, Clone)]
pub struct Told(watch::Receiver<Option<Sign>>);

impl Told {
    /// Listens from now on. A second Ctrl-C ends the process at once.
    pub fn listen() -> Result<Self, Failure> {
        let (tell, told) = watch::channel(None);
        on_first(move |sign| {
            tell.send_replace(Some(sign));
            tell
        })?;
        Ok(Self(told))
    }

    /// By what, if it was.
    pub fn sign(&self) -> Option<Sign> {
        *self.0.borrow()
    }

    /// Waits for it.
    pub async fn wait(&mut self) -> Sign {
        let told = self.0.wait_for(Option::is_some).await;
        match told.ok().and_then(|sign| *sign) {
            Some(sign) => sign,
            // Nobody listens any more: the process is ending.
            None => std::future::pending().await,
        }
    }
}

/// A receiver that turns true on the first signal, and what else may turn it. A second Ctrl-C ends the process at once.
pub fn on_signal() -> Result<(watch::Sender<bool>, watch::Receiver<bool>), Failure> {
    let (tell, told) = watch::channel(false);
    let teller = tell.clone();
    on_first(move |_| {
        output::say("ledger: stopping; the batch in hand is finished first");
        teller.send_replace(true);
    })?;
    Ok((tell, told))
}

/// Does this on the first signal, and keeps what it gives; ends the process on a Ctrl-C after it.
fn on_first<T: Send + 'static>(
    act: impl FnOnce(Sign) -> T + Send + 'static,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    tokio::spawn(async move {
        let _kept = act(signals.next().await);
        let first = Instant::now();
        loop {
            if signals.next().await == Sign::Interrupt && first.elapsed() > ONE_WISH {
                output::say("ledger: ended at once, before all was put away");
                std::process::exit(i32::from(Exit::Told(Sign::Interrupt).code()));
            }
        }
    });
    Ok(())
}

struct Signals {
    hangup: Option<unix::Signal>,
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let hear = |kind, name| unix::signal(kind).context(format!("cannot listen for {name}"));
        Ok(Self {
            // `nohup` means it: whoever ignores the signal shall go on without a terminal.
            hangup: (!ignores_hangup())
                .then(|| hear(SignalKind::hangup(), "SIGHUP"))
                .transpose()?,
            interrupt: hear(SignalKind::interrupt(), "SIGINT")?,
            terminate: hear(SignalKind::terminate(), "SIGTERM")?,
        })
    }

    async fn next(&mut self) -> Sign {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => Sign::Hangup,
            _ = self.interrupt.recv() => Sign::Interrupt,
            _ = self.terminate.recv() => Sign::Terminate,
        }
    }
}

/// Whether this process was started with SIGHUP ignored: the lowest bit of `SigIgn` in proc(5).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}
