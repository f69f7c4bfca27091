//! Ports for what is started by its number.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

/// Below those that the system gives out by itself, so that no connection of anybody takes one between.
const RANGE: std::ops::Range<u16> = 20_000..30_000;

/// The locks of the ports that this process has given out: they end with it.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that nobody listens on, and that no other test is given while this process lives.
pub fn free_port() -> u16 {
    let ours = fs::metadata("/proc/self").expect("/proc is mounted").uid();
    let folder = std::env::temp_dir().join(format!("ledger-tests-ports-{ours}"));
    fs::create_dir_all(&folder).expect("the folder of locks can be made");
    let length = RANGE.end - RANGE.start;
    // Tests begin at different places, or they would all try the same ports first.
    let start = u16::try_from(std::process::id() % u32::from(length) / 16 * 16).unwrap_or(0);
    let ports = (0..length).map(|step| RANGE.start + (start + step) % length);
    for port in ports {
        let lock = File::create(folder.join(port.to_string()));
        let free = || TcpListener::bind(("127.0.0.1", port)).is_ok();
        if let Ok(lock) = lock
            && lock.try_lock().is_ok()
            && free()
        {
            HELD.lock().expect("no test panics here").push(lock);
            return port;
        }
    }
    panic!("no port between {} and {} is free", RANGE.start, RANGE.end);
}
