//! Every command that the documentation, the README and the demo show is one that the program takes.

use std::path::{Path, PathBuf};

use clap::CommandFactory;

use crate::cli::Cli;

/// The words of a command in a shell, up to where it ends: a comment, a pipe, a list.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            ('#', None) if word.is_none() => break,
            ('|' | '&' | ';' | '>' | '<' | ')', None) => break,
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Whether a word stands for something else, as `KIND` and `$KEY` do.
fn is_placeholder(word: &str) -> bool {
    let name = word.chars().all(|c| c.is_ascii_uppercase() || c == '-');
    word.contains(['$', '…', '('])
        || word.ends_with(':')
        || name && word.contains(|c: char| c.is_ascii_uppercase())
}

/// A text in which a command that goes on in the next line stands in one.
fn joined(text: &str) -> String {
    let mut parts = text.split("\\\n");
    let mut joined = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        joined.push_str(part.trim_start());
    }
    joined
}

/// A sentence may name a command without what belongs to it.
fn is_unfinished(error: &clap::Error) -> bool {
    use clap::error::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::MissingRequiredArgument
            | Kind::MissingSubcommand
            | Kind::DisplayHelpOnMissingArgumentOrSubcommand
            | Kind::InvalidValue
    )
}

/// The pages for people, with the README: every Markdown file below a folder.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

#[test]
fn every_command_in_the_documentation_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = vec![root.join("README.md"), root.join("ops/demo")];
    pages(&root.join("docs"), &mut found);
    let (mut commands, mut faults) = (0, Vec::new());
    for path in found {
        let text = std::fs::read_to_string(&path).expect("text");
        let mut inside = false;
        let text = joined(&text);
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                inside = !inside;
            }
            // In the help's own pages sentences stand among the examples, which are indented.
            if path.ends_with("cli.md") && !line.starts_with("  ") {
                continue;
            }
            let line = line.trim_start().trim_start_matches("$ ");
            // In a sentence a command stands between backquotes.
            let quoted = line.split('`').skip(1).step_by(2);
            let lines: Vec<&str> = if inside || path.ends_with("demo") {
                line.split("&&")
                    .flat_map(|part| part.split(" | "))
                    .collect()
            } else {
                quoted.collect()
            };
            for line in lines {
                // Behind a gap stands a remark.
                let words = words(line.trim().split("   ").next().unwrap_or_default());
                let is_one = words.first().is_some_and(|word| word == "ledger")
                    && words.len() > 1
                    && words.get(1).is_none_or(|word| word != "=")
                    && !words.iter().any(|word| is_placeholder(word));
                if !is_one {
                    continue;
                }
                commands += 1;
                if let Err(error) = Cli::command().try_get_matches_from(&words)
                    && error.use_stderr()
                    && (inside || !is_unfinished(&error))
                {
                    faults.push(format!("{}: {line}\n  {error}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(commands > 100, "only {commands} are found");
}

#[test]
fn the_readme_counts_the_sample() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).expect("text");
    let lines = |name: &str| read(name).lines().filter(|line| !line.is_empty()).count();
    let events = lines("ops/samples/quarter.ndjson");
    let broken = lines("ops/samples/broken.ndjson");
    let readme = read("README.md");
    for said in [
        format!("{events} events of"),
        format!("{broken} messages that"),
    ] {
        assert!(readme.contains(&said), "the README does not say {said:?}");
    }
}
