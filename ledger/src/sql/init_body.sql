-- init_body: the data of event 0.
INSERT INTO ledger.body (seq, ledger, salt, data) VALUES (0, $1, $2, $3)
