//! What is active at a position of the chain: packages, settings, and the engine that judges.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::canonical;
use crate::diagnostic::Diagnostic;
use crate::event::EventType;
use crate::indexed::{self, Indexed, Path};
use crate::kind::{EventDef, Kind};
use crate::kinds::Kinds;
use crate::name::{KindName, Name};
use crate::package::{self, LEDGER, Package};
use crate::retention::Retentions;
use crate::rule::{Authorities, Rules, Setting, Settings};
use crate::secret::Patterns;

/// The version of what this program makes of a catalog. A catalog of a newer one cannot be judged by it.
pub const ENGINE: u32 = 1;

/// What an activation names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// The digest of each active package.
    pub packages: BTreeMap<Name, String>,
    /// The settings, an object.
    pub settings: Value,
    /// The engine that judges.
    pub engine: u32,
}

impl Activation {
    /// The activation of these packages as they are.
    pub fn of(packages: &[Package], settings: Value) -> Self {
        let digests = packages
            .iter()
            .map(|one| (one.name().clone(), one.digest()));
        Self {
            packages: digests.collect(),
            settings,
            engine: ENGINE,
        }
    }

    /// `hex(H("catalog", RFC 8785 form of {engine, packages, settings}))`.
    pub fn digest(&self) -> String {
        package::digest(&canonical::to_text(&self.content()))
    }

    fn content(&self) -> Value {
        let packages: BTreeMap<&str, &str> = self
            .packages
            .iter()
            .map(|(name, digest)| (name.as_str(), digest.as_str()))
            .collect();
        json!({ "engine": self.engine, "packages": packages, "settings": self.settings })
    }

    /// The data of `ledger.catalog.activated`, in RFC 8785 form.
    pub fn data(&self) -> Vec<u8> {
        let mut content = self.content();
        if let Some(members) = content.as_object_mut() {
            members.insert("digest".to_owned(), Value::from(self.digest()));
        }
        canonical::to_text(&content).into_bytes()
    }

    /// Reads the data of `ledger.catalog.activated`. The error is the JSON pointer of what is wrong with it;
    /// a digest that is not that of the rest is at `/digest`.
    pub fn from_data(data: &[u8]) -> Result<Self, String> {
        let data: Value = serde_json::from_slice(data).map_err(|_| String::new())?;
        let engine = data.get("engine").and_then(Value::as_u64);
        let engine = engine.and_then(|engine| u32::try_from(engine).ok());
        let engine = engine.ok_or("/engine")?;
        let named = data
            .get("packages")
            .and_then(Value::as_object)
            .ok_or("/packages")?;
        let mut packages = BTreeMap::new();
        for (name, digest) in named {
            let at = || format!("/packages/{}", name.replace('~', "~0").replace('/', "~1"));
            let legal = Name::new(name).map_err(|_| at())?;
            packages.insert(legal, digest.as_str().ok_or_else(at)?.to_owned());
        }
        let settings = data.get("settings").filter(|settings| settings.is_object());
        let settings = settings.ok_or("/settings")?.clone();
        let activation = Self {
            packages,
            settings,
            engine,
        };
        if data.get("digest").and_then(Value::as_str) == Some(&activation.digest()) {
            Ok(activation)
        } else {
            Err("/digest".to_owned())
        }
    }
}

/// The kinds that are known at a position, with the settings.
#[derive(Debug, Clone)]
pub struct Catalog {
    kinds: Kinds,
    settings: Value,
    operators: Vec<Name>,
    patterns: Patterns,
    rules: Rules,
    retentions: Retentions,
    digest: String,
}

/// What the packages of an activation declare.
#[derive(Default)]
struct Declared {
    kinds: BTreeMap<KindName, Kind>,
    patterns: Patterns,
    settings: Vec<Setting>,
}

impl Declared {
    fn of(
        activation: &Activation,
        texts: &BTreeMap<String, String>,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut declared = Self::default();
        for (name, digest) in &activation.packages {
            let Some(text) = texts.get(digest) else {
                let message = format!("no text was recorded for `{name}` {digest}");
                found.push(Diagnostic::new("packages", 1, message, "record it first"));
                continue;
            };
            match Package::from_text(name, text) {
                Err(wrong) => found.extend(wrong),
                Ok(package) if package.digest() != *digest => {
                    let message = format!("the text recorded for `{name}` has another digest");
                    let mend = format!("it is {}: activate that", package.digest());
                    found.push(Diagnostic::new("packages", 1, message, mend));
                }
                Ok(package) => declared.add(package),
            }
        }
        declared
    }

    fn add(&mut self, package: Package) {
        self.settings.extend(package.settings().iter().cloned());
        let (named, secrets) = package.into_parts();
        let named = named.into_iter().map(|kind| (kind.name.clone(), kind));
        self.kinds.extend(named);
        if let Some(patterns) = secrets {
            self.patterns = patterns;
        }
    }
}

impl Catalog {
    /// What is known before the first activation: package `ledger` as this program brings it.
    ///
    /// # Panics
    ///
    /// Where the program was built with a package `ledger` that does not load: with everything that is wrong with it,
    /// since nothing of a chain could be read. The tests see to it that it loads, and a program that has to do with
    /// packages says so when it starts, by [`Package::builtin`].
    pub fn bootstrap() -> Self {
        let package = match Package::builtin_named(LEDGER) {
            Ok(package) => package,
            Err(found) => unreadable(&found),
        };
        let activation = Activation::of(std::slice::from_ref(&package), json!({}));
        let (kinds, patterns) = package.into_parts();
        let kinds = kinds.into_iter();
        let kinds: BTreeMap<_, _> = kinds.map(|kind| (kind.name.clone(), kind)).collect();
        let retentions = Retentions::usual(kinds.values());
        let indexed = indexed::references(kinds.values());
        Self {
            kinds: Kinds::new(kinds, indexed),
            patterns: patterns.unwrap_or_default(),
            settings: json!({}),
            operators: Vec::new(),
            rules: Rules::default(),
            retentions,
            digest: activation.digest(),
        }
    }

    /// Compiles what an activation names from the recorded texts, by digest.
    pub fn compile(
        activation: &Activation,
        texts: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut found = Vec::new();
        if activation.engine > ENGINE {
            let message = format!("the catalog is for engine {}", activation.engine);
            let mend = format!("this program has engine {ENGINE}: upgrade it");
            found.push(Diagnostic::new("engine", 1, message, mend));
        }
        if !activation
            .packages
            .keys()
            .any(|name| name.as_str() == LEDGER)
        {
            let message = "package `ledger` is not among the active ones";
            found.push(Diagnostic::new(
                "packages",
                1,
                message,
                "activate it with the others",
            ));
        }
        let Declared {
            kinds,
            patterns,
            settings,
        } = Declared::of(activation, texts, &mut found);
        if found.is_empty() {
            references(&kinds, &mut found);
        }
        let operators = operators(&activation.settings, &mut found);
        let mut rules = Rules::default();
        let mut retentions = Retentions::usual(kinds.values());
        if found.is_empty() {
            let settings = Settings::of(settings.iter(), &activation.settings, &mut found);
            retentions = Retentions::of(kinds.values(), &settings, &mut found);
            let authorities = Authorities::of(&activation.settings, &kinds, &mut found);
            rules = Rules::compile(&kinds, settings, authorities, &mut found);
        }
        if !found.is_empty() {
            return Err(found);
        }
        let indexed = with_rules(indexed::references(kinds.values()), &rules);
        Ok(Self {
            kinds: Kinds::new(kinds, indexed),
            settings: activation.settings.clone(),
            operators,
            patterns,
            rules,
            retentions,
            digest: activation.digest(),
        })
    }

    /// The ledger's own package and one of a single kind, to try that kind out.
    pub fn of_kind(kind: &KindName, text: &str, settings: Value) -> Result<Self, Vec<Diagnostic>> {
        let file = format!("{}.toml", kind.entity);
        let packages = [
            Package::builtin_named(LEDGER)?,
            Package::parse(kind.package.clone(), vec![(file, text.to_owned())])?,
        ];
        Self::of(&packages, settings)
    }

    /// Compiles packages as they are, for checking them before they are recorded.
    pub fn of(packages: &[Package], settings: Value) -> Result<Self, Vec<Diagnostic>> {
        let texts = packages
            .iter()
            .map(|one| (one.digest(), one.text()))
            .collect();
        Self::compile(&Activation::of(packages, settings), &texts)
    }

    /// The kind of that name.
    pub fn kind(&self, name: &KindName) -> Option<&Kind> {
        self.kinds.get(name).map(|(kind, _)| kind)
    }

    /// Every kind, in the order of the names.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter()
    }

    /// The places of its entities' attributes that are looked up by value, in the order of their paths. None for a
    /// kind that is not known.
    pub fn indexed(&self, kind: &KindName) -> &[Indexed] {
        self.kinds.get(kind).map_or(&[], |(_, indexed)| indexed)
    }

    /// The place by which rules look up entities of that kind; `None` where none does.
    pub fn looked_up(&self, kind: &KindName, path: &str) -> Option<&Indexed> {
        let mut places = self.indexed(kind).iter();
        places.find(|one| one.is_asked() && one.is_whole_at(path))
    }

    /// The event of that type, with its kind. No event has a second version yet.
    pub fn event(&self, event_type: &EventType) -> Option<(&Kind, &EventDef)> {
        if event_type.version() != 1 {
            return None;
        }
        let kind = self.kind(event_type.kind())?;
        Some((kind, kind.event(event_type.verb())?))
    }

    /// Whether the settings name this publisher as an operator.
    pub fn is_operator(&self, publisher: &Name) -> bool {
        self.operators.contains(publisher)
    }

    /// What looks like a secret.
    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// The settings, an object.
    pub fn settings(&self) -> &Value {
        &self.settings
    }

    /// The rules of all kinds, compiled.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How long data is kept.
    pub fn retentions(&self) -> &Retentions {
        &self.retentions
    }

    /// The activation's digest.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// References, and what rules look up besides, a status among that.
fn with_rules(
    mut indexed: BTreeMap<KindName, Vec<Indexed>>,
    rules: &Rules,
) -> BTreeMap<KindName, Vec<Indexed>> {
    for (kind, path) in rules.indexed() {
        let places = indexed.entry(kind.clone()).or_default();
        if let Some(place) = places.iter_mut().find(|one| one.is_whole_at(path)) {
            *place = place.clone().asked();
        } else if let Some(path) = Path::parse(path) {
            places.push(Indexed::new(path, None).asked());
        }
        places.sort();
    }
    indexed
}

/// Every kind that is named is there.
fn references(kinds: &BTreeMap<KindName, Kind>, found: &mut Vec<Diagnostic>) {
    for kind in kinds.values() {
        for (reference, line) in &kind.references {
            if !kinds.contains_key(reference) {
                let file = format!("{}/{}.toml", kind.name.package, kind.name.entity);
                found.push(package::unknown_kind(&file, *line, reference));
            }
        }
    }
}

#[expect(
    clippy::panic,
    reason = "a program that cannot read any chain must not go on as if it could"
)]
fn unreadable(found: &[Diagnostic]) -> ! {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    panic!(
        "this program was built with a package `{LEDGER}` that does not load:\n{}",
        lines.join("\n")
    )
}

/// `operators`: the publishers that may decide what people decide.
fn operators(settings: &Value, found: &mut Vec<Diagnostic>) -> Vec<Name> {
    let mut wrong = |message: String, mend: &str| {
        found.push(Diagnostic::new("settings", 1, message, mend));
    };
    let Some(members) = settings.as_object() else {
        wrong("the settings are no object".to_owned(), "write a table");
        return Vec::new();
    };
    let named = match members.get("operators") {
        None => return Vec::new(),
        Some(Value::Array(named)) => named,
        Some(other) => {
            wrong(
                format!("`operators` is {other}"),
                "write an array of publishers' names",
            );
            return Vec::new();
        }
    };
    let mut operators = Vec::new();
    for name in named {
        match name.as_str().map(Name::new) {
            Some(Ok(name)) => operators.push(name),
            _ => wrong(
                format!("the operator {name} is no publisher's name"),
                "mend or remove it",
            ),
        }
    }
    operators
}
