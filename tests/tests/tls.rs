//! TLS to both servers, as the configuration says it: whom the program trusts, and what it says where it does not.

use std::fs;
use std::path::Path;

use tests::program::{Ran, eventually};
use tests::tls::{Authority, Pair};
use tests::{Installation, Nats, Postgres, feed};

const NAME: &str = "db.ledger.example";

/// Asks the database for something, with these words about the connection in the configuration.
async fn asked(installation: &Installation, words: &str, keys: &str) -> Ran {
    let postgres = &installation.postgres;
    let text = format!(
        "ledger = \"main\"\n[postgres]\nurl = \"hostaddr=127.0.0.1 port={} user=postgres dbname={} {words}\"\n{keys}\n\
         [nats]\nurl = \"nats://127.0.0.1:1\"\n",
        postgres.port(),
        installation.database
    );
    fs::write(installation.config(), text).expect("the configuration can be written");
    installation.run(["log"]).await
}

fn ca(file: &Path) -> String {
    format!("ca = \"{}\"", file.display())
}

#[track_caller]
fn refused(ran: Ran, words: &[&str]) {
    let ran = ran.expect(2);
    for word in words {
        assert!(ran.err.contains(word), "{word:?} is not in:\n{}", ran.err);
    }
}

#[tokio::test]
async fn postgres_is_trusted_as_far_as_sslmode_says() {
    let (ours, strange) = (Authority::new(), Authority::new());
    let postgres = Postgres::start_tls(&ours.sign(&[NAME]), None).await;
    let installation = Installation::bare(postgres, Nats::start().await).await;
    installation.run(["init"]).await.expect(0);
    let (ours, strange) = (ca(&ours.file()), ca(&strange.file()));
    let right = format!("host={NAME}");
    for (words, keys) in [
        (format!("{right} sslmode=verify-full"), ours.as_str()),
        // An authority and no mode: the strictest.
        (right.clone(), ours.as_str()),
        ("host=other.example sslmode=verify-ca".to_owned(), &ours),
        ("host=other.example sslmode=require".to_owned(), ""),
        ("host=other.example sslmode=prefer".to_owned(), ""),
        (right.clone(), ""),
        (format!("{right} sslmode=disable"), ""),
    ] {
        asked(&installation, &words, keys).await.expect(0);
    }
    let wrong_name = asked(
        &installation,
        "host=other.example sslmode=verify-full",
        &ours,
    )
    .await;
    refused(
        wrong_name,
        &["other.example", NAME, "mend: connect by a name"],
    );
    for mode in ["verify-full", "verify-ca", "require"] {
        let unknown = asked(&installation, &format!("{right} sslmode={mode}"), &strange).await;
        refused(unknown, &["UnknownIssuer", "postgres.ca"]);
    }
    let lax = asked(&installation, &format!("{right} sslmode=prefer"), &ours).await;
    refused(lax, &["verifies nothing", "verify-full"]);
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let postgres = Postgres::start_tcp().await;
    let installation = Installation::bare(postgres, Nats::start().await).await;
    installation.run(["init"]).await.expect(0);
    for words in ["sslmode=require", "sslmode=verify-full"] {
        let plain = asked(&installation, &format!("host=127.0.0.1 {words}"), "").await;
        refused(plain, &["does not support TLS", "sslmode=disable"]);
    }
    asked(&installation, "host=127.0.0.1 sslmode=prefer", "")
        .await
        .expect(0);
}

#[tokio::test]
async fn postgres_may_ask_for_our_certificate() {
    let authority = Authority::new();
    let server = Postgres::start_tls(&authority.sign(&[NAME]), Some(&authority.file())).await;
    let installation = Installation::bare(server, Nats::start().await).await;
    installation.run(["init"]).await.expect(0);
    let words = format!("host={NAME} sslmode=verify-full");
    let unknown = asked(&installation, &words, &ca(&authority.file())).await;
    assert_ne!(unknown.code, 0, "nobody without a certificate");
    assert!(
        unknown.err.contains("client certificate"),
        "{}",
        unknown.err
    );
    let pair = authority.sign(&["ledger"]);
    asked(
        &installation,
        &words,
        &format!("{}\n{}", ca(&authority.file()), shown(&pair)),
    )
    .await
    .expect(0);
}

fn shown(pair: &Pair) -> String {
    format!(
        "certificate = \"{}\"\nkey = \"{}\"",
        pair.certificate.display(),
        pair.key.display()
    )
}

/// A NATS server that lets in only whom the authority knows, and only with the password.
async fn nats(authority: &Authority) -> Nats {
    let pair = authority.sign(&["127.0.0.1"]);
    Nats::start_with(&format!(
        "authorization {{ user: ledger, password: secret }}\n\
         tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        pair.certificate.display(),
        pair.key.display(),
        authority.file().display()
    ))
    .await
}

#[tokio::test]
async fn everything_over_tls() {
    let authority = Authority::new();
    let postgres = Postgres::start_tls(&authority.sign(&[NAME]), None).await;
    let installation = Installation::bare(postgres, nats(&authority).await).await;
    let ours = authority.sign(&["ledger"]);
    configure(&installation, "127.0.0.1", &authority.file(), &shown(&ours));
    installation.run(["init"]).await.expect(0);
    let serving = installation.serve().await;
    let event = feed::created("one", "staging");
    let published = installation
        .run_with(["publish", "--wait", "-", "-o", "json"], &event)
        .await;
    let status = published.json();
    assert_eq!(status[0]["status"], "recorded", "{status}");
    eventually("everything is signed and holds", async || {
        installation.run(["verify"]).await.code == 0
    })
    .await;
    assert_eq!(serving.stop().await, 0);

    configure(&installation, "localhost", &authority.file(), &shown(&ours));
    refused(
        installation.run(["status"]).await,
        &["localhost", "mend: connect by a name"],
    );
    configure(
        &installation,
        "127.0.0.1",
        &Authority::new().file(),
        &shown(&ours),
    );
    refused(installation.run(["status"]).await, &["postgres.ca"]);
    configure(&installation, "127.0.0.1", &authority.file(), "");
    refused(installation.run(["status"]).await, &["nats.certificate"]);
}

fn configure(installation: &Installation, host: &str, ca: &Path, shown: &str) {
    let postgres = &installation.postgres;
    let text = format!(
        "ledger = \"main\"\norigin = \"ledger.example/main\"\n\
         [postgres]\nurl = \"postgres://postgres@{NAME}:{}/{}?hostaddr=127.0.0.1\"\nca = \"{ca}\"\n\
         [nats]\nurl = \"tls://{host}:{}\"\nuser = \"ledger\"\npassword = \"secret\"\nca = \"{ca}\"\n{shown}\n\
         [publish]\nuser = \"ledger\"\npassword = \"secret\"\npublisher = \"ci\"\n{shown}\n\
         [http]\nlisten = \"127.0.0.1:{}\"\n[data]\nkeys = \"keys\"\nhead = \"head\"\n",
        postgres.port(),
        installation.database,
        installation.nats.port(),
        installation.port(),
        ca = ca.display(),
    );
    fs::write(installation.config(), text).expect("the configuration can be written");
}
