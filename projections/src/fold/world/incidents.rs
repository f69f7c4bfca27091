//! Incidents: the last of each class about an entity, and what changed of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use super::World;
use crate::entity::{Key, KeyRef};
use crate::fold::changes::Changes;
use crate::incident::Incident;

impl World {
    /// Whom open incidents may be about that an activation drops; they were asked for.
    pub(in crate::fold) fn of_classes(&self) -> BTreeSet<Key> {
        let new = self.incidents.values().map(|(incident, _)| incident.key());
        self.of_classes.iter().cloned().chain(new).collect()
    }

    /// What an incident is about: `None` where that is not known here, `Some(None)` where there is no such incident.
    #[expect(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    pub(in crate::fold) fn about_incident(&self, id: &str) -> Option<Option<&Key>> {
        self.about.get(id).map(Option::as_ref)
    }

    /// The last incident of each class about an entity, where that is known here.
    pub(in crate::fold) fn incidents(
        &self,
        about: KeyRef<'_>,
    ) -> Option<&BTreeMap<String, Incident>> {
        self.entities
            .get(&about)
            .map(|slot| &slot.about().incidents)
    }

    /// The last incident of a class about an entity.
    pub(in crate::fold) fn incident(&self, about: KeyRef<'_>, class: &str) -> Option<&Incident> {
        self.incidents(about)?.get(class)
    }

    /// Notes an incident that is new or changed.
    pub(in crate::fold) fn note_incident(&mut self, incident: Incident) {
        let key = incident.key();
        let mut known = false;
        let batch = self.batch;
        if let Some(slot) = self.slot(key.by_ref()) {
            let before = slot
                .about_mut()
                .incidents
                .insert(incident.class.clone(), incident.clone());
            known = before.is_some_and(|before| before.incident == incident.incident);
            slot.used.store(batch, Relaxed);
        }
        self.about.insert(incident.incident.clone(), Some(key));
        let id = incident.incident.clone();
        let changed = self
            .incidents
            .entry(id)
            .or_insert_with(|| (incident.clone(), known));
        changed.0 = incident;
    }

    /// Notes a cause of an incident.
    pub(in crate::fold) fn note_cause(&mut self, incident: &str, cause_seq: u64) {
        self.causes.insert((incident.to_owned(), cause_seq));
    }

    pub(super) fn finish_incidents(&mut self, changes: &mut Changes) {
        self.about.clear();
        self.dropped = false;
        self.of_classes.clear();
        changes.causes = std::mem::take(&mut self.causes);
        for (id, (incident, known)) in std::mem::take(&mut self.incidents) {
            if known {
                changes.known_incidents.insert(id);
            }
            changes.incidents.push(incident);
        }
        let at = |one: &Incident| (one.opened_seq, one.incident.clone());
        changes.incidents.sort_by_key(at);
    }
}
