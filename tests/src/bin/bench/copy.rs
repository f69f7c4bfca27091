//! The limit of ingest: binary COPY of the rows that it wrote, into the same tables with the same indexes.

use std::pin::pin;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tests::{Installation, binaries};
use tokio_postgres::{Client, CopyInSink};

const TABLES: [&str; 3] = ["ledger.event", "ledger.body", "ledger.seen"];
/// The ledger's own batch.
pub const BATCH: usize = 1000;

/// The rows of each table in the form of binary COPY, one buffer a row.
pub async fn rows(admin: &Client) -> Vec<Vec<Bytes>> {
    let mut rows = Vec::new();
    for table in TABLES {
        rows.push(read_rows(admin, table).await);
    }
    rows
}

async fn read_rows(admin: &Client, table: &str) -> Vec<Bytes> {
    let order =
        format!("COPY (SELECT * FROM {table} ORDER BY ledger, seq) TO STDOUT (FORMAT binary)");
    let mut stream = pin!(admin.copy_out(&order).await.expect("copied"));
    let mut rows = Vec::new();
    while let Some(part) = stream.next().await {
        rows.push(part.expect("copied"));
    }
    // PostgreSQL sends a row a message: the first carries the header, the last is the trailer.
    rows.pop();
    if let Some(first) = rows.first_mut() {
        *first = first.slice(19..);
    }
    rows
}

/// An empty database with the same tables.
pub struct Empty {
    name: String,
    client: Client,
}

impl Empty {
    /// Removes it.
    pub async fn drop(self, admin: &Client) {
        drop(self.client);
        admin
            .batch_execute(&format!("DROP DATABASE {}", self.name))
            .await
            .expect("dropped");
    }
}

/// Makes an empty database with the ledger's tables, and writes out what the server still holds back.
pub async fn empty_copy(ledger: &Installation, admin: &Client) -> Empty {
    let name = ledger.postgres.create_database().await;
    let dump = format!(
        "{}/pg_dump -h {} -U postgres --schema-only --no-owner --no-privileges {} | \
         {}/psql -q -X -h {} -U postgres -d {name}",
        binaries::postgres_bin().display(),
        ledger.postgres.folder().display(),
        ledger.database,
        binaries::postgres_bin().display(),
        ledger.postgres.folder().display(),
    );
    let made = tokio::process::Command::new("bash")
        .args(["-c", &dump])
        .output()
        .await
        .expect("bash runs");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    admin
        .batch_execute("CHECKPOINT")
        .await
        .expect("a checkpoint");
    let client = ledger.postgres.connect(&name).await;
    Empty { name, client }
}

/// Seconds that COPY of those rows takes, in transactions of `batch` events.
pub async fn copy_in(empty: &mut Empty, rows: &[Vec<Bytes>], batch: usize) -> f64 {
    let start = Instant::now();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut at = 0;
    while at < count {
        let until = count.min(at.saturating_add(batch));
        let transaction = empty.client.transaction().await.expect("begun");
        for (table, rows) in TABLES.iter().zip(rows) {
            let part = rows
                .get(at.min(rows.len())..until.min(rows.len()))
                .unwrap_or_default();
            let sink = transaction
                .copy_in(&format!("COPY {table} FROM STDIN (FORMAT binary)"))
                .await;
            copy_part(sink.expect("copying"), part).await;
        }
        transaction.commit().await.expect("committed");
        at = until;
    }
    start.elapsed().as_secs_f64()
}

async fn copy_part(sink: CopyInSink<Bytes>, rows: &[Bytes]) {
    let mut sink = pin!(sink);
    let mut buffer = BytesMut::with_capacity(1 << 17);
    buffer.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for row in rows {
        buffer.extend_from_slice(row);
        if buffer.len() > 1 << 16 {
            sink.send(buffer.split().freeze()).await.expect("sent");
        }
    }
    buffer.put_i16(-1);
    sink.send(buffer.freeze()).await.expect("sent");
    sink.finish().await.expect("copied");
}
