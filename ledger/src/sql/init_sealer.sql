-- init_sealer: nothing of a new ledger is sealed.
INSERT INTO ledger.sealer (ledger, epoch, size) VALUES ($1, 0, 0)
