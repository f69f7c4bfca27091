-- append: moves the head and puts a batch behind it, all or nothing; no row comes back where the head is not as expected.
WITH moved AS (
    UPDATE ledger.head
       SET size = $7, stream = $8, stream_seq = $9, message_us = $10, recorded_us = $11, chain = $12
     WHERE ledger = $1 AND epoch = $2 AND size = $3 AND stream = $4 AND stream_seq = $5 AND message_us = $6
    RETURNING ledger
), events AS (
    INSERT INTO ledger.event (seq, occurred_us, recorded_us, stream_seq, ledger, data_commitment, event_hash, chain,
                              source, id, event_type, subject, actor, publisher, context, stream)
    SELECT $3 + ord - 1, occurred_us, recorded_us, stream_seq, $1, data_commitment, event_hash, chain,
           source, id, event_type, subject, actor, publisher, context, $8
      FROM unnest($13::bigint[], $14::bigint[], $15::bigint[], $16::bytea[], $17::bytea[], $18::bytea[], $19::text[],
                  $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[]) WITH ORDINALITY
        AS t(occurred_us, recorded_us, stream_seq, data_commitment, event_hash, chain, source,
             id, event_type, subject, actor, publisher, context, ord)
     WHERE EXISTS (SELECT FROM moved)
), bodies AS (
    INSERT INTO ledger.body (seq, ledger, salt, data)
    SELECT $3 + ord - 1, $1, salt, data
      FROM unnest($26::bytea[], $27::bytea[]) WITH ORDINALITY AS t(salt, data, ord)
     WHERE EXISTS (SELECT FROM moved)
), claims AS (
    INSERT INTO ledger.seen (seq, ledger, key)
    SELECT seq, $1, key
      FROM unnest($28::bigint[], $29::uuid[]) AS t(seq, key)
     WHERE EXISTS (SELECT FROM moved)
)
SELECT ledger FROM moved
