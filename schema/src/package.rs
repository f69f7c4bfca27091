//! A package: a folder of kind files, built in or a user's own, and its text as the chain keeps it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::canonical;
use crate::diagnostic::Diagnostic;
use crate::kind::Kind;
use crate::load;
use crate::name::{KindName, Name};
use crate::rule::Setting;
use crate::secret::Patterns;

/// The file of package `ledger` that is no kind: the patterns of secrets.
pub const PATTERNS_FILE: &str = "secrets.toml";

/// The file of a package that is no kind either: the settings that its rules name.
pub const SETTINGS_FILE: &str = "settings.toml";

/// The ledger's own package.
pub const LEDGER: &str = "ledger";

/// The longest text, in bytes, that `ledger.catalog.recorded` can carry beside its other members.
const LONGEST: usize = 256 * 1024 - 512;

/// Every built-in package: its name and its files, listed at build time.
static BUILTIN: &[(&str, &[(&str, &str)])] = include!(concat!(env!("OUT_DIR"), "/kinds.rs"));

/// A package whose files were all read.
#[derive(Debug, Clone)]
pub struct Package {
    name: Name,
    files: BTreeMap<String, String>,
    kinds: Vec<Kind>,
    settings: Vec<Setting>,
    patterns: Option<Patterns>,
}

impl Package {
    /// The packages that the program brings, in the order of their names; or everything that is wrong with them.
    ///
    /// A file among them that does not load is a fault of the build, which the tests find. None is left out: what a
    /// package says would be judged by nobody, and nobody would hear of it.
    pub fn builtin() -> Result<Vec<Self>, Vec<Diagnostic>> {
        Self::listed(BUILTIN)
    }

    /// Reads packages, each a name and its files; or everything that is wrong with any of them.
    fn listed(all: &[(&str, &[(&str, &str)])]) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let mut packages = Vec::new();
        let mut found = Vec::new();
        for (name, files) in all {
            match Self::of(name, files) {
                Ok(package) => packages.push(package),
                Err(wrong) => found.extend(wrong),
            }
        }
        if found.is_empty() {
            Ok(packages)
        } else {
            Err(found)
        }
    }

    fn of(name: &str, files: &[(&str, &str)]) -> Result<Self, Vec<Diagnostic>> {
        let legal = Name::new(name).map_err(|error| {
            let mend = "rename its folder";
            vec![Diagnostic::new(name, 1, error.to_string(), mend)]
        })?;
        let files = files
            .iter()
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
        Self::parse(legal, files.collect())
    }

    /// One built-in package, or what is wrong with it.
    pub fn builtin_named(name: &str) -> Result<Self, Vec<Diagnostic>> {
        let unknown = || {
            let names: Vec<&str> = Self::builtin_names().collect();
            let mend = format!("the program brings {}", names.join(", "));
            let message = format!("there is no built-in package `{name}`");
            vec![Diagnostic::new(name, 1, message, mend)]
        };
        let mut all = BUILTIN.iter();
        let (_, files) = all.find(|(known, _)| *known == name).ok_or_else(unknown)?;
        Self::of(name, files)
    }

    /// The names of the built-in packages.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Reads the files of a package: names without folders, and texts. All that is wrong is said at once, in
    /// the order of the files and lines.
    pub fn parse(name: Name, files: Vec<(String, String)>) -> Result<Self, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let mut kinds: Vec<Kind> = Vec::new();
        let mut patterns = None;
        let mut settings = Vec::new();
        let mut texts = BTreeMap::new();
        for (file, text) in files {
            if texts.contains_key(&file) {
                let message = "the file was given twice";
                found.push(Diagnostic::new(
                    format!("{name}/{file}"),
                    1,
                    message,
                    "give it once",
                ));
                continue;
            }
            texts.insert(file, text);
        }
        for (file, text) in &texts {
            if name.as_str() == LEDGER && file == PATTERNS_FILE {
                match Patterns::parse(text) {
                    Ok(compiled) => patterns = Some(compiled),
                    Err(wrong) => found.extend(wrong.into_iter().map(|wrong| {
                        let file = format!("{name}/{file}");
                        Diagnostic::new(file, wrong.line, wrong.message, wrong.mend)
                    })),
                }
                continue;
            }
            if file == SETTINGS_FILE {
                match load::settings(&name, file, text) {
                    Ok(declared) => settings = declared,
                    Err(wrong) => found.extend(wrong),
                }
                continue;
            }
            if file.strip_suffix(".toml").is_none() || file.contains('/') {
                let message = "this is no kind file";
                let mend = "a package holds `<entity>.toml` files and nothing else: move it out";
                found.push(Diagnostic::new(format!("{name}/{file}"), 1, message, mend));
                continue;
            }
            match load::kind(&name, file, text) {
                Ok(kind) => kinds.push(kind),
                Err(wrong) => found.extend(wrong),
            }
        }
        let package = Self {
            name,
            files: texts,
            kinds,
            settings,
            patterns,
        };
        package.agree(&mut found);
        if found.is_empty() {
            Ok(package)
        } else {
            Err(found)
        }
    }

    /// What is wrong between the files.
    fn agree(&self, found: &mut Vec<Diagnostic>) {
        if self.name.as_str() == LEDGER && !self.files.contains_key(PATTERNS_FILE) {
            let file = format!("{LEDGER}/{PATTERNS_FILE}");
            let message = "the patterns of secrets are missing";
            let mend = "package `ledger` has this file: restore it";
            found.push(Diagnostic::new(file, 1, message, mend));
        }
        let mut views: BTreeMap<&str, &Kind> = BTreeMap::new();
        for kind in &self.kinds {
            let file = format!("{}/{}.toml", self.name, kind.name.entity);
            if let Some(other) = views.insert(&kind.view, kind) {
                let message = format!("`view = \"{}\"` is `{}`'s already", kind.view, other.name);
                found.push(Diagnostic::new(
                    &file,
                    kind.view_line,
                    message,
                    "name another view",
                ));
            }
            // Kinds of other packages are looked for when a catalog is compiled. Where a file is
            // broken, it would seem missing.
            let others = [PATTERNS_FILE, SETTINGS_FILE];
            let others = others
                .iter()
                .filter(|file| self.files.contains_key(**file))
                .count();
            let broken = self.kinds.len() + others < self.files.len();
            for (reference, line) in &kind.references {
                let own = reference.package == self.name;
                if own && !broken && self.kind(reference.entity.as_str()).is_none() {
                    found.push(unknown_kind(&file, *line, reference));
                }
            }
        }
        let longest = json!(self.text()).to_string().len();
        if longest > LONGEST {
            let message = format!("the package is {longest} bytes as the chain keeps it");
            let mend = format!("at most {LONGEST} are possible: divide it into two packages");
            found.push(Diagnostic::new(self.name.as_str(), 1, message, mend));
        }
    }

    /// Reads a package from the text that the chain keeps.
    pub fn from_text(name: &Name, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let wrong = |message: &str| {
            let mend = "it is {\"files\": {name: text}} in RFC 8785 form";
            vec![Diagnostic::new(name.as_str(), 1, message, mend)]
        };
        let Ok(Value::Object(mut top)) = serde_json::from_str(text) else {
            return Err(wrong("the package's text is no JSON object"));
        };
        let Some(Value::Object(entries)) = top.remove("files") else {
            return Err(wrong("the package's text has no `files`"));
        };
        let mut files = Vec::new();
        for (file, content) in entries {
            let Value::String(content) = content else {
                return Err(wrong("a file of the package is no text"));
            };
            files.push((file, content));
        }
        let package = Self::parse(name.clone(), files)?;
        if package.text() == text {
            Ok(package)
        } else {
            Err(wrong("the package's text is not in RFC 8785 form"))
        }
    }

    /// The package's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its kinds, in the order of their files.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The kind of that entity.
    pub fn kind(&self, entity: &str) -> Option<&Kind> {
        self.kinds
            .iter()
            .find(|kind| kind.name.entity.as_str() == entity)
    }

    /// The settings that it declares, in the order of its file.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The text of one of its files.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// What `ledger.catalog.recorded` carries: `{"files": {name: text}}` in RFC 8785 form.
    pub fn text(&self) -> String {
        canonical::to_text(&json!({ "files": self.files }))
    }

    /// `hex(H("catalog", text))`.
    pub fn digest(&self) -> String {
        digest(&self.text())
    }

    /// Its kinds, and what looks like a secret where it is the ledger's own.
    pub(crate) fn into_parts(self) -> (Vec<Kind>, Option<Patterns>) {
        (self.kinds, self.patterns)
    }
}

/// `hex(H("catalog", text))`: BLAKE3 in key-derivation mode.
pub fn digest(text: &str) -> String {
    let hash = blake3::derive_key("event-ledger v1 catalog", text.as_bytes());
    hex::encode(hash)
}

pub(crate) fn unknown_kind(file: &str, line: usize, kind: &KindName) -> Diagnostic {
    let message = format!("`{kind}` is no kind");
    Diagnostic::new(
        file,
        line,
        message,
        "name a kind of this package or of an active one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "kind = \"own.thing\"\n";

    /// What is built in and does not load is never left out: all that is wrong with every package is said.
    #[test]
    fn a_package_that_does_not_load_is_not_left_out() {
        let all: Vec<(&str, &[(&str, &str)])> = BUILTIN
            .iter()
            .copied()
            .chain([
                ("own", &[("thing.toml", KIND)][..]),
                ("other", &[("thing.toml", "not TOML")][..]),
                ("No Name", &[][..]),
            ])
            .collect();
        let found = Package::listed(&all).unwrap_err();
        for file in ["own/thing.toml", "other/thing.toml", "No Name"] {
            assert!(
                found.iter().any(|one| one.file == file),
                "{file}: {found:?}"
            );
        }
        let files: Vec<&str> = found.iter().map(|one| one.file.as_str()).collect();
        assert!(
            !files.iter().any(|file| file.starts_with("ledger/")),
            "{files:?}"
        );
    }

    #[test]
    fn every_built_in_package_is_among_them() {
        let packages = Package::builtin().expect("the built-in packages load");
        let names: Vec<&str> = packages.iter().map(|one| one.name().as_str()).collect();
        assert_eq!(names, Package::builtin_names().collect::<Vec<_>>());
    }
}
