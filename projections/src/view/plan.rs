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

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{Name, Package};

    /// The flat views of a package with one kind, whose field is of this type.
    fn flats(package: &str, entity: &str, view: &str, field: &str) -> Vec<Flat> {
        let text = format!(
            "kind = \"{package}.{entity}\"\ntitle = \"X\"\nabout = \"X.\"\nsubject = \"X.\"\nview = \"{view}\"\n\
             retention = \"forever\"\n{field}\n[events.made]\nabout = \"X.\"\ncreates = true\ncarries = \"all\"\n"
        );
        let name = Name::new(package).expect("a name");
        let files = vec![(format!("{entity}.toml"), text)];
        let package = Package::parse(name, files).expect("it loads");
        package.kinds().iter().map(of_kind).collect()
    }

    fn field(name: &str, shape: &str) -> String {
        format!("[fields.{name}]\nabout = \"X.\"\n{shape}\n")
    }

    fn generated(wanted: &[Vec<Flat>]) -> Vec<View> {
        let fixed = derived().len() + BASE.len();
        plan(wanted).split_off(fixed)
    }

    fn types(view: &View, skipped: usize) -> Vec<String> {
        let columns = view.columns.iter().skip(skipped);
        columns
            .map(|one| format!("{} {}", one.name, one.column_type))
            .collect()
    }

    #[test]
    fn ledgers_with_different_catalogs_share_a_view_with_the_columns_of_both() {
        let one = flats(
            "lab",
            "lamp",
            "lamps",
            &(field("watts", "type = \"integer\"") + &field("on", "type = \"boolean\"")),
        );
        let two = flats(
            "lab",
            "lamp",
            "lamps",
            &(field("watts", "type = \"string\"") + &field("at", "type = \"timestamp\"")),
        );
        let views = generated(&[one.clone(), two]);
        assert_eq!(views.len(), 1);
        let fixed = of_fixed(&one);
        let view = views.first().expect("one");
        assert_eq!(
            types(view, fixed),
            ["watts text", "on boolean", "at timestamptz"]
        );
    }

    fn of_fixed(flats: &[Flat]) -> usize {
        let columns = flats.iter().flat_map(|flat| &flat.columns);
        columns.filter(|column| column.value.is_none()).count()
    }

    #[test]
    fn views_that_want_one_name_get_two_and_none_takes_a_tables() {
        let mut all = flats("a", "x", "b_c", "");
        all.extend(flats("a_b", "x", "c", ""));
        all.extend(flats("schema", "x", "history", ""));
        all.extend(flats("release", "x", "tag_history", ""));
        let names: Vec<String> = generated(&[all])
            .into_iter()
            .map(|view| view.name)
            .collect();
        assert_eq!(names.first().map(String::as_str), Some("a_b_c"));
        assert!(
            names
                .iter()
                .skip(1)
                .all(|name| name.rsplit('_').next().is_some_and(|end| end.len() == 8)),
            "{names:?}"
        );
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn long_names_and_those_that_are_taken_stay_apart() {
        let long = "n".repeat(64);
        let other = format!("{}x", "n".repeat(63));
        let fields = field(&long, "type = \"boolean\"")
            + &field(&other, "type = \"boolean\"")
            + &field("items", "type = \"array\"\nof = { type = \"string\" }")
            + &field("items_count", "type = \"integer\"")
            + &field("status", "type = \"string\"");
        let all = flats(&"p".repeat(60), "x", &"v".repeat(60), &fields);
        let skipped = of_fixed(&all);
        let views = generated(std::slice::from_ref(&all));
        let view = views.first().expect("one");
        assert_eq!(view.name.len(), 63);
        assert!(view.columns.iter().all(|one| one.name.len() <= 63));
        let names: std::collections::BTreeSet<&str> =
            view.columns.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), view.columns.len());
        assert!(
            names.contains("data_status") && names.contains("items_count"),
            "{names:?}"
        );
        assert_eq!(view.columns.len(), skipped + 6);
        assert_eq!(generated(&[all]), views, "the same each time");
    }
}
