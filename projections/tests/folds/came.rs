//! What came of a chain, as the plain model in memory says it, and as the fold does.

use std::collections::BTreeSet;

use projections::fact::Fact;
use projections::incident::Incident;
use projections::verdict::How;
use schema::Catalog;
use schema::rule::{Event, World};

use crate::database::Rows;

/// An incident: what opened it, its class and entity, how bad it is; what opened the one before; what ended it; its causes.
pub(crate) type Opened = (
    u64,
    String,
    String,
    String,
    String,
    Option<u64>,
    Option<u64>,
    Vec<u64>,
);

/// What was raised, by position, entity, rule, key and severity; what was cleared, by position, rule, entity and key; and
/// the incidents.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Came {
    incidents: BTreeSet<Opened>,
    sent: BTreeSet<(u64, String, String, String)>,
    raised: BTreeSet<(u64, String, String, String, String, String)>,
    cleared: BTreeSet<(u64, String, String, String, String)>,
    /// By position, rule, entity and key, the event by which it is silenced.
    silenced: BTreeSet<(u64, String, String, String, String, u64)>,
}

impl Came {
    /// What the model says of an event.
    pub(crate) fn of_model(&mut self, catalog: &Catalog, model: &mut World, fact: &Fact) {
        let header = &fact.header;
        let (kind, verb) = (fact.event_type.kind(), fact.event_type.verb());
        let event = Event {
            kind: &kind.to_string(),
            verb: verb.as_str(),
            id: &header.id,
            subject: &header.subject,
            source: &header.source,
            actor: &header.actor,
            publisher: &header.publisher,
            context: &serde_json::from_str(&header.context).unwrap_or_default(),
            occurred_us: header.occurred_us,
            recorded_us: header.recorded_us,
            seq: header.seq,
            data: &fact.data.as_ref().expect("data").value,
        };
        let told = if fact.is_own("violation", verb.as_str()) || fact.key.is_none() {
            model.pass(catalog, event)
        } else {
            model.apply(catalog, kind, verb, event)
        };
        // What the ledger itself says of incidents is no fact that its lifecycle judges.
        let ours = fact.follows() && kind.package.as_str() == "ledger";
        for one in told.raised {
            if ours && one.by.is_none() && one.rule != schema::rule::NOT_JUDGED {
                continue;
            }
            let severity = one.severity.to_string();
            if let Some(by) = one.silenced_by {
                let (rule, kind, id) = (one.rule.clone(), one.kind.clone(), one.id.clone());
                self.silenced
                    .insert((header.seq, rule, kind, id, one.detail_key.clone(), by));
            }
            self.raised.insert((
                header.seq,
                one.kind,
                one.id,
                one.rule,
                one.detail_key,
                severity,
            ));
        }
        for one in told.cleared {
            let by = format!("{}/{}/{}", one.by.owner, one.by.id, one.by.part);
            self.cleared
                .insert((header.seq, by, one.kind, one.id, one.detail_key));
        }
        for one in told.tasks {
            let about = format!("{}/{}", one.kind, one.id);
            let what = "ledger.task.opened".to_owned();
            self.sent.insert((header.seq, what, about, one.class));
        }
        for one in told.emitted {
            let said = (
                header.seq,
                one.event_type,
                one.subject,
                one.data.to_string(),
            );
            self.sent.insert(said);
        }
        for one in told.opened {
            let severity = one.severity.to_string();
            let of = (&one.class, &one.kind, &one.id);
            let before = self.last(of).map(|before| before.0);
            self.incidents.insert((
                header.seq,
                one.class,
                one.kind,
                one.id,
                severity,
                before,
                None,
                vec![header.seq],
            ));
        }
        for one in told.causes {
            self.change((&one.class, &one.kind, &one.id), |of| of.7.push(header.seq));
        }
        for one in told.resolved {
            self.change((&one.class, &one.kind, &one.id), |of| {
                of.6 = Some(header.seq);
            });
        }
    }

    fn last(&self, (class, kind, id): (&String, &String, &String)) -> Option<&Opened> {
        let mut all = self.incidents.iter().rev();
        all.find(|one| (&one.1, &one.2, &one.3) == (class, kind, id))
    }

    fn change(&mut self, of: (&String, &String, &String), how: impl FnOnce(&mut Opened)) {
        let last = self.last(of).cloned().expect("there is one");
        let mut changed = self.incidents.take(&last).expect("there is one");
        how(&mut changed);
        self.incidents.insert(changed);
    }

    /// Somebody resolved an incident by hand.
    pub(crate) fn ended(&mut self, model: &mut World, incident: &Incident, seq: u64) {
        let Incident {
            class, kind, id, ..
        } = incident;
        if model.end(class, kind, id, Some(incident.opened_seq)) {
            self.change((class, kind, id), |of| of.6 = Some(seq));
        }
    }

    /// What is here and not there: a difference that can be read.
    pub(crate) fn without(&self, other: &Self) -> Self {
        Self {
            raised: &self.raised - &other.raised,
            cleared: &self.cleared - &other.cleared,
            incidents: &self.incidents - &other.incidents,
            silenced: &self.silenced - &other.silenced,
            sent: &self.sent - &other.sent,
        }
    }

    /// What the fold says in the end.
    pub(crate) fn of_fold(rows: &Rows) -> Self {
        let mut came = Self {
            sent: rows.sent.clone(),
            ..Self::default()
        };
        for one in rows.incidents.values().cloned() {
            let before = one.reopens.and_then(|id| rows.incidents.get(&id));
            let causes = rows.causes.iter().filter(|(of, _)| *of == one.incident);
            came.incidents.insert((
                one.opened_seq,
                one.class,
                one.kind,
                one.id,
                one.severity,
                before.map(|before| before.opened_seq),
                one.resolved.map(|word| word.seq),
                causes.map(|(_, seq)| *seq).collect(),
            ));
        }
        for known in rows.verdicts.values() {
            let one = known.verdict.clone();
            if let Some(clearing) = known.cleared.filter(|clearing| clearing.how == How::Mended) {
                let by = known
                    .found_by
                    .clone()
                    .expect("only what a rule found is mended");
                came.cleared.insert((
                    clearing.by_seq,
                    by,
                    one.kind.clone(),
                    one.id.clone(),
                    one.detail_key.clone(),
                ));
            }
            if let Some(clearing) = known.cleared.filter(|one| one.how == How::Silenced) {
                came.silenced.insert((
                    one.cause_seq,
                    one.rule.clone(),
                    one.kind.clone(),
                    one.id.clone(),
                    one.detail_key.clone(),
                    clearing.by_seq,
                ));
            }
            came.raised.insert((
                one.cause_seq,
                one.kind,
                one.id,
                one.rule,
                one.detail_key,
                one.severity,
            ));
        }
        came
    }
}
