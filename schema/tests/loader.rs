//! What the loader says of broken kind files.
//!
//! Each folder of `tests/broken` is one case: the files of a package `sample`, and `said.txt` with what is said
//! of them, line for line. `LEDGER_BLESS=1` writes `said.txt` anew; look at the difference before you keep it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is blessed by a variable"
)]

use std::fs;
use std::path::{Path, PathBuf};

use schema::{Catalog, Name, Package};
use serde_json::json;

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut cases: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

/// What the loader says of a folder: of its files, and where they load, of the catalog with them.
fn said(folder: &Path) -> String {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name != "said.txt" {
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    files.sort();
    let compiled = Package::parse(Name::new("sample").unwrap(), files).and_then(|sample| {
        let mut packages = Package::builtin().expect("the built-in packages load");
        packages.push(sample);
        Catalog::of(&packages, json!({}))
    });
    match compiled {
        Ok(_) => String::new(),
        Err(found) => {
            found
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
                + "\n"
        }
    }
}

#[test]
fn each_fault_is_named_with_file_line_and_mend() {
    let bless = std::env::var_os("LEDGER_BLESS").is_some();
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() > 30, "the cases are gone");
    for case in cases {
        let said = said(&case);
        let file = case.join("said.txt");
        if bless {
            fs::write(&file, &said).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if said != expected || said.is_empty() {
            wrong.push(format!(
                "{}\n-- expected\n{expected}-- said\n{said}",
                case.display()
            ));
        }
    }
    let said = wrong.join("\n");
    assert!(said.is_empty(), "{said} (LEDGER_BLESS=1 writes them anew)");
}
