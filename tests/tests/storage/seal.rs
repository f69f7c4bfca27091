//! What is signed was re-read, and continues what was signed before.

use ledger::checkpoint::Checkpoint;
use ledger::head_file;
use ledger::note::Signer;
use ledger::seal::{SealError, Sealer};

use crate::support::{Fixture, ORIGIN, STREAM, arrivals, main, vectors};

pub fn signer() -> Signer {
    let seed = hex::decode(vectors()["signing_seed"].as_str().expect("text")).expect("hex");
    Signer::from_seed(ORIGIN, &seed.try_into().expect("32 bytes")).expect("a key")
}

impl Fixture {
    pub async fn sealer(&self, released: &[String]) -> Result<Sealer, SealError> {
        Sealer::open(self.db.clone(), &main(), signer(), released).await
    }

    /// Lets out a head over everything and gives it.
    pub async fn seal(&self, sealer: &mut Sealer) -> String {
        let sealed = sealer
            .prepare()
            .await
            .expect("recomputed")
            .expect("something new");
        let note = sealed.note.clone();
        sealer.commit(sealed).await.expect("sealed");
        note
    }
}

#[tokio::test]
async fn heads_continue_each_other_over_restarts() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    let mut last = 0;
    let mut notes: Vec<String> = Vec::new();
    // Over the edges of tiles: 256 and 65,536 leaves.
    for to in [1, 200, 255, 256, 700, 66_000] {
        for from in (last + 1..=to).step_by(10_000) {
            let batch = arrivals(from, to.min(from + 9_999));
            appender.append(STREAM, batch).await.expect("appended");
        }
        last = to;
        notes.push(fixture.seal(&mut sealer).await);
        assert!(sealer.prepare().await.expect("read").is_none());
        // Opened anew, with all that was let out, it comes to the same edge.
        sealer = fixture.sealer(&notes).await.expect("consistent");
        assert_eq!(sealer.size(), to + 1);
    }
}

#[tokio::test]
async fn the_vectors_head_is_signed() {
    let fixture = Fixture::new().await;
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    let note = fixture.seal(&mut sealer).await;
    let root = vectors()["events"][0]["root_base64"]
        .as_str()
        .expect("text")
        .to_owned();
    assert_eq!(note.lines().nth(1), Some("1"));
    assert_eq!(note.lines().nth(2), Some(root.as_str()));
}

#[tokio::test]
async fn a_database_that_was_rolled_back_or_forked_signs_nothing() {
    let (fixture, other) = (Fixture::new().await, Fixture::new().await);
    for (fixture, ids) in [(&fixture, 0), (&other, 1000)] {
        let mut appender = fixture.appender().await;
        let mut batch = arrivals(1, 40);
        for arrival in &mut batch {
            let event = arrival.read.as_mut().expect("an event");
            event.id = format!("{}-{ids}", event.id);
        }
        appender.append(STREAM, batch).await.expect("appended");
    }
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    let released = fixture.seal(&mut sealer).await;
    // The other database holds another history of the same size, sealed or not.
    let mut unsealed = other
        .sealer(std::slice::from_ref(&released))
        .await
        .expect("to be met");
    assert!(matches!(
        unsealed.prepare().await,
        Err(SealError::Forked { size: 41, .. })
    ));
    let mut sealer = other.sealer(&[]).await.expect("nothing is sealed");
    other.seal(&mut sealer).await;
    let forked = other.sealer(std::slice::from_ref(&released)).await;
    assert!(
        matches!(forked, Err(SealError::Forked { size: 41, .. })),
        "{forked:?}"
    );
    // And a third one only the beginning.
    let short = Fixture::new().await;
    short
        .appender()
        .await
        .append(STREAM, arrivals(1, 5))
        .await
        .expect("appended");
    let rolled_back = short.sealer(&[released]).await;
    let expected = matches!(
        rolled_back,
        Err(SealError::RolledBack {
            released: 41,
            stored: 6
        })
    );
    assert!(expected, "{rolled_back:?}");
}

#[tokio::test]
async fn a_head_that_was_published_and_not_noted_is_met_again() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    appender
        .append(STREAM, arrivals(1, 300))
        .await
        .expect("appended");
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    let sealed = sealer
        .prepare()
        .await
        .expect("recomputed")
        .expect("something new");
    // Here the process dies. Meanwhile the chain grows.
    appender
        .append(STREAM, arrivals(301, 400))
        .await
        .expect("appended");
    let out = sealed.note.clone();
    let mut sealer = fixture.sealer(&[sealed.note]).await.expect("it is ahead");
    assert_eq!(
        fixture.seal(&mut sealer).await,
        out,
        "the same head, bit for bit"
    );
    let note = fixture.seal(&mut sealer).await;
    let (checkpoint, _) = Checkpoint::parse_note(note.as_bytes()).expect("a head");
    assert_eq!(checkpoint.size, 401);
}

#[tokio::test]
async fn an_altered_row_is_not_signed_and_a_second_sealer_fences_the_first() {
    let fixture = Fixture::new().await;
    fixture
        .appender()
        .await
        .append(STREAM, arrivals(1, 9))
        .await
        .expect("appended");
    let mut first = fixture.sealer(&[]).await.expect("nothing is sealed");
    let _second = fixture.sealer(&[]).await.expect("taken over");
    let sealed = first
        .prepare()
        .await
        .expect("recomputed")
        .expect("something new");
    let fenced = first.commit(sealed).await;
    assert!(
        matches!(fenced, Err(SealError::Fenced { ours: 1 })),
        "{fenced:?}"
    );
    let admin = fixture.superuser().await;
    let alter = "SET session_replication_role = replica; \
                 UPDATE ledger.event SET subject = 'staging' WHERE seq = 4";
    admin.batch_execute(alter).await.expect("a superuser may");
    let altered = first.prepare().await;
    assert!(
        matches!(altered, Err(SealError::Altered { seq: 4, .. })),
        "{altered:?}"
    );
}

#[test]
fn the_head_file_is_replaced_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("head");
    assert_eq!(head_file::read(&path).expect("no file is no error"), None);
    for note in ["one", "two\n"] {
        head_file::write(&path, note).expect("written");
        assert_eq!(head_file::read(&path).expect("read").as_deref(), Some(note));
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
}

#[tokio::test]
async fn smaller_heads_than_one_that_is_out_are_noted_and_not_let_out() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    let mut out = Vec::new();
    for (from, to) in [(1, 9), (10, 300), (301, 700)] {
        appender
            .append(STREAM, arrivals(from, to))
            .await
            .expect("appended");
        out.push(fixture.seal(&mut sealer).await);
    }
    // The database forgets what was sealed, not what was recorded.
    let admin = fixture.superuser().await;
    let forget = "SET session_replication_role = replica; DELETE FROM ledger.checkpoint; \
                  DELETE FROM ledger.tile; UPDATE ledger.sealer SET size = 0";
    admin.batch_execute(forget).await.expect("a superuser may");
    let known = [out[2].clone(), out[0].clone()];
    let mut sealer = fixture.sealer(&known).await.expect("both are ahead");
    let first = sealer
        .prepare()
        .await
        .expect("recomputed")
        .expect("something new");
    assert_eq!(
        (first.note.as_str(), first.let_out),
        (out[0].as_str(), false)
    );
    sealer.commit(first).await.expect("noted");
    let second = sealer
        .prepare()
        .await
        .expect("recomputed")
        .expect("something new");
    assert_eq!(
        (second.note.as_str(), second.let_out),
        (out[2].as_str(), true)
    );
    sealer.commit(second).await.expect("noted");
    assert!(sealer.prepare().await.expect("recomputed").is_none());
}
