//! The table of identities: what is missing there, and what is too much.

use ledger::identities;
use ledger::report::{Report, What};

use crate::support::{Fixture, STREAM, arrival, arrivals, event, main};

#[tokio::test]
async fn missing_extra_and_foreign_identities_are_named() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    appender
        .append(STREAM, arrivals(1, 20))
        .await
        .expect("appended");
    // A duplicate and, before the last, a gap: neither claims anything.
    let again = vec![arrival(21, event("id-3")), arrival(25, event("id-25"))];
    appender.append(STREAM, again).await.expect("appended");
    let look = async || {
        let mut report = Report::new();
        identities::verify(&fixture.db, &main(), &mut report, &|_| {})
            .await
            .expect("it can be read");
        let found = report.problems.iter().map(|problem| {
            assert_eq!(problem.what, What::Header);
            (problem.seq.expect("a position"), problem.detail.clone())
        });
        found.collect::<Vec<_>>()
    };
    assert_eq!(look().await, []);
    let tamperer = fixture.superuser().await;
    let sql = "SET session_replication_role = replica; \
               DELETE FROM ledger.seen WHERE seq = 5; \
               UPDATE ledger.seen SET key = gen_random_uuid() WHERE seq = 7; \
               INSERT INTO ledger.seen SELECT 21, ledger, gen_random_uuid() FROM ledger.head; \
               INSERT INTO ledger.seen SELECT 9, ledger, gen_random_uuid() FROM ledger.head; \
               INSERT INTO ledger.seen SELECT 99, ledger, gen_random_uuid() FROM ledger.head";
    tamperer.batch_execute(sql).await.expect("a superuser may");
    let found = look().await;
    let seqs: Vec<u64> = found.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [5, 7, 9, 21, 99], "{found:?}");
    for (at, words) in [
        "recorded again",
        "another identity",
        "another identity",
        "claims none",
        "no event",
    ]
    .iter()
    .enumerate()
    {
        assert!(found[at].1.contains(words), "{found:?}");
    }
}
