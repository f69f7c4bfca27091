//! Scenarios of rules: given these events, when those come, then this is raised.
//!
//! `tests/scenarios/<package>/<row>/` has the files of a row of `tests/scenarios/rules.csv`: in `keeps*.toml` the row
//! is kept, in `breaks*.toml` it is broken. How they are written says `docs/how-to/write-a-rule.md`. They are run on
//! the model in memory, by the built-in packages.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use schema::rule::{Event, Told, World};
use schema::{Catalog, EventType, Kind, LedgerName, Message, Package, time};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The recorded time of the first event, unless it says otherwise: 2026-08-01T00:00:00Z.
const BEGIN_US: i64 = 1_785_542_400_000_000;

/// Between two events, unless the second says otherwise: a minute.
const MINUTE_US: i64 = 60_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    about: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    given: Vec<Step>,
    when: Vec<Step>,
    #[serde(default)]
    then: Then,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(rename = "type", default = "tick")]
    event_type: String,
    #[serde(default)]
    subject: String,
    /// Changes of the event's example (JSON merge patch).
    #[serde(default)]
    with: Map<String, Value>,
    /// Its data, instead.
    data: Option<Map<String, Value>>,
    /// How long after the event before it is recorded.
    after: Option<String>,
    /// When it is recorded, instead.
    at: Option<String>,
    /// The claimed time; when it is recorded where nothing is said.
    time: Option<String>,
    #[serde(default = "publisher")]
    publisher: String,
    #[serde(default = "actor")]
    actor: String,
    #[serde(default = "source")]
    source: String,
    #[serde(default)]
    context: Map<String, Value>,
}

fn tick() -> String {
    "ledger.beat.ticked".to_owned()
}

fn publisher() -> String {
    "ci".to_owned()
}

fn actor() -> String {
    "cleo@example.org".to_owned()
}

fn source() -> String {
    "//ci.example/runs".to_owned()
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Then {
    /// `rule severity`, `rule severity key`.
    #[serde(default)]
    raised: Vec<String>,
    #[serde(default)]
    overridden: Vec<String>,
    #[serde(default)]
    not_raised: Vec<String>,
    #[serde(default)]
    cleared: Vec<String>,
    /// `class severity`.
    #[serde(default)]
    opened: Vec<String>,
    #[serde(default)]
    not_opened: Vec<String>,
    #[serde(default)]
    resolved: Vec<String>,
    #[serde(default)]
    tasks: Vec<String>,
    #[serde(default)]
    emitted: Vec<String>,
    /// Why the last event is refused at the door.
    refused: Option<String>,
}

/// What the events of a scenario came to.
#[derive(Default)]
struct Came {
    raised: BTreeSet<String>,
    overridden: BTreeSet<String>,
    cleared: BTreeSet<String>,
    opened: BTreeSet<String>,
    resolved: BTreeSet<String>,
    tasks: BTreeSet<String>,
    emitted: BTreeSet<String>,
    refused: Option<String>,
}

impl Came {
    fn add(&mut self, told: &Told) {
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
            .extend(told.cleared.iter().map(|one| one.by.id.clone()));
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

    fn raises(&self, rule: &str) -> bool {
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
struct Catalogs {
    packages: Vec<Package>,
    compiled: BTreeMap<String, Rc<Catalog>>,
}

impl Catalogs {
    fn with(&mut self, settings: &Map<String, Value>) -> Result<Rc<Catalog>, String> {
        let settings = Value::Object(settings.clone());
        let key = settings.to_string();
        if let Some(known) = self.compiled.get(&key) {
            return Ok(Rc::clone(known));
        }
        if self.packages.is_empty() {
            self.packages = Package::builtin();
        }
        let catalog =
            Catalog::of(&self.packages, settings).map_err(|found| format!("{found:?}"))?;
        let catalog = Rc::new(catalog);
        self.compiled.insert(key, Rc::clone(&catalog));
        Ok(catalog)
    }
}

/// What the given events, and those that come then, came to.
fn run(scenario: &Scenario, catalogs: &mut Catalogs) -> Result<(Came, Came), String> {
    let catalog = catalogs.with(&scenario.settings)?;
    let mut ledger = Ledger {
        catalog,
        world: World::default(),
        seq: 0,
        recorded_us: BEGIN_US,
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
    Ok((given, when))
}

/// What a scenario expects and did not come, or came and is not expected.
fn differences(then: &Then, when: &Came) -> Vec<String> {
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

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios")
}

/// Every file of every row: package, row, file.
fn files() -> Vec<(String, String, PathBuf)> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten();
        let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files = Vec::new();
    for package in folders(&root()).into_iter().filter(|path| path.is_dir()) {
        for row in folders(&package) {
            for file in folders(&row) {
                files.push((name(&package), name(&row), file));
            }
        }
    }
    files
}

/// A row of the list of demands: what is raised and which incident opens where it is broken.
struct Row {
    package: String,
    verdicts: Vec<String>,
    incident: String,
}

fn rows() -> BTreeMap<String, Row> {
    let mut reader = csv::Reader::from_path(root().join("rules.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let records = reader.records().map(|record| {
        let record = record.unwrap();
        let get = |name: &str| {
            let place = headers.iter().position(|header| header == name).unwrap();
            record.get(place).unwrap().trim().to_owned()
        };
        let verdicts = get("verdicts")
            .split_whitespace()
            .map(|one| one.replace(':', " "))
            .collect();
        let row = Row {
            package: get("package"),
            verdicts,
            incident: get("incident_class"),
        };
        (get("id"), row)
    });
    records.collect()
}

fn first(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

#[test]
fn what_is_expected_comes() {
    let mut catalogs = Catalogs::default();
    let rows = rows();
    let mut wrong = Vec::new();
    for (package, row, path) in files() {
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let scenario: Scenario = match toml::from_str(&text) {
            Ok(scenario) => scenario,
            Err(error) => {
                wrong.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let mut said = match run(&scenario, &mut catalogs) {
            Err(error) => vec![error],
            Ok((given, when)) => {
                let mut said = differences(&scenario.then, &when);
                let demanded = rows
                    .get(&row)
                    .map_or(&[][..], |row| row.verdicts.as_slice());
                if file.starts_with("keeps") {
                    let broken = demanded.iter().map(|one| first(one));
                    let broken = broken.filter(|rule| given.raises(rule) || when.raises(rule));
                    said.extend(
                        broken.map(|rule| format!("it keeps the row, and `{rule}` is raised")),
                    );
                } else if !file.starts_with("breaks") {
                    said.push("a scenario is called `keeps…` or `breaks…`".to_owned());
                }
                said
            }
        };
        if scenario.about.is_empty() {
            said.push("it says nothing in `about`".to_owned());
        }
        if rows.get(&row).is_some_and(|one| one.package != package) {
            said.push(format!("the row is not of package `{package}`"));
        }
        wrong.extend(
            said.into_iter()
                .map(|one| format!("{package}/{row}/{file}: {one}")),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_row_has_its_scenarios_or_is_known_to_lack_them() {
    let mut found: BTreeMap<String, (bool, bool, BTreeSet<String>, BTreeSet<String>)> =
        BTreeMap::new();
    for (_, row, path) in files() {
        let entry = found.entry(row).or_default();
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if file == "elsewhere" {
            // An obligation that is shown by another test, which the file names.
            (entry.0, entry.1) = (true, true);
            continue;
        }
        entry.0 |= file.starts_with("keeps");
        if file.starts_with("breaks") {
            entry.1 = true;
            let scenario: Scenario = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let raised = scenario
                .then
                .raised
                .iter()
                .map(|one| one.split(' ').take(2).collect::<Vec<_>>().join(" "));
            entry.2.extend(raised);
            entry
                .3
                .extend(scenario.then.opened.iter().map(|one| first(one).to_owned()));
        }
    }
    let mut lacking = String::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doors");
    let doors: String = fs::read_dir(folder)
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    for (id, row) in rows() {
        let none = Default::default();
        let (keeps, breaks, raised, opened) = found.get(&id).unwrap_or(&none);
        let elsewhere = root()
            .join(&row.package)
            .join(&id)
            .join("elsewhere.txt")
            .exists();
        let missing: Vec<&String> = row
            .verdicts
            .iter()
            .filter(|one| !raised.contains(*one))
            .collect();
        let incident = !row.incident.is_empty() && !opened.contains(&row.incident);
        // What the door refuses is held row by row by `doors.rs`.
        let at_the_door = row.verdicts.is_empty() && doors.contains(&format!("id = \"{id}\""));
        let shown = *keeps && *breaks && (elsewhere || (missing.is_empty() && !incident));
        let whole = at_the_door || shown;
        if !whole {
            lacking.push_str(&id);
            lacking.push('\n');
        }
    }
    let path = root().join("lacking.txt");
    if std::env::var_os("LEDGER_BLESS").is_some() {
        fs::write(&path, &lacking).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        known, lacking,
        "LEDGER_BLESS=1 writes lacking.txt; it may only become shorter"
    );
}

/// Every row that a rule claims is one, or is one of those that stand beside the list (`X-01` and the like).
#[test]
fn rules_name_rows_that_there_are() {
    let rows = rows();
    for package in Package::builtin() {
        for kind in package.kinds() {
            let named = kind.rules.iter().flat_map(|rule| &rule.rows);
            let named = named.chain(kind.incidents.iter().flat_map(|one| &one.rows));
            for row in named {
                assert!(
                    rows.contains_key(row) || row.starts_with("X-"),
                    "{}: {row}",
                    kind.name
                );
            }
        }
    }
}

/// A rule's severity is that of the row that it implements, where that row has a verdict of its name.
#[test]
fn rules_are_as_severe_as_their_rows() {
    let rows = rows();
    for package in Package::builtin() {
        for kind in package.kinds() {
            for rule in &kind.rules {
                for row in rule.rows.iter().filter_map(|row| rows.get(row)) {
                    let of_rule = |one: &&String| first(one) == rule.id;
                    let said: Vec<&String> = row.verdicts.iter().filter(of_rule).collect();
                    let same = format!("{} {}", rule.id, rule.severity);
                    let is = said.is_empty() || said.iter().any(|one| **one == same);
                    assert!(is, "{} {}: {said:?}", kind.name, rule.id);
                }
            }
        }
    }
}
