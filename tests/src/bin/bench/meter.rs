//! What a measurement costs apart from time: processor time by program, and the bytes that PostgreSQL logged.
//!
//! Time alone says little on a machine that does other things as well; these figures hardly depend on them.

use std::collections::BTreeMap;
use std::fs;

use tokio_postgres::Client;

/// Processor seconds of the programs that the bench started, by name, since each was started.
pub struct Meter {
    cpu: BTreeMap<&'static str, f64>,
    wal: i64,
}

/// The programs whose time is counted.
const PROGRAMS: [&str; 3] = ["ledger", "postgres", "nats-server"];
/// `/proc` counts in hundredths of a second (`USER_HZ`, the same on every Linux).
const TICK: f64 = 0.01;

/// What one event cost.
#[derive(Debug)]
pub struct Spent {
    /// Processor time in µs, by program.
    pub cpu_us: BTreeMap<&'static str, f64>,
    /// Bytes of write-ahead log.
    pub wal_bytes: f64,
}

impl Meter {
    /// Begins to count, after what came before was put in order: what it left to do for autovacuum would be done when
    /// PostgreSQL likes, in the middle of what is measured next.
    pub async fn start(admin: &Client) -> Self {
        let settled = admin.batch_execute("VACUUM (ANALYZE)").await;
        settled.expect("vacuumed");
        Self {
            cpu: cpu(),
            wal: wal(admin).await,
        }
    }

    /// What was spent since the start, divided by a number of events.
    pub async fn stop(self, admin: &Client, events: usize) -> Spent {
        let each = |amount: f64| amount / events as f64;
        let now = cpu();
        let since = |(name, seconds): (&'static str, f64)| {
            let before = self.cpu.get(name).copied().unwrap_or(0.0);
            (name, each((seconds - before) * 1e6))
        };
        Spent {
            cpu_us: now.into_iter().map(since).collect(),
            wal_bytes: each((wal(admin).await - self.wal) as f64),
        }
    }
}

async fn wal(admin: &Client) -> i64 {
    let row = admin
        .query_one("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint", &[])
        .await;
    row.expect("a place in the log").get(0)
}

/// One line of `/proc/PID/stat`.
struct Stat {
    pid: u32,
    parent: u32,
    name: String,
    own: f64,
    /// Of the children that have ended.
    ended: f64,
}

fn stat(pid: &str) -> Option<Stat> {
    // `self` and `thread-self` are names of processes that are listed by their numbers as well.
    let _: u32 = pid.parse().ok()?;
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything: what follows begins behind the last one.
    let (front, rest) = text.rsplit_once(") ")?;
    let (pid, name) = front.split_once(" (")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some(Stat {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        name: name.to_owned(),
        own: (number(11)? + number(12)?) * TICK,
        ended: (number(13)? + number(14)?) * TICK,
    })
}

/// The time of all living descendants by name; of those that have ended, what their parents keep.
fn cpu() -> BTreeMap<&'static str, f64> {
    let processes: Vec<Stat> = fs::read_dir("/proc")
        .expect("/proc is mounted")
        .filter_map(|entry| stat(entry.ok()?.file_name().to_str()?))
        .collect();
    let parents: BTreeMap<u32, u32> = processes.iter().map(|one| (one.pid, one.parent)).collect();
    let us = std::process::id();
    let is_ours = |mut pid: u32| {
        while let Some(&parent) = parents.get(&pid) {
            if parent == us {
                return true;
            }
            pid = parent;
        }
        false
    };
    let mut cpu: BTreeMap<_, _> = PROGRAMS.iter().map(|&name| (name, 0.0)).collect();
    for one in &processes {
        if one.pid == us {
            // Runs of the program that have ended.
            *cpu.entry("ledger").or_default() += one.ended;
        } else if let Some(&name) = PROGRAMS.iter().find(|name| **name == one.name)
            && is_ours(one.pid)
        {
            *cpu.entry(name).or_default() += one.own + one.ended;
        }
    }
    cpu
}
