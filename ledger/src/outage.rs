//! Why something waits, for whoever shows it.

use std::sync::{Mutex, PoisonError};

/// Set by who waits for a server, read by whoever is asked.
#[derive(Debug, Default)]
pub struct Outage(Mutex<Option<String>>);

impl Outage {
    /// It waits, and why.
    pub fn begin(&self, why: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.into());
    }

    /// It works.
    pub fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why it waits now; `None` where it does not.
    pub fn why(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
