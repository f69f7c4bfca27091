-- init_head: makes a ledger of one position, event 0; no row comes back where the name is taken.
INSERT INTO ledger.head (size, stream_seq, message_us, recorded_us, chain, name, origin, stream)
VALUES (1, 0, $1, $1, $2, $3, $4, $5)
ON CONFLICT (name) DO NOTHING
RETURNING ledger
