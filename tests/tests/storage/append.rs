//! What each message becomes, and that it becomes so once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use ledger::append::{AppendError, Appender, Arrival, Kind};
use ledger::head::Head;
use proptest::prelude::*;
use schema::{Event, EventType, Name, Reason, Refusal};

use crate::support::{Fixture, STREAM, arrival, arrivals, event, main, message, vectors};

/// The messages that the vectors' chain was made of, and one more behind its last gap.
fn vector_arrivals() -> Vec<Arrival> {
    let vectors = vectors();
    let mut arrivals = Vec::new();
    for vector in vectors["events"].as_array().expect("events") {
        let text = |key: &str| vector[key].as_str().expect("text").to_owned();
        let number = |key: &str| vector[key].as_i64().expect("a number");
        let data = BASE64.decode(text("data")).expect("base64");
        let stream_seq = vector["stream_seq"].as_u64().expect("a number");
        let publisher = text("publisher");
        let mut message = message(stream_seq, &publisher);
        message.time_us = number("recorded_us");
        let read = match text("type").as_str() {
            "ledger.chain.started" | "ledger.stream.gap" => continue,
            "ledger.event.duplicate" => {
                let first: &Arrival = &arrivals[2];
                first.read.clone()
            }
            "ledger.event.quarantined" => {
                let data: serde_json::Value = serde_json::from_slice(&data).expect("JSON");
                let reason = data["reason"]
                    .as_str()
                    .and_then(Reason::parse)
                    .expect("a reason");
                if let Some(body) = data["body"].as_str() {
                    message.body = BASE64.decode(body).expect("base64").into();
                    message.headers = headers(&data["headers"]);
                }
                let subject = data["nats_subject"].as_str();
                let subject = subject.unwrap_or("ledger.main.ingest.Nobody.a.b.c");
                message.nats_subject = subject.into();
                let at = data["at"].as_str().unwrap_or_default().to_owned();
                Err(Refusal { reason, at })
            }
            event_type => Ok(Event {
                publisher: Name::new(&publisher).expect("legal"),
                source: text("source"),
                id: text("id"),
                event_type: EventType::parse(event_type).expect("legal"),
                subject: text("subject"),
                actor: text("actor"),
                context: text("context"),
                occurred_us: Some(number("occurred_us")),
                data: data.into(),
            }),
        };
        arrivals.push(Arrival { message, read });
    }
    arrivals.push(arrival(12, event("after the gap")));
    arrivals
}

fn headers(value: &serde_json::Value) -> Vec<(String, Bytes)> {
    let pair = |header: &serde_json::Value| {
        let value = BASE64
            .decode(header[1].as_str().expect("text"))
            .expect("base64");
        (header[0].as_str().expect("text").to_owned(), value.into())
    };
    value
        .as_array()
        .expect("headers")
        .iter()
        .map(pair)
        .collect()
}

#[tokio::test]
async fn the_vectors_chain_comes_of_the_vectors_messages() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    appender
        .append(STREAM, vector_arrivals())
        .await
        .expect("appended");
    let records = fixture.records().await;
    let vectors = vectors();
    for (vector, record) in vectors["events"]
        .as_array()
        .expect("events")
        .iter()
        .zip(&records)
    {
        let seq = record.header.seq;
        let hex_of = |key: &str| vector[key].as_str().expect("text").to_owned();
        let body = record.body.as_ref().expect("nothing was deleted");
        assert_eq!(BASE64.encode(&body.data), hex_of("data"), "data {seq}");
        assert_eq!(hex::encode(body.salt), hex_of("salt"), "salt {seq}");
        assert_eq!(
            hex::encode(record.data_commitment),
            hex_of("data_commitment"),
            "{seq}"
        );
        assert_eq!(
            hex::encode(record.event_hash),
            hex_of("event_hash"),
            "{record:?}"
        );
        assert_eq!(hex::encode(record.chain), hex_of("chain"), "chain {seq}");
    }
    assert_eq!(records.len(), 9);
}

/// One event, what is changed of it, and what the second one becomes.
#[tokio::test]
async fn the_same_again_is_a_duplicate_and_anything_else_a_conflict() {
    type Change = fn(&mut Event);
    let cases: [(&str, Change, bool); 10] = [
        ("nothing", |_| {}, true),
        (
            "type",
            |e| e.event_type = EventType::parse("platform.environment.created.v1").unwrap(),
            false,
        ),
        ("subject", |e| e.subject.push('x'), false),
        ("actor", |e| e.actor.clear(), false),
        ("context", |e| e.context = r#"{"a":"b"}"#.into(), false),
        (
            "data",
            |e| e.data = Bytes::from_static(b"{\"a\": 1}"),
            false,
        ),
        (
            "time",
            |e| e.occurred_us = e.occurred_us.map(|us| us + 1),
            false,
        ),
        ("no time", |e| e.occurred_us = None, false),
        (
            "publisher",
            |e| e.publisher = Name::new("other").unwrap(),
            false,
        ),
        ("source", |e| e.source.push('x'), false),
    ];
    // In one batch, and in two: what has the identity is then in memory, or in the database.
    for batches in [1, 2] {
        let fixture = Fixture::new().await;
        let mut appender = fixture.appender().await;
        let mut first = Vec::new();
        let mut second = Vec::new();
        for (at, (_, change, _)) in (1..).zip(&cases) {
            let one = event(&format!("case-{at}"));
            let mut other = one.clone();
            change(&mut other);
            first.push(arrival(at, one));
            second.push(arrival(at + 10, other));
        }
        let outcomes = if batches == 1 {
            first.extend(second);
            appender.append(STREAM, first).await.expect("appended")
        } else {
            let mut outcomes = appender.append(STREAM, first).await.expect("appended");
            outcomes.extend(appender.append(STREAM, second).await.expect("appended"));
            outcomes
        };
        for (at, (name, _, duplicate)) in (1..).zip(&cases) {
            let expected = match (*name, duplicate) {
                ("publisher" | "source", _) => Kind::Recorded,
                (_, true) => Kind::Duplicate { of: at },
                (_, false) => Kind::Quarantined(Reason::IdConflict),
            };
            let outcome = &outcomes[usize::try_from(at).unwrap() + 9];
            assert_eq!(
                (outcome.seq, &outcome.kind),
                (at + 10, &expected),
                "{name}, {batches} batches"
            );
        }
    }
}

#[tokio::test]
async fn an_absent_time_equals_the_time_of_recording() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let timeless = |id: &str| Event {
        occurred_us: None,
        ..event(id)
    };
    let recorded_us = message(1, "terraform").time_us;
    let timed = Event {
        occurred_us: Some(recorded_us),
        ..event("a")
    };
    let batch = vec![
        arrival(1, timeless("a")),
        arrival(2, timeless("a")),
        arrival(3, timed),
    ];
    let outcomes = appender.append(STREAM, batch).await.expect("appended");
    assert_eq!(outcomes[1].kind, Kind::Duplicate { of: 1 });
    assert_eq!(outcomes[2].kind, Kind::Duplicate { of: 1 });
    let outcomes = appender
        .append(STREAM, vec![arrival(4, timeless("a"))])
        .await
        .expect("appended");
    assert_eq!(outcomes[0].kind, Kind::Duplicate { of: 1 });
}

#[tokio::test]
async fn a_storm_of_duplicates_makes_progress() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    appender
        .append(STREAM, arrivals(1, 200))
        .await
        .expect("appended");
    for round in 1..4_u64 {
        let storm = (1..=200)
            .map(|n| arrival(round * 200 + n, event(&format!("id-{n}"))))
            .collect();
        let outcomes = appender.append(STREAM, storm).await.expect("appended");
        for (outcome, of) in outcomes.iter().zip(1..) {
            assert_eq!(outcome.kind, Kind::Duplicate { of });
        }
    }
    assert_eq!(appender.head().size, 801);
}

#[tokio::test]
async fn gaps_are_written_where_numbers_are_missing() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let batch = vec![
        arrival(3, event("c")),
        arrival(4, event("d")),
        arrival(9, event("i")),
    ];
    let outcomes = appender.append(STREAM, batch).await.expect("appended");
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.kind.clone())
        .collect();
    assert_eq!(
        kinds,
        [
            Kind::Gap,
            Kind::Recorded,
            Kind::Recorded,
            Kind::Gap,
            Kind::Recorded
        ]
    );
    let records = fixture.records().await;
    let data = |at: usize| records[at].body.as_ref().map(|body| body.data.clone());
    assert_eq!(data(1).as_deref(), Some(br#"{"from":1,"to":2}"#.as_slice()));
    assert_eq!(data(4).as_deref(), Some(br#"{"from":5,"to":8}"#.as_slice()));
    assert_eq!(records[4].header.recorded_us, records[3].header.recorded_us);
}

#[tokio::test]
async fn only_the_last_to_take_over_appends() {
    let fixture = Fixture::new().await;
    let mut old = fixture.appender().await;
    old.append(STREAM, arrivals(1, 3)).await.expect("appended");
    let mut new = fixture.appender().await;
    let fenced = old.append(STREAM, arrivals(4, 6)).await;
    assert!(
        matches!(fenced, Err(AppendError::Fenced { ours: 1, theirs: 2 })),
        "{fenced:?}"
    );
    new.append(STREAM, arrivals(4, 6)).await.expect("appended");
    assert_eq!(new.head().size, 7);
}

#[tokio::test]
async fn numbers_and_streams_must_follow() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    appender
        .append(STREAM, arrivals(1, 3))
        .await
        .expect("appended");
    let behind = appender.append(STREAM, arrivals(3, 4)).await;
    assert!(
        matches!(
            behind,
            Err(AppendError::OutOfOrder {
                expected: 4,
                arrived: 3
            })
        ),
        "{behind:?}"
    );
    let other = "LEDGER-main@1785704999000000";
    let refused = appender.append(other, arrivals(1, 2)).await;
    assert!(
        matches!(refused, Err(AppendError::OtherStream { last: 3, .. })),
        "{refused:?}"
    );
    let continued = |last: u64| Event {
        publisher: Name::new("ledger").unwrap(),
        source: "ledger://main".into(),
        event_type: EventType::parse("ledger.stream.continued").unwrap(),
        data: format!(r#"{{"stream":"{STREAM}","last":{last}}}"#).into(),
        ..event("continued")
    };
    let wrong = appender.append(other, vec![arrival(1, continued(2))]).await;
    assert!(
        matches!(wrong, Err(AppendError::OtherStream { .. })),
        "{wrong:?}"
    );
    let batch = vec![arrival(1, continued(3)), arrival(2, event("new"))];
    appender.append(other, batch).await.expect("appended");
    assert_eq!(
        (appender.head().stream.as_str(), appender.head().stream_seq),
        (other, 2)
    );
}

/// Plans know no more than their own batch: what the chain holds, and what an earlier plan turns out to be, changes
/// what they come to.
#[tokio::test]
async fn a_batch_that_was_planned_ahead_becomes_what_it_would_have_become() {
    let batches = || {
        [
            arrivals(1, 3),
            vec![arrival(4, event("id-2")), arrival(7, event("new"))],
            vec![arrival(8, event("new")), arrival(9, event("newer"))],
        ]
    };
    let (one, other) = (Fixture::new().await, Fixture::new().await);
    let mut in_turn = one.appender().await;
    let mut expected = Vec::new();
    for batch in batches() {
        expected.extend(in_turn.append(STREAM, batch).await.expect("appended"));
    }
    let mut ahead = other.appender().await;
    let (mut planner, mut behind, mut plans) = (ahead.planner(), ahead.head().clone(), Vec::new());
    for batch in batches() {
        let plan = planner.plan(behind, STREAM, batch).expect("planned");
        behind = plan.after();
        plans.push(plan);
    }
    let mut outcomes = Vec::new();
    for plan in plans {
        outcomes.extend(ahead.append_plan(plan).await.expect("appended"));
    }
    assert_eq!(outcomes, expected);
    assert_eq!(outcomes[3].kind, Kind::Duplicate { of: 2 });
    assert_eq!(ahead.head().chain, in_turn.head().chain);
}

#[tokio::test]
async fn a_plan_goes_behind_no_other_head_than_its_own() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let behind = appender.head().clone();
    let plan = appender.planner().plan(behind, STREAM, arrivals(1, 3));
    let plan = plan.expect("planned");
    let first = appender.append(STREAM, arrivals(1, 2)).await;
    assert_eq!(first.expect("appended").len(), 2);
    let refused = appender.append_plan(plan).await;
    assert!(
        matches!(
            refused,
            Err(AppendError::OutOfOrder {
                expected: 3,
                arrived: 1
            })
        ),
        "{refused:?}"
    );
    assert_eq!(appender.head().size, 3);
}

/// A server that cuts connections at any moment: everything is in once.
#[tokio::test]
async fn killed_backends_lose_and_double_nothing() {
    let fixture = Fixture::new().await;
    let admin = fixture.superuser().await;
    let database = fixture.database.clone();
    let killer = tokio::spawn(async move {
        for round in 0..40_u64 {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                        WHERE datname = $1 AND pid <> pg_backend_pid()";
            admin
                .execute(kill, &[&database])
                .await
                .expect("a superuser may");
            tokio::time::sleep(std::time::Duration::from_micros(700 + 331 * round)).await;
        }
    });
    let mut appender = fixture.appender_patiently().await;
    let (mut next, mut reported) = (1, 0);
    while next <= 3000 {
        match appender.append(STREAM, arrivals(next, next + 99)).await {
            Ok(outcomes) => {
                reported += outcomes.len();
                next += 100;
            }
            Err(AppendError::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    killer.await.expect("the killer ends");
    let records = fixture.records().await;
    assert_eq!((records.len(), reported), (3001, 3000));
    for (record, seq) in records.iter().zip(0..) {
        assert_eq!((record.header.seq, record.header.stream_seq), (seq, seq));
    }
}

#[tokio::test]
async fn an_append_that_the_caller_gave_up_is_in_once() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let mut given_up = 0;
    for from in (1..1000).step_by(50) {
        for patience_us in (0..).step_by(400) {
            let patience = std::time::Duration::from_micros(patience_us);
            let append = appender.append(STREAM, arrivals(from, from + 49));
            match tokio::time::timeout(patience, append).await {
                Ok(result) => {
                    result.expect("appended");
                    break;
                }
                Err(_) => given_up += 1,
            }
        }
    }
    assert!(given_up > 0);
    let records = fixture.records().await;
    assert_eq!(records.len(), 1001);
    for (record, seq) in records.iter().zip(0..) {
        assert_eq!((record.header.seq, record.header.stream_seq), (seq, seq));
    }
}

impl Fixture {
    async fn appender_patiently(&self) -> Appender {
        loop {
            let taken = Appender::take_over(self.db.clone(), &main(), self.keyring.clone()).await;
            if let Ok(appender) = taken {
                return appender;
            }
        }
    }
}

#[tokio::test]
async fn a_message_that_postgres_refuses_is_found_and_the_ones_before_it_kept() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let mut batch = arrivals(1, 50);
    batch[36]
        .read
        .as_mut()
        .expect("an event")
        .subject
        .push('\0');
    let refused = appender.append(STREAM, batch).await;
    assert!(
        matches!(refused, Err(AppendError::Refused { stream_seq: 37, .. })),
        "{refused:?}"
    );
    assert_eq!(appender.head().stream_seq, 36);
    let head = Head::load(&fixture.db, &main())
        .await
        .expect("read")
        .expect("there");
    assert_eq!(&head, appender.head());
}

/// A stream in which everything occurs: new events, the same again, conflicts, refusals, gaps.
fn stream() -> impl Strategy<Value = Vec<Arrival>> {
    let one = (1_u64..4, 0_u8..30, 0_u8..2, prop::bool::weighted(0.1));
    prop::collection::vec(one, 1..60).prop_map(|messages| {
        let mut stream_seq = 0;
        let build = |(step, id, data, refused): (u64, u8, u8, bool)| {
            stream_seq += if step == 3 { 5 } else { 1 };
            let mut event = event(&format!("id-{id}"));
            event.data = format!("{{\"n\":{data}}}").into();
            let mut arrival = arrival(stream_seq, event);
            if refused {
                let at = "/n".to_owned();
                arrival.read = Err(Refusal {
                    reason: Reason::DataInvalid,
                    at,
                });
            }
            arrival
        };
        messages.into_iter().map(build).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]
    #[test]
    fn batches_do_not_change_the_chain(stream in stream(), cuts in prop::collection::vec(1_usize..20, 1..20)) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (whole, parts, planned) = runtime.block_on(async {
            let whole = Fixture::new().await;
            whole.appender().await.append(STREAM, stream.clone()).await.expect("appended");
            let (parts, planned) = (Fixture::new().await, Fixture::new().await);
            let mut appender = parts.appender().await;
            let mut ahead = planned.appender().await;
            let (mut planner, mut behind, mut plans) = (ahead.planner(), ahead.head().clone(), Vec::new());
            let mut rest = stream;
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let later = rest.split_off((*cut).min(rest.len()));
                let plan = planner.plan(behind, STREAM, rest.clone()).expect("planned");
                behind = plan.after();
                plans.push(plan);
                appender.append(STREAM, rest).await.expect("appended");
                rest = later;
            }
            for plan in plans {
                ahead.append_plan(plan).await.expect("appended");
            }
            (whole.records().await, parts.records().await, planned.records().await)
        });
        prop_assert_eq!(&whole, &planned);
        prop_assert_eq!(whole, parts);
    }
}
