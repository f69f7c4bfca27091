//! What each message becomes, and that it becomes so once.

use bytes::Bytes;
use ledger::append::{AppendError, Kind};
use schema::{Event, EventType, Name, Reason};

use crate::support::{Fixture, STREAM, arrival, arrivals, event, message};

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
