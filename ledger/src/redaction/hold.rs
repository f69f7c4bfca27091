//! Holds: orders to keep data, whatever its retention class says.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Spot;
use crate::record::Header;

/// What is held: all that fits every member given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Events of this kind.
    pub kind: Option<String>,
    /// Events of the entity with this identifier.
    pub id: Option<String>,
    /// Recorded from then on, in µs.
    pub from_us: Option<i64>,
    /// Recorded until then, in µs.
    pub to_us: Option<i64>,
    /// The causes of this incident.
    pub incident: Option<String>,
}

/// An order to keep data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its identifier.
    pub hold: String,
    /// The position that placed it.
    pub placed: u64,
    /// When that was recorded, in µs.
    pub recorded_us: i64,
    /// Who placed it; empty where nobody was named.
    pub actor: String,
    /// What it covers.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// The position that released it.
    pub released: Option<u64>,
}

impl Hold {
    /// Whether it is in force at a position: placed before it, and not released before it.
    pub(crate) fn is_in_force(&self, at: u64) -> bool {
        self.placed < at && self.released.is_none_or(|released| released > at)
    }
}

/// All holds of a chain, and the causes of its incidents.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    holds: Vec<Hold>,
    /// By incident: each cause, and the position of the event that says so.
    causes: BTreeMap<String, BTreeMap<u64, u64>>,
}

#[derive(Deserialize)]
struct Placed {
    #[serde(default)]
    scope: Scope,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct Caused {
    incident: String,
    #[serde(default)]
    causes: Vec<u64>,
    cause_seq: Option<u64>,
}

impl Holds {
    /// Every hold, in the order in which they were placed.
    pub fn all(&self) -> &[Hold] {
        &self.holds
    }

    /// The first hold that covers a position's data and is in force at another position.
    pub fn at(&self, spot: &Spot<'_>, at: u64) -> Option<&Hold> {
        let mut holds = self.holds.iter();
        holds.find(|hold| hold.is_in_force(at) && self.covers(&hold.scope, spot, at))
    }

    /// The first hold that covers a position's data and is not released.
    pub fn now(&self, spot: &Spot<'_>) -> Option<&Hold> {
        self.at(spot, u64::MAX)
    }

    /// Whether a scope has a position, by what is known before another one.
    fn covers(&self, scope: &Scope, spot: &Spot<'_>, at: u64) -> bool {
        let fits = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        let in_incident = scope.incident.as_ref().is_none_or(|incident| {
            let said = self
                .causes
                .get(incident)
                .and_then(|causes| causes.get(&spot.seq));
            said.is_some_and(|said| *said < at)
        });
        fits(&scope.kind, spot.kind)
            && fits(&scope.id, spot.id)
            && scope.from_us.is_none_or(|from| spot.recorded_us >= from)
            && scope.to_us.is_none_or(|to| spot.recorded_us <= to)
            && in_incident
    }

    /// Takes in an event of a type without version.
    pub(super) fn read(&mut self, event_type: &str, header: &Header, data: &[u8]) {
        match event_type {
            "ledger.hold.placed" => {
                let Ok(placed) = serde_json::from_slice::<Placed>(data) else {
                    return;
                };
                self.holds.push(Hold {
                    hold: header.subject.clone(),
                    placed: header.seq,
                    recorded_us: header.recorded_us,
                    actor: header.actor.clone(),
                    scope: placed.scope,
                    reason: placed.reason,
                    released: None,
                });
            }
            "ledger.hold.released" => {
                let open =
                    |hold: &&mut Hold| hold.released.is_none() && hold.hold == header.subject;
                for hold in self.holds.iter_mut().filter(open) {
                    hold.released = Some(header.seq);
                }
            }
            "ledger.incident.opened" | "ledger.incident.cause_added"
                if header.publisher == "ledger" =>
            {
                let Ok(incident) = serde_json::from_slice::<Caused>(data) else {
                    return;
                };
                let causes = self.causes.entry(incident.incident).or_default();
                for cause in incident.causes.into_iter().chain(incident.cause_seq) {
                    causes.entry(cause).or_insert(header.seq);
                }
            }
            _ => {}
        }
    }
}
