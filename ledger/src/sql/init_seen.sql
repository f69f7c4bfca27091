-- init_seen: the identity of event 0.
INSERT INTO ledger.seen (seq, ledger, key) VALUES (0, $1, $2)
