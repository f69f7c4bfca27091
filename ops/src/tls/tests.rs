//! Connection strings, and files that cannot be used.

use super::*;

fn parsed(text: &str) -> Url {
    Url::parse(text).expect(text)
}

#[test]
fn what_is_not_about_tls_stays_as_it_was() {
    for text in [
        "postgres://u:p@h:5432/d",
        "postgres://u:p?w@h/d?application_name=a%20b",
        "postgresql:///d?host=/run/x&user=u",
        "host=/tmp/x user=postgres dbname=d",
        "host = h password='a \\' b' user=u",
        "",
        "nonsense",
    ] {
        let url = parsed(text);
        assert_eq!(url.rest, text);
        assert_eq!((url.mode, url.files), (None, Files::default()));
    }
}

#[test]
fn both_forms_say_the_same() {
    let files = Files {
        ca: Some("/c a.pem".into()),
        certificate: Some("/c.pem".into()),
        key: Some("/k.pem".into()),
    };
    let url = parsed(
        "postgres://u:p?w@h/d?sslmode=verify-full&user=v&sslrootcert=/c%20a.pem&sslcert=/c.pem&sslkey=/k.pem",
    );
    assert_eq!(url.rest, "postgres://u:p?w@h/d?user=v");
    assert_eq!((url.mode, &url.files), (Some(Mode::VerifyFull), &files));
    let words = parsed(
        "host=h sslmode = verify-full user='u v' sslrootcert='/c a.pem' sslcert=/c.pem sslkey=/k.pem",
    );
    assert_eq!(words.rest, "host=h user='u v'");
    assert_eq!((words.mode, words.files), (url.mode, url.files));
    assert_eq!(
        parsed("postgres://h/d?sslmode=prefer").rest,
        "postgres://h/d"
    );
    let system = parsed("postgres://h/d?sslrootcert=system");
    assert_eq!(
        (system.mode, system.files.ca),
        (Some(Mode::VerifyFull), None)
    );
}

#[test]
fn another_mode_is_refused_with_those_there_are() {
    let said = Url::parse("host=h sslmode=allow")
        .expect_err("unknown")
        .render();
    assert!(
        said.contains("\"allow\"") && said.contains("verify-full"),
        "{said}"
    );
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").expect("written");
    let refused = |files: Files| {
        let refused = client("nats", &files, Check::Name).map(drop);
        refused.expect_err("unusable").render()
    };
    let ca = |file: &Path| Files {
        ca: Some(file.to_owned()),
        ..Files::default()
    };
    let missing = refused(ca(&folder.path().join("none.pem")));
    assert!(
        missing.contains("nats.ca") && missing.contains("none.pem"),
        "{missing}"
    );
    let hollow = refused(ca(&empty));
    assert!(hollow.contains("holds no certificate"), "{hollow}");
}

#[test]
fn half_of_a_client_certificate_is_refused() {
    let files = Files {
        certificate: Some("c.pem".into()),
        ..Files::default()
    };
    let said = client("nats", &files, Check::Nothing).map(drop);
    let said = said.expect_err("half").render();
    assert!(said.contains("nats.key is not"), "{said}");
}
