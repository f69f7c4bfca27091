//! Appends that a connection, the caller or the database cuts off: everything is in once.

use ledger::append::{AppendError, Appender};
use ledger::head::Head;

use crate::support::{Fixture, STREAM, arrivals, main};

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
