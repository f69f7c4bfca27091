//! `ledger catalog diff`: what two catalogs say differently.

use std::path::Path;

use ledger::read::{ActiveCatalog, Reader};
use schema::difference::{Difference, Side, between};
use schema::{Activation, Catalog as Known, Package};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::config::Config;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column};
use crate::packages;

const COLUMNS: &[Column] = &[
    ("how", "how"),
    ("what", "what"),
    ("name", "name"),
    ("difference", "message"),
];

/// A catalog that was named.
struct Named {
    catalog: Known,
    packages: Vec<Package>,
    engine: u32,
    /// In words: which one it is.
    says: String,
}

impl Named {
    fn side(&self) -> Side<'_> {
        Side {
            engine: self.engine,
            ..Side::new(&self.catalog, &self.packages)
        }
    }
}

/// Prints what the second says otherwise than the first.
pub async fn run(app: &App, first: &str, second: &str) -> Outcome {
    let config = app.config()?;
    let first = named(&config, first).await?;
    let second = named(&config, second).await?;
    let found = between(first.side(), second.side());
    let mut rows = app.rows(COLUMNS);
    for one in &found {
        rows.row(&row(one))?;
    }
    rows.finish()?;
    output::say(&format!(
        "{} from {} to {}",
        output::counted(found.len(), "difference"),
        first.says,
        second.says
    ));
    Ok(Exit::Done)
}

fn row(one: &Difference) -> Value {
    let (mut was, mut is) = (Map::new(), Map::new());
    for (name, first, second) in &one.sayings {
        let keep = |side: &mut Map<String, Value>, text: &Option<String>| {
            side.extend(text.iter().map(|text| ((*name).to_owned(), json!(text))));
        };
        keep(&mut was, first);
        keep(&mut is, second);
    }
    json!({
        "how": one.how.to_string(),
        "what": one.what,
        "name": one.name,
        "was": was,
        "is": is,
        "message": one.words(),
    })
}

/// `active`, `program`, a position, the beginning of an activation's digest, or a folder of packages.
async fn named(config: &Config, name: &str) -> Result<Named, Failure> {
    if name == "program" {
        return of_program(config, config.kinds.as_deref(), "this program");
    }
    let of_chain = |found: Option<ActiveCatalog>| {
        let missing = || {
            let failure = Failure::not_found(format!("there is no activation {name}"));
            failure.mend(
                "write active, program, a position, a digest (8 digits of it will do) or a folder; \
                 `ledger log --type 'ledger.catalog.activated'` lists them",
            )
        };
        of_activation(&found.ok_or_else(missing)?)
    };
    if name == "active" {
        let reader = connect::reader(config).await?;
        return of_chain(reader.catalog_at(u64::MAX).await?);
    }
    if let Ok(seq) = name.parse() {
        let reader = connect::reader(config).await?;
        return of_chain(reader.catalog_at(seq).await?);
    }
    let is_hex = name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex && (8..=64).contains(&name.len()) {
        let reader = connect::reader(config).await?;
        return of_chain(with_digest(&reader, name).await?);
    }
    let folder = Path::new(name);
    if !folder.is_dir() {
        return of_chain(None);
    }
    of_program(config, Some(folder), name)
}

/// What `ledger catalog activate --kinds FOLDER` would activate.
fn of_program(config: &Config, kinds: Option<&Path>, says: &str) -> Result<Named, Failure> {
    let packages = packages::all(kinds)?;
    let catalog = packages::compile(&packages, packages::settings(config))?;
    Ok(Named {
        catalog,
        packages,
        engine: schema::catalog::ENGINE,
        says: says.to_owned(),
    })
}

fn of_activation(found: &ActiveCatalog) -> Result<Named, Failure> {
    let (catalog, packages) = super::read(found)?;
    let engine = Activation::from_data(&found.activation).map_or(0, |one| one.engine);
    Ok(Named {
        catalog,
        packages,
        engine,
        says: format!("the activation at {}", found.seq),
    })
}

/// The last activation whose digest begins so.
async fn with_digest(reader: &Reader, digest: &str) -> Result<Option<ActiveCatalog>, Failure> {
    let mut before = u64::MAX;
    while let Some(found) = reader.catalog_at(before).await? {
        let activation = Activation::from_data(&found.activation);
        if activation.is_ok_and(|one| one.digest().starts_with(digest)) {
            return Ok(Some(found));
        }
        match found.seq.checked_sub(1) {
            Some(earlier) => before = earlier,
            None => break,
        }
    }
    Ok(None)
}
