//! Judging an event at its position: what it broke, as verdicts.
//!
//! The lifecycle's rules are judged by [`crate::entity::advance`] itself. Rules of the kind files come in here: they
//! look at the event, at the entity before and after it, and through [`Ask`] at others as they are at this position.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::Header;
use schema::rule::{
    self, Armed, Arrived, Event, Finding, Held, Inputs, Judged, Lookup, Opened, Resolved, RuleKey,
    Said, Step, View,
};
use schema::{Catalog, KindName};
use serde_json::{Map, Value};

use crate::entity::{Before, Broken, Entity, Key, KeyRef};
use crate::fact::Fact;
use crate::fold::needs::{Look, Needs};
use crate::fold::world::{Ids, World};
use crate::fold::{Clearing, Fold, Known};
use crate::incident::MENDED;
use crate::verdict::{self, How, Verdict};

/// Everything that a rule may look at. What was not loaded yet is noted and answered with `None`; the step is then
/// taken again from its beginning once it was loaded, so a rule simply gives up.
#[derive(Debug)]
pub struct Ask<'w> {
    world: &'w World,
    catalog: &'w Catalog,
    needs: RefCell<Needs>,
}

impl<'w> Ask<'w> {
    pub(super) fn new(world: &'w World, catalog: &'w Catalog) -> Self {
        Self {
            world,
            catalog,
            needs: RefCell::default(),
        }
    }

    /// The identifiers that a look-up finds after this event, by the positions of the entities' first events.
    pub(super) fn look(&self, look: &Look) -> Option<&'w Ids> {
        let known = self.world.look(look);
        if known.is_none() {
            self.needs.borrow_mut().looks.insert(look.clone());
        }
        known
    }

    /// How many a look-up finds after this event. Cheaper than looking them up where they are many.
    pub fn count(&self, look: &Look) -> Option<u64> {
        let known = self.world.count(look);
        if known.is_none() {
            self.needs.borrow_mut().counts.insert(look.clone());
        }
        known
    }

    /// The entities that may have an open verdict with this key.
    fn waiting(&self, key: &str) -> Option<&'w BTreeSet<Key>> {
        let known = self.world.waiting(key);
        if known.is_none() {
            self.needs.borrow_mut().waiting.insert(key.to_owned());
        }
        known
    }

    /// An entity as rules see it.
    #[allow(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    pub(super) fn view(&self, key: KeyRef<'_>) -> Option<Option<View<'w>>> {
        let found = self.world.named(key);
        if found.is_none() {
            self.needs.borrow_mut().entities.insert(key.to_key());
        }
        found.map(|one| one.map(|(key, entity)| key.view(entity)))
    }

    /// The look-ups that a rule's comes to, one a field. Nothing is at a place that the catalog does not index.
    fn looks(&self, lookup: &Lookup) -> Option<Vec<Look>> {
        let look = |(path, value): &(Arc<str>, String)| {
            let place = self.catalog.looked_up(&lookup.kind, path)?;
            Some(Look::new(lookup.kind.text().clone(), place, value))
        };
        lookup.fields.iter().map(look).collect()
    }

    /// What all these look-ups find, the last created first; `None` where one of them is not known.
    fn meet(&self, looks: &[Look]) -> Option<impl Iterator<Item = &'w Key> + use<'w>> {
        // All are asked for, so that they are loaded at once.
        let found: Vec<_> = looks.iter().map(|look| self.look(look)).collect();
        let mut found: Vec<_> = found.into_iter().collect::<Option<_>>()?;
        found.sort_by_key(|ids| ids.len());
        let mut found = found.into_iter();
        let fewest = found.next();
        let others: Vec<_> = found.collect();
        let ids = fewest.into_iter().flat_map(|ids| ids.iter().rev());
        let met =
            ids.filter(move |(created, _)| others.iter().all(|one| one.contains_key(created)));
        Some(met.map(|(_, id)| id))
    }

    pub(super) fn into_needs(self) -> Needs {
        self.needs.into_inner()
    }
}

impl rule::Known for Ask<'_> {
    fn entity(&self, kind: &KindName, id: &str) -> Option<Option<View<'_>>> {
        self.view(KeyRef::new(kind.text(), id))
    }

    fn matching(&self, lookup: &Lookup) -> Option<Vec<View<'_>>> {
        let Some(looks) = self.looks(lookup) else {
            return Some(Vec::new());
        };
        let most = usize::try_from(lookup.most).unwrap_or(usize::MAX);
        let ids = self.meet(&looks)?.take(most);
        let (mut views, mut known) = (Vec::new(), true);
        // All are asked for, so that they are loaded at once.
        for key in ids {
            match self.view(key.by_ref()) {
                Some(view) => views.extend(view),
                None => known = false,
            }
        }
        known.then_some(views)
    }

    fn due_us(&self, rule: &RuleKey, kind: &str, id: &str, key: &str) -> Option<Option<i64>> {
        let about = KeyRef::new(kind, id);
        let known = self.world.due_us(about, rule, key);
        if known.is_none() {
            self.needs.borrow_mut().entities.insert(about.to_key());
        }
        known
    }

    fn count(&self, lookup: &Lookup) -> Option<u64> {
        let Some(looks) = self.looks(lookup) else {
            return Some(0);
        };
        match looks.as_slice() {
            [] => Ask::count(self, &Look::all(lookup.kind.text())),
            [look] => Ask::count(self, look),
            several => u64::try_from(self.meet(several)?.count()).ok(),
        }
    }

    fn may_be_open(&self, kind: &str, id: &str) -> bool {
        let open = self.world.open(KeyRef::new(kind, id));
        open.is_none_or(|open| !open.is_empty())
    }
}

/// What is judged: one event about one entity, which the event has changed already.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The event.
    pub fact: &'a Fact,
    /// Whom it is about.
    pub key: &'a Key,
    /// What it broke of the lifecycle.
    pub broken: &'a [Broken],
    /// The catalog of its position.
    pub catalog: &'a Catalog,
}

/// What came of judging an event.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What it broke.
    pub(super) raised: Vec<Raised>,
    /// Rules that clear what they raised, and hold now but for some keys.
    pub(super) held: Vec<Held>,
    /// What rules waited for and what is there now.
    pub(super) arrived: Vec<Arrived>,
    /// Deadlines that are set, or are no more.
    pub(super) armed: Vec<Armed>,
    /// Incidents that open, or gain a cause.
    pub(super) opened: Vec<Opened>,
    /// Incidents that are resolved, where they are open.
    pub(super) resolved: Vec<Resolved>,
}

/// A rule that an event broke.
#[derive(Debug)]
pub(super) struct Raised {
    pub(super) verdict: Verdict,
    /// The rule that clears it once it holds again.
    pub(super) found_by: Option<String>,
    /// The position of the override that excuses it.
    pub(super) overridden_by: Option<u64>,
    /// The position of the event by which its rule is silenced.
    pub(super) silenced_by: Option<u64>,
}

/// Whether an event is judged by more than its lifecycle. Then the state before it is kept until it is.
///
/// Not judged are events whose data was deleted, since nothing is concluded from what is not there, and verdicts,
/// since otherwise there would be no end of them.
pub(super) fn has_rules(fact: &Fact, catalog: &Catalog) -> bool {
    let (kind, verb) = (fact.event_type.kind(), fact.event_type.verb());
    let is_verdict =
        fact.is_own(verdict::ENTITY, "raised") || fact.is_own(verdict::ENTITY, "cleared");
    fact.data.is_some() && !is_verdict && catalog.rules().look_at(kind, verb)
}

/// Judges an event. Where `ask` was asked for what is not loaded, the outcome is thrown away and the event is judged
/// again.
pub(super) fn judge(moment: Moment<'_>, before: Option<&Before<'_>>, ask: &Ask<'_>) -> Outcome {
    let lifecycle = moment.broken.iter().map(|one| finding(&moment, one));
    let lifecycle: Vec<Finding> = lifecycle.collect();
    let mut judged = Judged::default();
    if !has_rules(moment.fact, moment.catalog) {
        judged.findings = lifecycle;
        // What has to be known for that, `ask` was asked for.
        drop(judged.silence(moment.fact.header.recorded_us, ask));
    } else if let Step::Judged(done) = by_rules(moment, before, &lifecycle, ask) {
        judged = done;
    }
    outcome(judged, moment.fact, moment.catalog, ask)
}

/// What is taken in of what rules said, at an event or where it found something due.
pub(super) fn outcome(judged: Judged, fact: &Fact, catalog: &Catalog, ask: &Ask<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    for finding in judged.findings {
        // What was deleted cannot be judged: a rule may well have been kept.
        if finding.redacted {
            continue;
        }
        outcome.raised.push(raise(fact, catalog, finding));
    }
    for raised in &outcome.raised {
        ask.view(raised.verdict.about());
    }
    let is_hidden = |kind: &str, id: &str| {
        let about = ask.view(KeyRef::new(kind, id));
        about.flatten().is_some_and(|view| view.redacted())
    };
    let held = judged.held.into_iter();
    outcome.held = held.filter(|one| !is_hidden(&one.kind, &one.id)).collect();
    let armed = judged.armed.into_iter();
    outcome.armed = armed.filter(|one| !is_hidden(&one.kind, &one.id)).collect();
    let opened = judged.opened.into_iter();
    let opened = opened.filter(|one| !one.redacted && !is_hidden(&one.kind, &one.id));
    outcome.opened = opened.collect();
    let resolved = judged.resolved.into_iter();
    let resolved = resolved.filter(|one| !one.redacted && !is_hidden(&one.kind, &one.id));
    outcome.resolved = resolved.collect();
    for arrived in judged.arrived {
        for key in ask.waiting(&arrived.id).into_iter().flatten() {
            ask.view(key.by_ref());
        }
        outcome.arrived.push(arrived);
    }
    outcome
}

fn by_rules(
    moment: Moment<'_>,
    before: Option<&Before<'_>>,
    lifecycle: &[Finding],
    ask: &Ask<'_>,
) -> Step {
    let Moment {
        fact, key, catalog, ..
    } = moment;
    let (kind, verb) = (fact.event_type.kind(), fact.event_type.verb());
    let (data, context) = (plain(fact, catalog), context(&fact.header));
    let entity = ask.view(key.by_ref()).flatten();
    let inputs = Inputs {
        event: event(fact, key, &data, &context),
        entity,
        before: match before {
            Some(before) => entity.map(|now| now.at(before)),
            // What is left of a kind that once had a state is as it was.
            None => entity.filter(|now| now.seq() != fact.header.seq),
        },
    };
    catalog.rules().judge(kind, verb, &inputs, lifecycle, ask)
}

/// An event's data, as rules see it.
fn plain<'f>(fact: &'f Fact, catalog: &Catalog) -> Cow<'f, Value> {
    let (kind, verb) = (fact.event_type.kind(), fact.event_type.verb());
    let data = fact.data.as_ref().map_or(&Value::Null, |data| &data.value);
    let declared = catalog.kind(kind).and_then(|kind| kind.event(verb));
    declared.map_or(Cow::Borrowed(data), |one| one.plain(data))
}

fn event<'f>(
    fact: &'f Fact,
    key: &'f Key,
    data: &'f Value,
    context: &'f Map<String, Value>,
) -> Event<'f> {
    let header = &fact.header;
    Event {
        kind: key.kind(),
        verb: fact.event_type.verb().as_str(),
        id: &header.id,
        subject: &header.subject,
        source: &header.source,
        actor: &header.actor,
        publisher: &header.publisher,
        context,
        occurred_us: header.occurred_us,
        recorded_us: header.recorded_us,
        seq: header.seq,
        data,
    }
}

/// Which of these parts of a rule an event broke, with its entity before and after it: for the words of a verdict.
pub(crate) fn which<'p>(
    catalog: &Catalog,
    fact: &Fact,
    key: &Key,
    (before, after): (Option<&Entity>, Option<&Entity>),
    parts: &'p [RuleKey],
    said: &Said<'_>,
) -> Option<&'p RuleKey> {
    let (data, context) = (plain(fact, catalog), context(&fact.header));
    let inputs = Inputs {
        event: event(fact, key, &data, &context),
        entity: after.map(|entity| key.view(entity)),
        before: before.map(|entity| key.view(entity)),
    };
    let kind = fact.event_type.kind();
    catalog.rules().which(parts, said, kind, &inputs)
}

/// The attributes of an event that have no column of their own.
pub(super) fn context(header: &Header) -> Map<String, Value> {
    if header.context.is_empty() {
        return Map::new();
    }
    serde_json::from_str(&header.context).unwrap_or_default()
}

/// What the lifecycle says of an event.
fn finding(moment: &Moment<'_>, broken: &Broken) -> Finding {
    let key = moment.key;
    Finding::of_the_ledger(
        key.kind(),
        key.id(),
        broken.rule,
        broken.judged_from.clone(),
    )
}

fn raise(fact: &Fact, catalog: &Catalog, finding: Finding) -> Raised {
    let found_by = finding
        .by
        .as_ref()
        .filter(|_| finding.clears)
        .map(ToString::to_string);
    Raised {
        verdict: Verdict {
            rule: finding.rule,
            severity: finding.severity.as_str().to_owned(),
            kind: finding.kind,
            id: finding.id,
            cause_seq: fact.header.seq,
            judged_from: finding.judged_from,
            catalog: catalog.digest().to_owned(),
            detail_key: finding.detail_key,
        },
        found_by,
        overridden_by: finding.overridden_by,
        silenced_by: finding.silenced_by,
    }
}

impl Fold<'_> {
    /// Takes in what came of judging an event: raises what it broke, clears what it mended, opens and resolves incidents.
    /// Everything that this touches is loaded.
    pub(super) fn take_in(&mut self, outcome: Outcome, fact: &Fact) {
        let seq = fact.header.seq;
        let mut opened = outcome.opened;
        opened.retain(|one| self.is_new(one));
        for raised in outcome.raised {
            self.take_in_raised(raised);
        }
        for held in outcome.held {
            let key = KeyRef::new(&held.kind, &held.id);
            let by = held.by.to_string();
            self.mend(key, seq, |one| {
                one.found_by.as_ref() == Some(&by) && !held.broken.contains(&one.verdict.detail_key)
            });
        }
        for arrived in outcome.arrived {
            let by = arrived.by.to_string();
            let waiting = self.world.waiting(&arrived.id).cloned();
            for key in waiting.into_iter().flatten() {
                self.mend(key.by_ref(), seq, |one| {
                    one.found_by.as_ref() == Some(&by) && one.verdict.detail_key == arrived.id
                });
            }
        }
        for armed in &outcome.armed {
            self.take_in_armed(armed, seq);
        }
        for opened in opened {
            self.open_incident(opened, fact);
        }
        for resolved in &outcome.resolved {
            self.resolve_incident(resolved, MENDED, fact);
        }
    }

    /// A verdict, unless what is broken was broken already.
    fn take_in_raised(&mut self, raised: Raised) {
        let Raised {
            verdict,
            found_by,
            overridden_by,
            silenced_by,
        } = raised;
        let same =
            |one: &Known| one.found_by == found_by && one.verdict.detail_key == verdict.detail_key;
        let open = self.world.open(verdict.about());
        let open = open.is_some_and(|open| open.values().any(same));
        if found_by.is_some() && overridden_by.is_none() && open {
            return;
        }
        let overridden = overridden_by.map(|by_seq| (by_seq, How::Overridden));
        let silenced = silenced_by.map(|by_seq| (by_seq, How::Silenced));
        let cleared = overridden.or(silenced).map(|(by_seq, how)| Clearing {
            by_seq,
            how,
            seq: None,
        });
        let violation = verdict.violation();
        let known = Known {
            found_by,
            cleared,
            ..Known::derived(verdict)
        };
        self.world.note(violation, known);
    }

    /// Deadlines that are others from here on; what they found before is mended.
    fn take_in_armed(&mut self, armed: &Armed, seq: u64) {
        let mended = self.world.arm(armed, seq);
        if mended.is_empty() {
            return;
        }
        let by = armed.by.to_string();
        let key = KeyRef::new(&armed.kind, &armed.id);
        for item in mended {
            self.mend(key, seq, |one| {
                one.found_by.as_ref() == Some(&by) && one.verdict.detail_key == item
            });
        }
    }

    /// Whether an incident has a new cause: while a violation is open, what is broken still is none.
    fn is_new(&self, opened: &Opened) -> bool {
        let Some(with) = &opened.with else {
            return true;
        };
        let by = with.by.to_string();
        let same = |one: &Known| {
            one.found_by.as_ref() == Some(&by) && one.verdict.detail_key == with.detail_key
        };
        let open = self.world.open(KeyRef::new(&with.kind, &with.id));
        !open.is_some_and(|open| open.values().any(same))
    }

    fn mend(&mut self, key: KeyRef<'_>, by_seq: u64, which: impl Fn(&Known) -> bool) {
        let open = self.world.open(key).into_iter().flatten();
        let mended = open.filter(|(_, one)| which(one));
        let mended: Vec<(String, Known)> =
            mended.map(|(id, one)| (id.clone(), one.clone())).collect();
        for (violation, known) in mended {
            let clearing = Clearing {
                by_seq,
                how: How::Mended,
                seq: None,
            };
            let cleared = Known {
                cleared: Some(clearing),
                ..known
            };
            self.world.note(violation, cleared);
        }
    }
}
