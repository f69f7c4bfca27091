//! A server that lets in only whom it knows, and speaks TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::rustls::pki_types::CertificateDer;
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::{ClientConfig, RootCertStore};
use ingest::Fate;
use ingest::nats::{Auth, NatsError};
use ingest::publish::{Options, Outbound, Status, publish};
use schema::Name;
use tests::tls::Authority;
use tests::{Nats, Postgres};

use crate::support::{World, beat, main};

fn trusting(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    roots.add(certificate).expect("added");
    let config = ClientConfig::builder().with_root_certificates(roots);
    Arc::new(config.with_no_client_auth())
}

#[tokio::test]
async fn a_user_over_tls() {
    let authority = Authority::new();
    let pair = authority.sign(&["127.0.0.1"]);
    let nats = Nats::start_with(&format!(
        "authorization {{ user: ledger, password: secret }}\n\
         tls {{ cert_file: \"{}\", key_file: \"{}\" }}",
        pair.certificate.display(),
        pair.key.display()
    ))
    .await;
    let mut system = ingest::Nats::new([nats.url()]);
    system.patience = Duration::from_secs(5);
    system.tls = Some(trusting(&authority.file()));
    let stranger = system.connect("test").await;
    let stranger = stranger.expect_err("nobody without a password");
    assert!(
        matches!(&stranger, NatsError::Connect { .. }) && !stranger.is_unavailable(),
        "{stranger:?}"
    );
    system.auth = Auth::Password {
        user: "ledger".to_owned(),
        password: "secret".to_owned(),
    };
    let world = World::reached_by(nats, Postgres::shared().await, system.clone()).await;
    let (consume, notify) = (world.consume().await, world.notify());
    let options = Options {
        nats: system,
        ledger: main(),
        in_flight: 16,
        spool: None,
        wait: Some(Duration::from_secs(20)),
    };
    let item = Outbound::new(&main(), &Name::new("ledger").expect("legal"), beat(1));
    let mut found = None;
    publish(&options, [item], |_, _, status| found = Some(status))
        .await
        .expect("published");
    assert_eq!(found, Some(Status::Settled(Fate::Recorded { seq: 1 })));
    notify.stop().await.expect("stopped in order");
    consume.stop().await.expect("stopped in order");
}
