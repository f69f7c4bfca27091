-- note_deletion: notes that the data of an event's positions is deleted, and whether their messages are.
INSERT INTO ledger.deletion (ledger, applied_seq, scrubbed) VALUES ($1, $2, $3)
ON CONFLICT (ledger, applied_seq) DO UPDATE SET scrubbed = excluded.scrubbed
