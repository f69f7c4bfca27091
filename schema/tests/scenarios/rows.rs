//! The list of demands and the files that show them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios")
}

/// Every file of every row: package, row, file.
pub fn files() -> Vec<(String, String, PathBuf)> {
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
pub struct Row {
    pub package: String,
    pub verdicts: Vec<String>,
    pub incident: String,
}

impl Row {
    /// A row that stands beside the list: nothing is demanded of it but what its scenarios say.
    pub fn beyond(package: &str) -> Self {
        Self {
            package: package.to_owned(),
            verdicts: Vec::new(),
            incident: String::new(),
        }
    }
}

pub fn rows() -> BTreeMap<String, Row> {
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

pub fn first(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// A file's name without its end.
pub fn file_name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}
