//! Who may say what, and what nobody may: types, subjects, the ledger's own, secrets.

use schema::{Reason, Refusal};

use crate::{SUBJECT, binary, message, read, refused, secret, structured, with};

#[test]
fn types_subjects_and_who_may_speak() {
    let to = |subject: &str, event_type: &str, source: &str| {
        let body = with(r#","data":{}"#)
            .replace("platform.environment.created", event_type)
            .replace("urn:tf", source);
        read(&message(subject, &[], body)).map(|event| event.publisher.as_str().to_owned())
    };
    let refused = |reason: Reason, at: &str| {
        Err(Refusal {
            reason,
            at: at.to_owned(),
        })
    };
    let created = "platform.environment.created";
    for event_type in [
        "platform.environment",
        "",
        "Platform.environment.created",
        "a.b.c.v0",
    ] {
        assert_eq!(
            to(SUBJECT, event_type, "x"),
            refused(Reason::EnvelopeType, "type")
        );
    }
    for subject in [
        "",
        "ledger",
        "ledger.main.ingest.terraform.platform.environment",
        "ledger.main.ingest.terraform.platform.environment.created.v1",
        "ledger.main.ingest.terraform.platform.environment.updated",
        "ledger.other.ingest.terraform.platform.environment.created",
        "ledger.mai.ingest.terraform.platform.environment.created",
        "ledger.main.event.terraform.platform.environment.created",
        "ledger.main.ingest.Terraform.platform.environment.created",
        "ledger.main.ingest..platform.environment.created",
        "ledger.main.ingest.a.b.platform.environment.created",
    ] {
        assert_eq!(
            to(subject, created, "x"),
            refused(Reason::SubjectMismatch, ""),
            "{subject}"
        );
    }
    assert_eq!(to(SUBJECT, created, "x").as_deref(), Ok("terraform"));
    assert_eq!(
        to(SUBJECT, "platform.environment.created.v1", "x").as_deref(),
        Ok("terraform")
    );
    for source in ["ledger:x", "LEDGER://main", "Ledger:"] {
        assert_eq!(
            to(SUBJECT, created, source),
            refused(Reason::PublisherReserved, "")
        );
    }
    let by_ledger = SUBJECT.replace("terraform", "ledger");
    assert_eq!(
        to(&by_ledger, created, "ledger://main").as_deref(),
        Ok("ledger")
    );
    assert_eq!(
        to(SUBJECT, "platform.environment.created.v2", "x"),
        refused(Reason::TypeUnknown, "")
    );
    let other = SUBJECT.replace("environment", "nothing");
    assert_eq!(
        to(&other, "platform.nothing.created", "x"),
        refused(Reason::TypeUnknown, "")
    );
}

#[test]
fn operators_decide_what_people_decide_and_nothing_else() {
    let publish = |publisher: &str, event_type: &str, source: &str| {
        let subject = format!("ledger.main.ingest.{publisher}.{event_type}");
        let body = with(r#","data":{"of no kind":1}"#)
            .replace("platform.environment.created", event_type)
            .replace("urn:tf", source);
        read(&message(&subject, &[], body))
            .expect_err("the data is invalid")
            .reason
    };
    let people = [
        "ledger.incident.acknowledged",
        "ledger.incident.resolved",
        "ledger.hold.placed",
        "ledger.hold.released",
        "ledger.redaction.requested",
        "ledger.task.closed",
        "ledger.rule.silenced",
    ];
    for event_type in people {
        assert_eq!(
            publish("oncall", event_type, "x"),
            Reason::DataInvalid,
            "{event_type}"
        );
        assert_eq!(
            publish("oncall", event_type, "ledger:x"),
            Reason::PublisherReserved
        );
        assert_eq!(
            publish("terraform", event_type, "x"),
            Reason::PublisherReserved
        );
        assert_eq!(publish("ledger", event_type, "x"), Reason::DataInvalid);
    }
    for kind in crate::CATALOG
        .kinds()
        .filter(|kind| kind.name.package.as_str() == "ledger")
    {
        for event in &kind.events {
            let event_type = format!("{}.{}", kind.name, event.verb);
            if !people.contains(&event_type.as_str()) {
                let found = publish("oncall", &event_type, "x");
                assert_eq!(found, Reason::PublisherReserved, "{event_type}");
            }
        }
    }
    assert_eq!(
        publish("oncall", "ledger.nothing.known", "x"),
        Reason::PublisherReserved
    );
    assert_eq!(
        publish("ledger", "ledger.nothing.known", "x"),
        Reason::TypeUnknown
    );
}

#[test]
fn secrets_are_looked_for_everywhere_first() {
    let suspected = refused(Reason::SecretSuspected, "");
    let secret = secret();
    let escaped = secret.replace("AGE", r"\u0041GE");
    let encoded = secret.replace("AGE", "%41GE");
    let good = with(r#","data":{}"#);
    for found in [
        structured(&with(&format!(r#","data":{{"note":"{secret}"}}"#))),
        structured(&with(&format!(r#","data":{{"note":"{escaped}"}}"#))),
        structured(&with(&format!(r#","data":{{"{escaped}":1}}"#))),
        structured(&format!("{secret}{}", "x".repeat(600_000))),
        // Cut off: its JSON is broken, and it must not be kept all the same.
        structured(&format!(r#"{{"specversion":"1.0","note":"{escaped}"#)),
        // A quote is lost: what is between quotes and what is not have changed places.
        structured(&with(&format!(r#","x":","data":{{"note":"{escaped}"}}"#))),
        read(&message(
            &format!("ledger.main.ingest.{secret}"),
            &[],
            good.clone(),
        )),
        read(&message(SUBJECT, &[("other", &secret)], good.clone())),
        read(&message(SUBJECT, &[("other", &encoded)], good.clone())),
        read(&binary(&[("ce-foo", &encoded)], "{}")),
        structured(&with(r#","data":{"url":"https:\/\/u:secret@host\/"}"#)),
        structured(&with(
            r#","data":{"url":"https://b/k?a=1\u0026X-Amz-Signature=0123456789"}"#,
        )),
    ] {
        assert_eq!(found, suspected);
    }
    assert!(structured(&with(&format!(r#","data":{{"note":"{encoded}"}}"#))).is_ok());
}

#[test]
fn the_catalogs_own_files_are_exempt() {
    let body = format!(r#"{{"specversion":"1.0","note":"{}"}}"#, secret());
    let to = |subject: &str| {
        read(&message(subject, &[], body.clone()))
            .expect_err("incomplete")
            .reason
    };
    let exempt = "ledger.main.ingest.ledger.ledger.catalog.recorded";
    assert_eq!(to(exempt), Reason::EnvelopeAttribute);
    for other in [
        "ledger.other.ingest.ledger.ledger.catalog.recorded",
        "ledger.main.ingest.oncall.ledger.catalog.recorded",
        "ledger.main.ingest.ledger.ledger.catalog.activated",
        "ledger.main.ingest.ledger.ledger.catalog.recorded.v1",
    ] {
        assert_eq!(to(other), Reason::SecretSuspected, "{other}");
    }
}
