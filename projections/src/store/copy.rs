//! Rows in the form of PostgreSQL's binary COPY: the cheapest way to bring many into a table. A few are inserted instead:
//! a COPY has the connection for itself for the time of a way there and back, and what is inserted goes with the rest.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures_util::SinkExt as _;
use futures_util::future::try_join_all;
use serde_json::Map;
use tokio_postgres::Error;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// How much is sent at a time, in bytes, or a little more.
const PART: usize = 60 << 10;
/// How much there is room for.
const ROOM: usize = 64 << 10;
/// The object identifier of type `bigint`.
const BIGINT: i32 = 20;

/// How many rows are inserted one by one.
const FEW: usize = 16;
/// What stands before the first row.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Brings rows into a table; `statement` is a COPY, and `write` says the values of its columns, each once, in their
/// order. Rows are made while those before them are on their way.
pub(super) async fn copy<T>(
    tx: &Transaction<'_>,
    statement: &str,
    rows: impl IntoIterator<Item = T>,
    write: impl Fn(&mut Row<'_>, T),
) -> Result<(), Error> {
    let mut rows = rows.into_iter();
    let mut made = Rows::default();
    for one in rows.by_ref().take(FEW + 1) {
        made.add(one, &write);
    }
    if made.count <= FEW {
        return made.insert(tx, statement).await;
    }
    let statement = tx.prepare_cached(statement).await?;
    let sink = tx.copy_in::<_, Bytes>(&statement).await?;
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from_static(HEADER)).await?;
    for one in rows {
        made.add(one, &write);
        if made.buffer.len() >= PART {
            let part = std::mem::replace(&mut made.buffer, BytesMut::with_capacity(ROOM));
            sink.send(part.freeze()).await?;
        }
    }
    // There are no more.
    made.buffer.put_i16(-1);
    sink.send(made.buffer.freeze()).await?;
    sink.finish().await?;
    Ok(())
}

/// Rows on their way into a table.
#[derive(Default)]
struct Rows {
    count: usize,
    /// Of the last one.
    columns: i16,
    buffer: BytesMut,
}

/// One of them, while its columns are written.
pub(super) struct Row<'a> {
    columns: i16,
    buffer: &'a mut BytesMut,
}

/// A value as it stands in a row, which is the form that a parameter has as well.
#[derive(Debug)]
struct Value(Option<Bytes>);

impl ToSql for Value {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match &self.0 {
            None => IsNull::Yes,
            Some(bytes) => {
                out.put_slice(bytes);
                IsNull::No
            }
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Row<'_> {
    /// The value of the next column, where it has one; `write` writes it.
    fn value<V>(&mut self, value: Option<V>, write: impl FnOnce(&mut BytesMut, V)) -> &mut Self {
        self.columns += 1;
        let at = self.buffer.len();
        self.buffer.put_i32(-1);
        if let Some(value) = value {
            let from = self.buffer.len();
            write(self.buffer, value);
            // PostgreSQL takes no row of 2³¹ bytes, and says so.
            let length = i32::try_from(self.buffer.len() - from).unwrap_or(i32::MAX);
            set(self.buffer, at, &length.to_be_bytes());
        }
        self
    }

    pub(super) fn integer(&mut self, value: i32) -> &mut Self {
        self.value(Some(value), BytesMut::put_i32)
    }

    pub(super) fn bigint(&mut self, value: impl Into<Option<i64>>) -> &mut Self {
        self.value(value.into(), BytesMut::put_i64)
    }

    pub(super) fn boolean(&mut self, value: impl Into<Option<bool>>) -> &mut Self {
        self.value(value.into().map(u8::from), BytesMut::put_u8)
    }

    /// A text, or what has the form of one: bytes as they are.
    pub(super) fn bytes<'a>(&mut self, value: impl Into<Option<&'a [u8]>>) -> &mut Self {
        self.value(value.into(), BytesMut::put_slice)
    }

    /// A text that says this in JSON.
    pub(super) fn json(&mut self, value: &Map<String, serde_json::Value>) -> &mut Self {
        self.value(Some(value), |buffer, value| {
            if serde_json::to_writer(buffer.writer(), value).is_err() {
                unreachable!("a JSON object can be written");
            }
        })
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub(super) fn optional_text(&mut self, value: Option<&str>) -> &mut Self {
        self.bytes(value.map(str::as_bytes))
    }

    pub(super) fn bigints(&mut self, values: impl ExactSizeIterator<Item = i64>) -> &mut Self {
        self.value(Some(values), |buffer, values| {
            let count = i32::try_from(values.len()).unwrap_or(i32::MAX);
            buffer.put_i32(i32::from(count > 0));
            // No nulls.
            buffer.put_i32(0);
            buffer.put_i32(BIGINT);
            if count > 0 {
                buffer.put_i32(count);
                buffer.put_i32(1);
            }
            for value in values {
                buffer.put_i32(8);
                buffer.put_i64(value);
            }
        })
    }
}

impl Rows {
    fn add<T>(&mut self, one: T, write: impl Fn(&mut Row<'_>, T)) {
        let at = self.buffer.len();
        self.buffer.put_i16(0);
        let mut row = Row {
            columns: 0,
            buffer: &mut self.buffer,
        };
        write(&mut row, one);
        self.columns = row.columns;
        set(&mut self.buffer, at, &self.columns.to_be_bytes());
        self.count += 1;
    }

    /// Inserts them into what `copy` is a COPY into, all sent at once.
    async fn insert(self, tx: &Transaction<'_>, copy: &str) -> Result<(), Error> {
        if self.count == 0 {
            return Ok(());
        }
        let statement = tx.prepare_cached(&insert(copy, self.columns)).await?;
        let rows = self.values();
        let inserted = rows.iter().map(|row| tx.execute_raw(&statement, row));
        try_join_all(inserted).await?;
        Ok(())
    }

    /// The values of each row.
    fn values(self) -> Vec<Vec<Value>> {
        let mut rest = self.buffer.freeze();
        let mut rows = Vec::with_capacity(self.count);
        for _ in 0..self.count {
            let mut row = Vec::new();
            for _ in 0..rest.get_i16() {
                // A length below zero is that of no value.
                let length = usize::try_from(rest.get_i32()).ok();
                row.push(Value(length.map(|length| rest.split_to(length))));
            }
            rows.push(row);
        }
        rows
    }
}

/// Overwrites what is in a buffer from a place on.
fn set(buffer: &mut BytesMut, at: usize, bytes: &[u8]) {
    if let Some(place) = buffer.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// The INSERT of one row into the columns of a COPY.
fn insert(copy: &str, columns: i16) -> String {
    let into = copy.split_once("COPY ").map_or("", |(_, into)| into);
    let into = into.split_once("FROM STDIN").map_or(into, |(into, _)| into);
    let values: Vec<String> = (1..=columns).map(|number| format!("${number}")).collect();
    format!("INSERT INTO {} VALUES ({})", into.trim(), values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(row: &mut Row<'_>, (integer, text, bigint): (i32, Option<&str>, Option<i64>)) {
        row.integer(integer).optional_text(text).bigint(bigint);
    }

    #[test]
    fn a_few_rows_have_the_values_that_many_would() {
        let mut rows = Rows::default();
        rows.add((7, Some("a"), None), write);
        rows.add((-1, None, Some(1 << 40)), write);
        let values = rows.values();
        let bytes = |value: &Value| value.0.as_ref().map(|bytes| bytes.to_vec());
        let values: Vec<Vec<Option<Vec<u8>>>> = values
            .iter()
            .map(|row| row.iter().map(bytes).collect())
            .collect();
        assert_eq!(
            values,
            [
                [Some(vec![0, 0, 0, 7]), Some(b"a".to_vec()), None],
                [Some(vec![255; 4]), None, Some(vec![0, 0, 1, 0, 0, 0, 0, 0])],
            ]
        );
    }

    #[test]
    fn the_insert_names_the_columns_of_the_copy() {
        let copy = "-- copy_links: new.\nCOPY views.link (projection,\n  kind) FROM STDIN (FORMAT binary)\n";
        let insert = insert(copy, 2);
        assert_eq!(
            insert,
            "INSERT INTO views.link (projection,\n  kind) VALUES ($1, $2)"
        );
    }
}
