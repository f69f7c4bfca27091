//! Running a scenario: every event passes the door, then the model in memory folds and judges it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use schema::rule::{Event, Told, World};
use schema::{Catalog, EventType, Kind, LedgerName, Message, Package, time};
use serde_json::{Map, Value, json};

use super::written::{Scenario, Step, Then, tick};

/// The recorded time of the first event, unless it says otherwise: 2026-08-01T00:00:00Z.
const BEGIN_US: i64 = 1_785_542_400_000_000;

/// Between two events, unless the second says otherwise: a minute.
const MINUTE_US: i64 = 60_000_000;

/// What the events of a scenario came to.
#[derive(Default)]
pub struct Came {
    pub raised: BTreeSet<String>,
    pub overridden: BTreeSet<String>,
    pub cleared: BTreeSet<String>,
    pub opened: BTreeSet<String>,
    pub resolved: BTreeSet<String>,
    pub tasks: BTreeSet<String>,
    pub emitted: BTreeSet<String>,
    pub refused: Option<String>,
}

impl Came {
    pub fn add(&mut self, told: &Told) {
        for one in &told.raised {
            let key = if one.detail_key.is_empty() {
                String::new()
            } else {
                format!(" {}", one.detail_key)
            };
            let why = one
                .not_judged
                .as_ref()
                .map_or_else(String::new, |why| format!(" ({why})"));
            self.raised
                .insert(format!("{} {}{key}{why}", one.rule, one.severity));
            if one.overridden_by.is_some() {
                self.overridden.insert(one.rule.clone());
            }
        }
        self.cleared
            .extend(told.cleared.iter().map(|one| one.by.id.to_string()));
        self.opened.extend(
            told.opened
                .iter()
                .map(|one| format!("{} {}", one.class, one.severity)),
        );
        self.resolved
            .extend(told.resolved.iter().map(|one| one.class.clone()));
        self.tasks
            .extend(told.tasks.iter().map(|one| one.class.clone()));
        self.emitted
            .extend(told.emitted.iter().map(|one| one.event_type.clone()));
    }

    /// Whether an incident of that class opens.
    pub fn opens(&self, class: &str) -> bool {
        self.opened
            .iter()
            .any(|one| one.split(' ').next() == Some(class))
    }

    pub fn raises(&self, rule: &str) -> bool {
        self.raised
            .iter()
            .any(|one| one.split(' ').next() == Some(rule))
    }
}

struct Ledger {
    catalog: Rc<Catalog>,
    world: World,
    seq: u64,
    recorded_us: i64,
    events: Events,
}

impl Ledger {
    /// Reads the event at the door, folds and judges it.
    fn step(&mut self, step: &Step, came: &mut Came) -> Result<(), String> {
        let span = |text: &str| {
            schema::rule::parse_span_us(text).ok_or(format!("`{text}` is no duration"))
        };
        let moment =
            |text: &str| time::parse_rfc3339_us(text).ok_or(format!("`{text}` is no time"));
        let after = step.after.as_deref().map_or(Ok(MINUTE_US), span)?;
        self.recorded_us = match &step.at {
            Some(at) => moment(at)?,
            None => self.recorded_us + after,
        };
        let event_type = EventType::parse(&step.event_type)
            .ok_or(format!("`{}` is no type", step.event_type))?;
        let (kind, declared) = self
            .catalog
            .event(&event_type)
            .ok_or(format!("no kind has `{event_type}`"))?;
        let ticks = step.event_type == tick();
        let mut data = declared.example();
        patch(&mut data, &step.with);
        let data = step.data.clone().map_or(data, Value::Object);
        let (subject, data) = identified(kind, step, data);
        let mut body = json!({
            "specversion": "1.0", "id": format!("{}", self.seq), "type": step.event_type,
            "source": if ticks { "ledger://main" } else { &step.source },
            "subject": if ticks { "main" } else { &subject }, "authid": step.actor, "data": data,
        });
        for (name, value) in &step.context {
            body[name] = value.clone();
        }
        if let Some(text) = &step.time {
            moment(text)?;
            body["time"] = json!(text);
        }
        let publisher = if ticks { "ledger" } else { &step.publisher };
        let message = Message {
            nats_subject: format!(
                "ledger.main.ingest.{publisher}.{}",
                event_type.unversioned()
            ),
            headers: vec![(
                "Content-Type".to_owned(),
                Bytes::from_static(b"application/cloudevents+json"),
            )],
            body: Bytes::from(body.to_string()),
            stream_seq: self.seq + 1,
            time_us: self.recorded_us,
        };
        let event = match schema::read(&message, &LedgerName::new("main").unwrap(), &self.catalog) {
            Ok(event) => event,
            Err(refusal) => {
                came.refused = Some(refusal.reason.to_string());
                return Ok(());
            }
        };
        let data: Value = serde_json::from_slice(&event.data).unwrap();
        let context: Value = serde_json::from_str(&event.context).unwrap_or(json!({}));
        let kind = event.event_type.kind();
        let seen = Event {
            kind: &kind.to_string(),
            verb: event.event_type.verb().as_str(),
            id: &event.id,
            subject: &event.subject,
            source: &event.source,
            actor: &event.actor,
            publisher: event.publisher.as_str(),
            context: context.as_object().unwrap(),
            occurred_us: event.occurred_us.unwrap_or(self.recorded_us),
            recorded_us: self.recorded_us,
            seq: self.seq,
            data: &data,
        };
        self.seq += 1;
        came.add(
            &self
                .world
                .apply(&self.catalog, kind, event.event_type.verb(), seen),
        );
        self.events.push((self.recorded_us, event));
        Ok(())
    }
}

/// The subject, and the data that names the same entity: where the scenario gives one of the two, the other follows.
fn identified(kind: &Kind, step: &Step, mut data: Value) -> (String, Value) {
    let identity = kind.identity.as_ref();
    if step.subject.is_empty() {
        let made = identity.and_then(|one| one.of(data.as_object().unwrap()));
        return (made.unwrap_or_else(|| "one".to_owned()), data);
    }
    let named = identity.and_then(|one| one.whole());
    if let Some(name) = named.filter(|name| !step.with.contains_key(*name))
        && step.data.is_none()
        && data.get(name).is_some()
    {
        data[name] = json!(step.subject);
    }
    (step.subject.clone(), data)
}

/// RFC 7396; a `null` cannot be written in TOML: an empty table takes a member away.
fn patch(target: &mut Value, with: &Map<String, Value>) {
    for (name, value) in with {
        match (value, target.get_mut(name)) {
            (Value::Object(members), _) if members.is_empty() => {
                target.as_object_mut().unwrap().remove(name);
            }
            (Value::Object(members), Some(inner)) if inner.is_object() => patch(inner, members),
            _ => target[name] = value.clone(),
        }
    }
}

/// The built-in packages, compiled once for each settings.
#[derive(Default)]
pub struct Catalogs {
    packages: Vec<Package>,
    compiled: BTreeMap<String, Rc<Catalog>>,
}

impl Catalogs {
    pub fn with(&mut self, settings: &Map<String, Value>) -> Result<Rc<Catalog>, String> {
        let settings = Value::Object(settings.clone());
        let key = settings.to_string();
        if let Some(known) = self.compiled.get(&key) {
            return Ok(Rc::clone(known));
        }
        if self.packages.is_empty() {
            self.packages = Package::builtin().expect("the built-in packages load");
        }
        let catalog =
            Catalog::of(&self.packages, settings).map_err(|found| format!("{found:?}"))?;
        let catalog = Rc::new(catalog);
        self.compiled.insert(key, Rc::clone(&catalog));
        Ok(catalog)
    }
}

/// What the given events, and those that come then, came to.
pub fn run(scenario: &Scenario, catalogs: &mut Catalogs) -> Result<(Came, Came), String> {
    let (given, when, _) = told(scenario, catalogs)?;
    Ok((given, when))
}

/// The events that passed the door, each with the moment at which it is recorded, in µs.
pub type Events = Vec<(i64, schema::Event)>;

/// The same, with the events.
pub fn told(scenario: &Scenario, catalogs: &mut Catalogs) -> Result<(Came, Came, Events), String> {
    let catalog = catalogs.with(&scenario.settings)?;
    let mut ledger = Ledger {
        catalog,
        world: World::default(),
        seq: 0,
        recorded_us: BEGIN_US,
        events: Events::new(),
    };
    let (mut given, mut when) = (Came::default(), Came::default());
    for step in &scenario.given {
        ledger.step(step, &mut given)?;
        if let Some(refused) = &given.refused {
            return Err(format!(
                "what is given, `{}`, is refused: {refused}",
                step.event_type
            ));
        }
    }
    for step in &scenario.when {
        ledger.step(step, &mut when)?;
    }
    Ok((given, when, ledger.events))
}

/// What a scenario expects and did not come, or came and is not expected.
pub fn differences(then: &Then, when: &Came) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, expected, came) in [
        ("raised", &then.raised, &when.raised),
        ("overridden", &then.overridden, &when.overridden),
        ("cleared", &then.cleared, &when.cleared),
        ("opened", &then.opened, &when.opened),
        ("resolved", &then.resolved, &when.resolved),
        ("tasks", &then.tasks, &when.tasks),
        ("emitted", &then.emitted, &when.emitted),
    ] {
        for one in expected.iter().filter(|one| !came.contains(*one)) {
            wrong.push(format!("`{one}` is not {what}: {came:?}"));
        }
    }
    for rule in then.not_raised.iter().filter(|rule| when.raises(rule)) {
        wrong.push(format!("`{rule}` is raised"));
    }
    for rule in &then.not_cleared {
        if when.cleared.contains(rule) {
            wrong.push(format!("`{rule}` is cleared"));
        }
    }
    for class in &then.not_opened {
        if when
            .opened
            .iter()
            .any(|one| one.split(' ').next() == Some(class))
        {
            wrong.push(format!("an incident `{class}` is opened"));
        }
    }
    if then.refused != when.refused {
        wrong.push(format!(
            "refused is {:?}, not {:?}",
            when.refused, then.refused
        ));
    }
    wrong
}
