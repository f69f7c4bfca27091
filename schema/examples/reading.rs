//! How long reading a message takes: `cargo run --release -p schema --example reading`.
//!
//! Each line is one message, about 500 bytes of data, read over and over on one core; the best of many rounds.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use schema::envelope::{self, Envelope, Mode};
use schema::json::{self, Holds};
use schema::{Catalog, LedgerName, Message, Name};
use serde_json::json;

const ROUNDS: u32 = 200;
const TIMES: u32 = 1_000;

const KIND: &str = r#"
kind = "platform.environment"
title = "Environment"
about = "What is measured."
subject = "Its name."
view = "environments"
stateless = true
retention = "forever"

[events.created]
about = "It is there."
required = ["name", "region"]

[events.created.fields.name]
type = "string"
min = 1
max = 63
pattern = "[a-z][a-z0-9-]*"
about = "Its name."
example = "staging"

[events.created.fields.region]
type = "enum"
values = ["eu-central", "us-east"]
about = "Where it is."
example = "eu-central"

[events.created.fields.commit]
type = "string"
about = "What it was made from."
example = "9a44f3d932d7793d0b5f0b1c6a1cbb5d0a0f2d3c"

[events.created.fields.nodes]
type = "integer"
about = "How many machines."
example = 3

[events.created.fields.tags]
type = "array"
of = { type = "string" }
about = "Labels."
example = ["x"]
"#;

const DATA: &str = r#"{"name":"staging-eu-7","region":"eu-central","commit":"9a44f3d932d7793d0b5f0b1c6a1cbb5d0a0f2d3c","nodes":12,"tags":["team:platform","cost:42","tier:gold"],"state_url":"https://gitlab.example/api/v4/projects/42/terraform/state/staging","plan":{"add":14,"change":3,"destroy":0,"resources":["linode_instance.node[0]","linode_instance.node[1]","linode_nodebalancer.ingress","linode_firewall.edge"],"duration_s":81.25},"image":"sha256:eece025e432126ce23f223450a0326fbebde39cdf496a85d8c016293fc851978","note":"planned and applied by the nightly run"}"#;

fn structured(data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"0190b6a0-7c1e-7b11-9d2f-6f0f5c1e2a33","source":"https://gitlab.example/platform/infra/-/jobs/4711","type":"platform.environment.created","subject":"staging-eu-7","time":"2026-08-02T21:00:01.123456Z","authid":"ci@example","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":{data}}}"#
    )
}

fn message(headers: &[(&str, &str)], body: String) -> Message {
    let headers = headers.iter();
    let headers =
        headers.map(|(name, value)| ((*name).to_owned(), Bytes::copy_from_slice(value.as_bytes())));
    Message {
        nats_subject: "ledger.main.ingest.terraform.platform.environment.created".to_owned(),
        headers: headers.collect(),
        body: body.into(),
        stream_seq: 1,
        time_us: 0,
    }
}

/// Prints the best of many rounds: the others were disturbed by something else on the machine.
fn measure(what: &str, bytes: usize, mut run: impl FnMut()) {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..TIMES {
            run();
        }
        start.elapsed().as_nanos() / u128::from(TIMES)
    };
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
    println!("{what:<40} {bytes:>6} bytes {best:>6} ns");
}

fn main() -> Result<(), Box<dyn Error>> {
    let wrong = |found: Vec<schema::Diagnostic>| {
        found
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let catalog =
        Catalog::of_kind(&"platform.environment".parse()?, KIND, json!({})).map_err(wrong)?;
    let ledger = LedgerName::new("main")?;

    let plain = message(&[("Nats-Msg-Id", "c0ffee")], structured(DATA));
    let escaped = message(&[], structured(&DATA.replace('/', "\\/")));
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "0190b6a0-7c1e-7b11-9d2f-6f0f5c1e2a33"),
        (
            "ce-source",
            "https://gitlab.example/platform/infra/-/jobs/4711",
        ),
        ("ce-type", "platform.environment.created"),
        ("ce-subject", "staging%20eu-7"),
        ("ce-time", "2026-08-02T21:00:01.123456Z"),
        ("content-type", "application/json"),
    ];
    let binary = message(&headers, DATA.to_owned());
    for (what, message) in [
        ("read, structured", &plain),
        ("read, structured, with escapes", &escaped),
        ("read, binary", &binary),
    ] {
        let read = schema::read(message, &ledger, &catalog);
        read.map_err(|refusal| format!("{what}: {} at {:?}", refusal.reason, refusal.at))?;
        measure(what, message.body.len(), || {
            let _ = black_box(schema::read(black_box(message), &ledger, &catalog));
        });
    }
    let body = plain.body.as_ref();
    measure("beside it, BLAKE3 of the data", DATA.len(), || {
        black_box(blake3::hash(black_box(DATA.as_bytes())));
    });
    measure("of it, looking for secrets", body.len(), || {
        black_box(catalog.patterns().find_in(black_box(&plain), &ledger));
    });
    measure("of it, scanning the JSON", body.len(), || {
        black_box(json::scan(black_box(body), Holds::Attributes));
    });
    let members = json::scan(body, Holds::Attributes).members;
    measure("of it, judging the envelope", body.len(), || {
        black_box(Envelope::of(envelope::structured(black_box(&members))));
    });
    measure("of it, finding the mode", body.len(), || {
        black_box(Mode::of(black_box(&plain)));
    });
    let kind = catalog
        .kind(&"platform.environment".parse()?)
        .ok_or("the kind is there")?;
    let verb = Name::new("created")?;
    measure("of it, checking the fields", DATA.len(), || {
        let _ = black_box(kind.check(&verb, black_box(DATA.as_bytes())));
    });
    Ok(())
}
