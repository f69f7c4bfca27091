-- init_event: event 0 of a new ledger.
INSERT INTO ledger.event (seq, occurred_us, recorded_us, stream_seq, ledger, data_commitment, event_hash, chain,
                          source, id, event_type, subject, actor, publisher, context, stream)
VALUES (0, $2, $2, 0, $1, $3, $4, $5, $6, $7, $8, $9, '', $10, '', '')
