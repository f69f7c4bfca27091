//! Lists the kind files, so that adding one is adding one file.
#![allow(
    clippy::disallowed_methods,
    reason = "a build script is told by the environment where to write"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=kinds");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("kinds");
    let mut code = String::from("&[\n");
    for package in names(&root)? {
        let folder = root.join(&package);
        if !folder.is_dir() {
            continue;
        }
        println!("cargo:rerun-if-changed=kinds/{package}");
        writeln!(code, "    ({package:?}, &[")?;
        for file in names(&folder)?
            .into_iter()
            .filter(|file| file.strip_suffix(".toml").is_some())
        {
            println!("cargo:rerun-if-changed=kinds/{package}/{file}");
            let path = folder.join(&file);
            let path = path.display().to_string();
            writeln!(code, "        ({file:?}, include_str!({path:?})),")?;
        }
        code.push_str("    ]),\n");
    }
    code.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("kinds.rs"), code)?;
    Ok(())
}

/// What a folder holds, sorted, so that the same tree gives the same program.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
