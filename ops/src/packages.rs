//! The packages that this program brings, those of a folder, and the messages that put them into the chain.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ingest::publish::Outbound;
use schema::{Activation, Catalog, Diagnostic, LedgerName, Name, Package};
use serde_json::{Value, json};

use crate::config::Config;
use crate::exit::{Context, Failure};
use crate::output;

/// The packages of a ledger: the built-in ones and those of the configured folder.
pub fn all(kinds: Option<&Path>) -> Result<Vec<Package>, Failure> {
    let mut packages = builtin()?;
    for folder in kinds.map(folders).transpose()?.unwrap_or_default() {
        let package = read(&folder)?;
        if packages.iter().any(|known| known.name() == package.name()) {
            return Err(Failure::usage(format!(
                "{}: package {} is built in",
                folder.display(),
                package.name()
            ))
            .mend("give the folder another name"));
        }
        packages.push(package);
    }
    Ok(packages)
}

/// The packages that this program brings; or, where its build is at fault, everything that is wrong with them.
pub fn builtin() -> Result<Vec<Package>, Failure> {
    Package::builtin().map_err(|found| {
        for diagnostic in &found {
            output::say(&diagnostic.to_string());
        }
        let faults = output::counted(found.len(), "fault");
        Failure::new(format!(
            "the packages that this program brings do not load: {faults} found"
        ))
        .mend("build it anew from a release; the tests of crate `schema` find such a fault")
    })
}

/// The settings that are activated with the packages.
pub fn settings(config: &Config) -> Value {
    let mut settings = config.settings.clone();
    if !config.operators.is_empty() {
        settings.insert("operators".to_owned(), json!(config.operators));
    }
    Value::Object(settings)
}

/// Compiles packages, or says everything that is wrong with them.
pub fn compile(packages: &[Package], settings: Value) -> Result<Catalog, Failure> {
    Catalog::of(packages, settings)
        .map_err(|found| refused("the packages do not fit together", &found))
}

/// The folders of packages in a folder: itself, where it holds kind files, or the folders in it.
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| {
        Failure::usage(format!("cannot read the folder {}", folder.display())).because(error)
    })?;
    let mut inner = Vec::new();
    for entry in entries {
        let path = entry
            .context(format!("cannot read the folder {}", folder.display()))?
            .path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            return Ok(vec![folder.to_owned()]);
        }
        if path.is_dir() {
            inner.push(path);
        }
    }
    inner.sort();
    if inner.is_empty() {
        return Err(Failure::usage(format!("{} holds no package", folder.display()))
            .mend("a package is a folder of <entity>.toml files; ledger catalog show --source KIND prints one to learn from"));
    }
    Ok(inner)
}

/// Reads the package in a folder; its name is the folder's.
pub fn read(folder: &Path) -> Result<Package, Failure> {
    parse(folder)?.map_err(|found| {
        refused(
            &format!("the package in {} does not load", folder.display()),
            &found,
        )
    })
}

/// Reads the package in a folder, or everything that is wrong with it.
pub fn parse(folder: &Path) -> Result<Result<Package, Vec<Diagnostic>>, Failure> {
    let real = folder
        .canonicalize()
        .context(format!("cannot open {}", folder.display()))?;
    let name = real
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = Name::new(&name).map_err(|error| {
        Failure::usage(format!(
            "{}: a package has the name of its folder, and {error}",
            folder.display()
        ))
    })?;
    let unreadable = || format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&real).context(unreadable())? {
        let entry = entry.context(unreadable())?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if entry
            .path()
            .extension()
            .is_none_or(|ending| ending != "toml")
        {
            continue;
        }
        let text = fs::read_to_string(entry.path())
            .context(format!("cannot read {}", entry.path().display()))?;
        files.push((file, text));
    }
    files.sort();
    Ok(Package::parse(name, files))
}

fn refused(what: &str, found: &[Diagnostic]) -> Failure {
    for diagnostic in found {
        output::say(&diagnostic.to_string());
    }
    Failure::usage(format!(
        "{what}: {} found",
        output::counted(found.len(), "fault")
    ))
}

/// The messages that put the catalog into the chain: the text of every package that `known` does not have
/// yet, then the activation. `attempt` tells apart two activations of the same catalog.
pub fn messages(
    ledger: &LedgerName,
    packages: &[Package],
    settings: Value,
    known: &dyn Fn(&str) -> bool,
    attempt: &str,
) -> Vec<Outbound> {
    let activation = Activation::of(packages, settings);
    let mut messages: Vec<Outbound> = packages
        .iter()
        .filter(|package| !known(&package.digest()))
        .map(|package| {
            let digest = package.digest();
            let data = json!({"package": package.name().as_str(), "digest": digest, "text": package.text()});
            message(ledger, "ledger.catalog.recorded", &digest, package.name().as_str(), &data.to_string())
        })
        .collect();
    let data = String::from_utf8_lossy(&activation.data()).into_owned();
    let id = format!("{}/{attempt}", activation.digest());
    messages.push(message(
        ledger,
        "ledger.catalog.activated",
        &id,
        ledger.as_str(),
        &data,
    ));
    messages
}

/// One of the ledger's own events, in structured mode.
pub fn message(
    ledger: &LedgerName,
    event_type: &str,
    id: &str,
    subject: &str,
    data: &str,
) -> Outbound {
    let envelope = json!({
        "specversion": "1.0",
        "id": id,
        "source": ledger.source(),
        "type": event_type,
        "subject": subject,
    });
    // `data` is spliced in as text: it is hashed as it stands.
    let mut body = envelope.to_string();
    body.truncate(body.len() - 1);
    body.push_str(",\"data\":");
    body.push_str(data);
    body.push('}');
    Outbound {
        subject: format!("ledger.{ledger}.ingest.ledger.{event_type}"),
        identity: Some((ledger.source(), id.to_owned())),
        body: Bytes::from(body),
    }
}
