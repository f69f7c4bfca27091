//! Who does what and how it stands: what `/readyz` and the metrics say.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Role;

/// How a role stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// On its way to work.
    Starting,
    /// At work.
    Running,
    /// Another process has the role; this one is ready to take it over.
    Standby,
    /// A server is away; it goes on by itself.
    Waiting,
    /// Stopped by something that somebody must mend.
    Failed,
    /// Told to stop.
    Stopped,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::Running,
        Self::Standby,
        Self::Waiting,
        Self::Failed,
        Self::Stopped,
    ];

    /// The standing's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Standby => "standby",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// Whether a process whose roles stand so is ready.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Running | Self::Standby)
    }
}

/// The roles of this process.
#[derive(Debug, Default)]
pub struct Board {
    roles: Mutex<BTreeMap<Role, (Standing, String)>>,
    failures: Mutex<BTreeMap<Role, u64>>,
}

impl Board {
    /// Notes how a role stands, and why.
    pub fn set(&self, role: Role, standing: Standing, why: &str) {
        if standing == Standing::Failed {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            *failures.entry(role).or_default() += 1;
        }
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        roles.insert(role, (standing, why.to_owned()));
    }

    /// How often a role of this process has failed.
    pub fn failures(&self, role: Role) -> u64 {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(&role).copied().unwrap_or_default()
    }

    /// How a role of this process stands.
    pub fn standing(&self, role: Role) -> Option<Standing> {
        let roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        roles.get(&role).map(|(standing, _)| *standing)
    }

    /// How every role of this process stands, and why.
    pub fn all(&self) -> BTreeMap<Role, (Standing, String)> {
        self.roles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
