//! Which layer wins, and what is refused.

use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ledger.toml");
    std::fs::write(&file, text).expect("written");
    (folder, file)
}

fn refusal(text: &str) -> String {
    let (_folder, file) = file(text);
    let failure = load(Some(&file), &Variables::new(), Settings::default()).expect_err(text);
    assert_eq!(failure.exit(), crate::exit::Exit::Usage);
    failure.render()
}

#[test]
fn flags_win_over_variables_and_these_over_the_file() {
    let (_folder, file) =
        file("ledger = 'one'\norigin = 'a/one'\n[seal]\nevents = 5\nseconds = 3\n");
    let variables: Variables = [("LEDGER_LEDGER", "two"), ("LEDGER_SEAL_EVENTS", "6")]
        .map(|(k, v)| (k.into(), v.into()))
        .into();
    let flags = Settings {
        ledger: Some("three".to_owned()),
        ..Settings::default()
    };
    let config = load(Some(&file), &variables, flags).expect("legal");
    assert_eq!(config.ledger.as_str(), "three");
    assert_eq!(config.seal_events, 6);
    assert_eq!(config.seal_every, Duration::from_secs(3));
    assert_eq!(config.origin.as_deref(), Some("a/one"));
}

#[test]
fn what_was_typed_names_the_file() {
    let (folder, ours) = file("");
    let variables: Variables = [("LEDGER_CONFIG".to_owned(), "/elsewhere.toml".to_owned())].into();
    let found = |named, data| find(named, data, &variables).expect("legal");
    assert_eq!(found(None, Some(folder.path())), Some(ours.clone()));
    let named = Path::new("/named.toml");
    assert_eq!(
        found(Some(named), Some(folder.path())),
        Some(named.to_owned())
    );
    assert_eq!(found(None, None), Some(PathBuf::from("/elsewhere.toml")));
    // A folder without one is not passed over in silence.
    let none = folder.path().join("none");
    assert_eq!(found(None, Some(&none)), Some(none.join("ledger.toml")));
    let beside = find_beside(None, folder.path(), &Variables::new()).expect("legal");
    assert_eq!(beside, Some(ours));
    assert_eq!(
        find_beside(None, &none, &Variables::new()).expect("legal"),
        None
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let said = refusal("ledger = 'one'\n\n[postgres]\nurll = 'x'\n");
    assert!(
        said.contains("ledger.toml:4: unknown field `urll`"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_is_named() {
    assert!(refusal("ledger = 'Upper'").contains("\"Upper\""));
    assert!(refusal("origin = 'https://x'").contains("https://x"));
    assert!(refusal("origin = ''").contains("origin is empty"));
    assert!(refusal("[seal]\nevents = 0").contains("seal.events"));
    assert!(refusal("[postgres]\nconnections = 3").contains("4 or more"));
    assert!(refusal("[http]\nlisten = 'here'").contains("\"here\""));
    assert!(refusal("[log]\nformat = 'xml'").contains("\"xml\""));
}

#[test]
fn an_empty_variable_is_refused() {
    let variables: Variables = [("LEDGER_POSTGRES_URL".to_owned(), String::new())].into();
    let failure = load(None, &variables, Settings::default()).expect_err("empty");
    assert!(
        failure.render().contains("LEDGER_POSTGRES_URL"),
        "{}",
        failure.render()
    );
}

#[test]
fn paths_in_a_file_are_relative_to_it() {
    let (folder, file) = file("[data]\nkeys = 'k'\n");
    let config = load(Some(&file), &Variables::new(), Settings::default()).expect("legal");
    assert_eq!(config.keys, folder.path().join("k"));
}
