//! The reference pages that follow from the program itself, and the test that they are current.
//!
//! `LEDGER_BLESS=1 cargo nextest run -p ops reference` writes them anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use projections::view;
use schema::{Catalog, Package};

use crate::cli::Cli;
use crate::config::{Settings, variable_of};

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference")
        .join(name)
}

fn cli() -> String {
    let mut program = Cli::command().term_width(100);
    program.build();
    let mut text = String::from(
        "# The command line\n\n\
         <!-- Generated from the program: LEDGER_BLESS=1 cargo nextest run -p ops reference -->\n\n\
         What is asked for goes to standard output, everything else to standard error. JSON is the contract\n\
         with scripts; tables are for people and may change. Times are RFC 3339, an age (`7d`), a period\n\
         (`2026-Q3`, `2026-07`, `yesterday`), and are printed as RFC 3339 UTC.\n",
    );
    describe(&mut text, &program, 2);
    text
}

fn describe(text: &mut String, command: &clap::Command, depth: usize) {
    let title = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let help = command
        .clone()
        .term_width(100)
        .render_long_help()
        .to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(
        text,
        "\n{} {title}\n\n```text\n{}\n```\n",
        "#".repeat(depth),
        lines.join("\n").trim_end()
    );
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        describe(text, inner, depth + 1);
    }
}

fn configuration() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         <!-- Generated from the program: LEDGER_BLESS=1 cargo nextest run -p ops reference -->\n\n\
         A TOML file, then `LEDGER_…` variables, then flags; what comes later wins. The file is the one of\n\
         `--config`, of the folder in `--data`, `$LEDGER_CONFIG`, `./ledger.toml`, or the one in the data folder of `ledger up`.\n\
         A key that is not listed here is refused, with its line. Paths in the file are relative to it.\n\n\
         | key | variable | what it says |\n| --- | --- | --- |\n",
    );
    for (key, about) in Settings::keys() {
        let _ = writeln!(text, "| `{key}` | `{}` | {about} |", variable_of(key));
    }
    text.push_str(
        "\nThe table `[settings]` holds the catalog's settings, those that rules and retention name; `ledger catalog\n\
         activate` puts them into the chain, and everything is judged by them from there on. [All of them](settings.md),\n\
         with their defaults and bounds:\n\n\
         ```toml\n[settings]\nquarter = \"91d\"\n\n[settings.retention]\nnotice = \"14d\"\n\
         keep = { \"cluster.provisioning_run\" = \"730d\" }\n```\n",
    );
    text.push_str(
        "\nOf the programs' own variables, `LEDGER_DATA` names the data folder of `ledger up`,\n\
         `LEDGER_POSTGRES_BIN` the folder of PostgreSQL's programs, `LEDGER_NATS_SERVER` the NATS server, and\n\
         `NO_COLOR` turns colours off.\n",
    );
    text
}

fn views() -> String {
    let catalog = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        serde_json::json!({}),
    );
    let views = view::catalog(&catalog.expect("the built-in kinds compile"));
    let mut text = String::from(
        "# Views\n\n\
         <!-- Generated from the program: LEDGER_BLESS=1 cargo nextest run -p ops reference -->\n\n\
         What people and dashboards read: views in the schema `views`, open to the roles `ledger_reader` and\n\
         `ledger_auditor`. They follow the active catalog; `ledger catalog views` lists those of your own kinds as well.\n\n\
         Every kind has a flat view, a row an entity (a row an event where the kind's entities have no state). Its first\n\
         columns are the same everywhere; a field with the name of one of them has `data_` before it. Arrays and maps are\n\
         text and a count, the members of small objects have columns of their own. A value that does not fit its column is\n\
         null. Once data of an entity was deleted, its sensitive fields are null. A name that would be longer than 63 bytes,\n\
         or is taken, is cut and ends in eight digits.\n",
    );
    let (derived, flat): (Vec<_>, Vec<_>) = views
        .iter()
        .partition(|one| view::derived().iter().any(|other| other.name == one.name));
    for (title, views) in [("Derived views", derived), ("Flat views", flat)] {
        let _ = write!(text, "\n## {title}\n");
        for one in views {
            let _ = write!(text, "\n{}", view::page(one, 3));
        }
    }
    text
}

#[test]
fn the_reference_is_current() {
    for (name, text) in [
        ("cli.md", cli()),
        ("configuration.md", configuration()),
        ("views.md", views()),
    ] {
        let path = page(name);
        if std::env::var_os("LEDGER_BLESS").is_some() {
            std::fs::write(&path, &text).expect("the page can be written");
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == text,
            "docs/reference/{name} is not current: LEDGER_BLESS=1 writes it anew"
        );
    }
}

#[test]
fn the_tree_of_commands_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_examples_that_are_not_broken_into_lines() {
    fn visit(command: &clap::Command, faults: &mut Vec<String>) {
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
        let text = command.get_after_help().map(ToString::to_string);
        let text = text.unwrap_or_default();
        if !text.contains("Examples:") && !text.contains("Try it:") {
            faults.push(format!("{name} has no examples"));
        }
        let long = text.lines().filter(|line| line.chars().count() > 100);
        faults.extend(long.map(|line| format!("{name}: {line}")));
        for inner in command.get_subcommands() {
            if inner.get_name() != "help" {
                visit(inner, faults);
            }
        }
    }
    let mut program = Cli::command();
    program.build();
    let mut faults = Vec::new();
    visit(&program, &mut faults);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_option_takes_an_empty_value() {
    fn visit(command: &clap::Command, path: &[String]) {
        for argument in command
            .get_arguments()
            .filter(|argument| argument.get_action().takes_values())
        {
            let Some(long) = argument.get_long() else {
                continue;
            };
            let mut line = path.to_vec();
            line.push(format!("--{long}="));
            let refused = Cli::command()
                .try_get_matches_from(&line)
                .expect_err(&line.join(" "));
            assert_eq!(refused.exit_code(), 2, "{line:?}");
            let about_it = [
                clap::error::ErrorKind::ValueValidation,
                clap::error::ErrorKind::InvalidValue,
            ];
            assert!(about_it.contains(&refused.kind()), "{line:?}: {refused}");
        }
        for inner in command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help")
        {
            let mut path = path.to_vec();
            path.push(inner.get_name().to_owned());
            visit(inner, &path);
        }
    }
    visit(&Cli::command(), &["ledger".to_owned()]);
}
