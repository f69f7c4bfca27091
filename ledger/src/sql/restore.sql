-- restore: moves the head and puts a batch of a bundle behind it, all or nothing; no row comes back where the head is not as expected.
WITH moved AS (
    UPDATE ledger.head
       SET size = $4, stream = $5, stream_seq = $6, message_us = $7, recorded_us = $7, chain = $8
     WHERE ledger = $1 AND epoch = $2 AND size = $3
    RETURNING ledger
), events AS (
    INSERT INTO ledger.event (seq, occurred_us, recorded_us, stream_seq, ledger, data_commitment, event_hash, chain,
                              source, id, event_type, subject, actor, publisher, context, stream)
    SELECT $3 + ord - 1, occurred_us, recorded_us, stream_seq, $1, data_commitment, event_hash, chain,
           source, id, event_type, subject, actor, publisher, context, stream
      FROM unnest($9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], $13::bytea[], $14::bytea[], $15::text[],
                  $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[])
        WITH ORDINALITY
        AS t(occurred_us, recorded_us, stream_seq, data_commitment, event_hash, chain, source,
             id, event_type, subject, actor, publisher, context, stream, ord)
     WHERE EXISTS (SELECT FROM moved)
), bodies AS (
    INSERT INTO ledger.body (seq, ledger, salt, data)
    SELECT $3 + ord - 1, $1, salt, data
      FROM unnest($23::bytea[], $24::bytea[]) WITH ORDINALITY AS t(salt, data, ord)
     WHERE salt IS NOT NULL AND EXISTS (SELECT FROM moved)
), claims AS (
    INSERT INTO ledger.seen (seq, ledger, key)
    SELECT seq, $1, key
      FROM unnest($25::bigint[], $26::uuid[]) AS t(seq, key)
     WHERE EXISTS (SELECT FROM moved)
)
SELECT ledger FROM moved
