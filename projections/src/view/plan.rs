//! Which views there are to be: a pure function of what every ledger's catalog asks for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schema::Catalog;

use super::column::Column;
use super::derived::{BASE, derived};
use super::flat::{Flat, of_kind};
use super::name::{Names, literal, quoted};

/// The tables of schema `views`, and what else no view may be called.
pub(super) const TABLES: &[&str] = &[
    "activation",
    "entity",
    "history",
    "link",
    "made_view",
    "outbox",
    "projection",
    "quarantine",
    "schema_history",
    "violation",
    "wanted_view",
];

/// A view as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name in schema `views`.
    pub name: String,
    /// What a row is, in a sentence or two.
    pub about: String,
    /// The kind that it is generated from; `None` for derived ones.
    pub kind: Option<String>,
    /// Its columns, in their order; none for what only other views read.
    pub columns: Vec<Column>,
    /// Its query.
    pub sql: String,
    /// Whether it is made for readers.
    pub public: bool,
}

impl View {
    /// Tells definitions apart.
    pub(super) fn digest(&self) -> String {
        let mut text = self.rights();
        text.push_str(&self.definition());
        blake3::hash(text.as_bytes()).to_hex().to_string()
    }

    /// Makes it, or replaces one whose columns this one begins with.
    pub(super) fn definition(&self) -> String {
        format!(
            "CREATE OR REPLACE VIEW views.{} AS\n{};\n",
            quoted(&self.name),
            self.sql
        )
    }

    /// Whose it is, who may read it, and what it and its columns say.
    pub(super) fn rights(&self) -> String {
        let name = format!("views.{}", quoted(&self.name));
        let mut text = format!(
            "ALTER VIEW {name} OWNER TO ledger_projector;\nGRANT SELECT ON {name} TO ledger_auditor;\n\
             COMMENT ON VIEW {name} IS {};\n",
            literal(&self.about)
        );
        if self.public {
            let _ = writeln!(text, "GRANT SELECT ON {name} TO ledger_reader;");
        }
        for column in &self.columns {
            let _ = writeln!(
                text,
                "COMMENT ON COLUMN {name}.{} IS {};",
                quoted(&column.name),
                literal(&column.about)
            );
        }
        text
    }
}

/// The views that ledgers ask for, in the order of making: what others read first. The same kinds of several ledgers
/// share a view.
pub fn plan(wanted: &[Vec<Flat>]) -> Vec<View> {
    let mut views: Vec<View> = BASE
        .iter()
        .map(|(name, sql)| View {
            name: (*name).to_owned(),
            about: "What other views read. Its columns follow the tables, and may change."
                .to_owned(),
            kind: None,
            columns: Vec::new(),
            sql: sql.trim_end().to_owned(),
            public: false,
        })
        .collect();
    let fixed = BASE.iter().map(|(name, _)| *name);
    let taken = fixed.chain(derived().iter().map(|one| one.name));
    let mut names = Names::with(taken.chain(TABLES.iter().copied()));
    views.extend(derived().iter().map(|one| View {
        name: one.name.to_owned(),
        about: one.about.to_owned(),
        kind: one.replaces.map(str::to_owned),
        columns: one.columns(),
        sql: one.sql.trim_end().to_owned(),
        public: true,
    }));
    let mut kinds: BTreeMap<&str, Flat> = BTreeMap::new();
    for flat in wanted.iter().flatten() {
        match kinds.get_mut(flat.kind.as_str()) {
            Some(merged) => merged.merge(flat),
            None => {
                kinds.insert(&flat.kind, flat.clone());
            }
        }
    }
    for (kind, flat) in kinds {
        if derived().iter().any(|one| one.replaces == Some(kind)) {
            continue;
        }
        views.push(View {
            name: names.take(&flat.name, kind),
            sql: flat.sql(),
            about: flat.about,
            kind: Some(kind.to_owned()),
            columns: flat.columns,
            public: true,
        });
    }
    views
}

/// The views of one catalog that are made for readers, in the order of their names.
pub fn catalog(catalog: &Catalog) -> Vec<View> {
    let mut views = plan(&[catalog.kinds().map(of_kind).collect()]);
    views.retain(|view| view.public);
    views.sort_by(|a, b| a.name.cmp(&b.name));
    views
}
