//! Incidents at the positions of their causes, and what people make of them where they say so.

use schema::rule::{Opened, Resolved};

use crate::entity::Key;
use crate::fact::Fact;
use crate::fold::Fold;
use crate::incident::{Incident, Word};

impl Fold<'_> {
    /// Opens an incident, or adds a cause to the one that is open. What this touches is loaded.
    pub(super) fn open_incident(&mut self, opened: Opened, fact: &Fact) {
        let seq = fact.header.seq;
        let key = Key::new(&opened.kind, &opened.id);
        let last = self.world.incident(key.by_ref(), &opened.class).cloned();
        if let Some(open) = last.as_ref().filter(|one| one.is_open()) {
            // One event is one cause, whatever else it breaks.
            if open.last_cause != seq {
                self.add_cause(open.clone(), seq);
            }
            return;
        }
        let incident = Incident {
            incident: Incident::id_of(&opened.class, key.kind(), key.id(), seq),
            class: opened.class,
            kind: key.kind().to_owned(),
            id: key.id().to_owned(),
            severity: opened.severity.as_str().to_owned(),
            rule: opened.rule,
            judged: true,
            opened_seq: seq,
            opened_us: fact.header.recorded_us,
            last_cause: seq,
            reopens: last.map(|one| one.incident),
            acknowledged: None,
            resolved: None,
        };
        self.emit(incident.opened());
        self.world.note_cause(&incident.incident, seq);
        self.world.note_incident(incident);
    }

    fn add_cause(&mut self, mut incident: Incident, seq: u64) {
        incident.last_cause = seq;
        self.emit(incident.cause_added(seq));
        self.world.note_cause(&incident.incident, seq);
        self.world.note_incident(incident);
    }

    /// Resolves the incident that is open, if one is.
    pub(super) fn resolve_incident(&mut self, resolved: &Resolved, how: &str, fact: &Fact) {
        let key = Key::new(resolved.kind.as_str(), resolved.id.as_str());
        let last = self.world.incident(key.by_ref(), &resolved.class).cloned();
        let Some(mut incident) = last.filter(Incident::is_open) else {
            return;
        };
        let seq = fact.header.seq;
        incident.resolved = Some(Word {
            seq,
            at_us: fact.header.recorded_us,
            by: None,
        });
        self.emit(incident.resolved_by(how, seq));
        self.world.note_incident(incident);
    }

    /// What somebody made of an incident, if this event says so. Where it is over already, or never was, the lifecycle
    /// says what is wrong with that.
    pub(super) fn decided(&mut self, fact: &Fact) {
        let Some(id) = fact.incident() else { return };
        let key = self.world.about_incident(id).flatten().cloned();
        let all = key
            .as_ref()
            .and_then(|key| self.world.incidents(key.by_ref()));
        let named = all.and_then(|all| all.values().find(|one| one.incident == id));
        let Some(mut incident) = named.filter(|one| one.is_open()).cloned() else {
            return;
        };
        let word = Word {
            seq: fact.header.seq,
            at_us: fact.header.recorded_us,
            by: Some(fact.header.actor.clone()),
        };
        match fact.event_type.verb().as_str() {
            "acknowledged" if incident.acknowledged.is_none() => incident.acknowledged = Some(word),
            "resolved" => incident.resolved = Some(word),
            _ => return,
        }
        self.world.note_incident(incident);
    }

    /// An event about an incident whose facts were deleted before this fold saw them, so that it cannot be derived: it is
    /// taken as it came.
    pub(super) fn believe(&mut self, fact: &Fact) {
        let seq = fact.header.seq;
        match fact.event_type.verb().as_str() {
            "opened" => {
                if let Some(incident) = as_it_came(fact) {
                    self.world
                        .note_cause(&incident.incident, incident.opened_seq);
                    self.world.note_incident(incident);
                }
            }
            verb => {
                let Some(id) = fact.incident() else { return };
                let key = self.world.about_incident(id).flatten().cloned();
                let all = key
                    .as_ref()
                    .and_then(|key| self.world.incidents(key.by_ref()));
                let named = all.and_then(|all| all.values().find(|one| one.incident == id));
                let Some(mut incident) = named.cloned() else {
                    return;
                };
                if let ("cause_added", Some(cause)) = (verb, fact.number("cause_seq")) {
                    incident.last_cause = incident.last_cause.max(cause);
                    self.world.note_cause(id, cause);
                } else if verb == "resolved" && incident.is_open() {
                    incident.resolved = Some(Word {
                        seq: fact.number("by_seq").unwrap_or(seq),
                        at_us: fact.header.recorded_us,
                        by: None,
                    });
                }
                self.world.note_incident(incident);
            }
        }
    }
}

/// The incident that an event says has opened.
fn as_it_came(fact: &Fact) -> Option<Incident> {
    let text = |member: &str| fact.text(member).map(str::to_owned);
    let causes = fact.data.as_ref()?.value.get("causes")?.as_array()?;
    let cause = causes.first()?.as_u64()?;
    let incident = Incident {
        incident: fact.header.id.clone(),
        class: text("class")?,
        kind: text("kind")?,
        id: text("id")?,
        severity: text("severity")?,
        rule: String::new(),
        judged: false,
        opened_seq: cause,
        opened_us: fact.header.recorded_us,
        last_cause: cause,
        reopens: text("reopens"),
        acknowledged: None,
        resolved: None,
    };
    let Incident {
        class, kind, id, ..
    } = &incident;
    let sound = cause < fact.header.seq
        && Incident::id_of(class, kind, id, cause) == incident.incident
        && incident.opened().data == fact.data.as_ref()?.bytes;
    sound.then_some(incident)
}
