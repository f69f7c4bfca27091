//! A changed byte is found, whichever it is, and named.

use ledger::append::Appender;
use ledger::report::{Report, What};
use ledger::verify::{Options, verify};

use crate::seal::signer;
use crate::support::{Fixture, STREAM, arrivals, main};

impl Fixture {
    /// Verifies with everything that is known.
    pub async fn verify(&self, released: &[String]) -> Report {
        let options = Options {
            segments: 2,
            keys: vec![signer().verifying_key().clone()],
            released: released.to_vec(),
        };
        let db = self.db.clone();
        let report = tokio::task::spawn_blocking(move || verify(&db, &main(), &options, &|_| {}));
        report
            .await
            .expect("it does not panic")
            .expect("it can be read")
    }

    pub async fn fill(&self, appender: &mut Appender, from: u64, to: u64) {
        for first in (from..=to).step_by(5000) {
            let batch = arrivals(first, to.min(first + 4999));
            appender.append(STREAM, batch).await.expect("appended");
        }
    }

    /// What is found after a statement that passes all guards by. Everything is put back after it.
    pub async fn found_after(&self, sql: &str, released: &[String]) -> Vec<Found> {
        let tamperer = self.superuser().await;
        let run = async |sql: &str| {
            let result = tamperer.batch_execute(sql).await;
            result.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        };
        run("SET session_replication_role = replica; CREATE SCHEMA saved").await;
        for table in TABLES {
            run(&format!(
                "CREATE TABLE saved.{table} AS TABLE ledger.{table}"
            ))
            .await;
        }
        run(sql).await;
        let report = self.verify(released).await;
        for table in TABLES {
            run(&format!("DELETE FROM ledger.{table}")).await;
            let all = "OVERRIDING SYSTEM VALUE SELECT * FROM saved";
            run(&format!("INSERT INTO ledger.{table} {all}.{table}")).await;
        }
        run("DROP SCHEMA saved CASCADE").await;
        assert_eq!(report.ok, report.problems.is_empty());
        report
            .problems
            .iter()
            .map(|problem| (problem.what, problem.seq))
            .collect()
    }
}

/// What a problem is and at which position.
pub type Found = (What, Option<u64>);

const TABLES: [&str; 7] = [
    "head",
    "event",
    "body",
    "seen",
    "tile",
    "checkpoint",
    "sealer",
];

#[tokio::test]
async fn what_was_appended_and_sealed_verifies() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    assert!(fixture.verify(&[]).await.ok);
    let mut released = Vec::new();
    for (from, to) in [
        (1, 10),
        (11, 300),
        (301, 16_384),
        (16_385, 70_000),
        (70_001, 70_003),
    ] {
        fixture.fill(&mut appender, from, to).await;
        released.push(fixture.seal(&mut sealer).await);
    }
    fixture.fill(&mut appender, 70_004, 70_100).await;
    let report = fixture.verify(&released).await;
    assert_eq!(report.problems, []);
    assert_eq!(
        (report.size, report.checkpoint_size),
        (70_101, Some(70_004))
    );
    assert_eq!(report.chain, hex::encode(appender.head().chain));
    assert!(report.complete);
}

#[tokio::test]
async fn every_altered_column_is_found_at_its_position() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    fixture.fill(&mut appender, 1, 600).await;
    let released = [fixture.seal(&mut sealer).await];
    fixture.fill(&mut appender, 601, 650).await;
    drop((appender, sealer));
    use What::{Chain, Checkpoint, Data, Gap, Header, Redaction, Signature, Stream, Tree};
    let at = Some(7);
    let flip = "set_byte({}, 3, get_byte({}, 3) # 1)";
    let flipped = |column: &str| flip.replace("{}", column);
    let event = |change: &str| format!("UPDATE ledger.event SET {change} WHERE seq = 7");
    let body = |change: &str| format!("UPDATE ledger.body SET {change} WHERE seq = 7");
    let cases: Vec<(String, Vec<Found>)> = vec![
        (
            body(&format!("data = {}", flipped("data"))),
            vec![(Data, at)],
        ),
        (
            body(&format!("salt = {}", flipped("salt"))),
            vec![(Data, at)],
        ),
        (
            event(&format!("data_commitment = {}", flipped("data_commitment"))),
            vec![(Data, at), (Header, at)],
        ),
        (
            event(&format!("event_hash = {}", flipped("event_hash"))),
            vec![(Header, at), (Chain, at), (Tree, at)],
        ),
        (
            event(&format!("chain = {}", flipped("chain"))),
            vec![(Chain, at), (Chain, Some(8)), (Tree, at)],
        ),
        (event("occurred_us = occurred_us + 1"), vec![(Header, at)]),
        (event("recorded_us = recorded_us + 1"), vec![(Header, at)]),
        (event("recorded_us = 1"), vec![(Header, at), (Stream, at)]),
        (
            event("stream_seq = stream_seq + 1"),
            vec![(Header, at), (Stream, at), (Stream, Some(8))],
        ),
        (event("source = 'x'"), vec![(Header, at)]),
        (event("id = 'x'"), vec![(Header, at)]),
        (
            event("event_type = 'platform.environment.deleted'"),
            vec![(Header, at)],
        ),
        (event("subject = 'x'"), vec![(Header, at)]),
        (event("actor = 'x'"), vec![(Header, at)]),
        (event("publisher = 'x'"), vec![(Header, at)]),
        (event("context = 'x'"), vec![(Header, at)]),
        (
            event("stream = 'x@1'"),
            vec![(Header, at), (Stream, at), (Stream, Some(8))],
        ),
        (
            "DELETE FROM ledger.event WHERE seq = 7".into(),
            vec![(Gap, at)],
        ),
        (
            "DELETE FROM ledger.event WHERE seq = 650".into(),
            vec![(Gap, Some(650)), (Chain, Some(650)), (Stream, Some(650))],
        ),
        (
            "DELETE FROM ledger.body WHERE seq = 7".into(),
            vec![(Redaction, at)],
        ),
        (
            format!(
                "UPDATE ledger.tile SET hashes = {} WHERE number = 1",
                flipped("hashes")
            ),
            vec![(Tree, Some(256)), (Checkpoint, Some(600))],
        ),
        (
            "DELETE FROM ledger.tile WHERE number = 1".into(),
            vec![(Tree, Some(256))],
        ),
        (
            "UPDATE ledger.tile SET number = 9 WHERE number = 1".into(),
            vec![(Tree, Some(256))],
        ),
        (
            format!("UPDATE ledger.checkpoint SET root = {}", flipped("root")),
            vec![(Checkpoint, Some(600)), (Checkpoint, Some(600))],
        ),
        (
            "UPDATE ledger.checkpoint SET note = replace(note, 'ledger', 'Ledger')".into(),
            vec![(Signature, Some(600))],
        ),
        (
            "UPDATE ledger.checkpoint SET note = ''".into(),
            vec![(Checkpoint, Some(600))],
        ),
        (
            format!("UPDATE ledger.head SET chain = {}", flipped("chain")),
            vec![(Chain, Some(650))],
        ),
        (
            "UPDATE ledger.head SET stream_seq = 3".into(),
            vec![(Stream, Some(650))],
        ),
    ];
    for (sql, mut expected) in cases {
        let mut found = fixture.found_after(&sql, &released).await;
        // The head that was let out says the same as the one that is stored.
        if expected.contains(&(Checkpoint, Some(600))) && sql.contains("tile") {
            expected.push((What::RolledBack, Some(600)));
        }
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{sql}");
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_shows_in_the_heads_that_were_let_out() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    fixture.fill(&mut appender, 1, 20).await;
    let released = [fixture.seal(&mut sealer).await];
    drop((appender, sealer));
    // As carefully as somebody can who does not hold the key.
    let cut = "DELETE FROM ledger.event WHERE seq >= 10; DELETE FROM ledger.body WHERE seq >= 10; \
               DELETE FROM ledger.checkpoint; UPDATE ledger.sealer SET size = 0; \
               UPDATE ledger.head SET (size, chain, stream_seq, message_us, recorded_us) = \
               (SELECT 10, chain, stream_seq, recorded_us, recorded_us FROM ledger.event WHERE seq = 9)";
    assert_eq!(fixture.found_after(cut, &[]).await, []);
    assert_eq!(
        fixture.found_after(cut, &released).await,
        [(What::RolledBack, None)]
    );
}
