-- begin_building: a projection beside the living one, of everything or of one package.
INSERT INTO views.projection (ledger, engine, epoch, state, package) VALUES ($1, $2, 1, 'building', $3)
RETURNING projection, epoch, next_seq, recorded_us, chain, engine, package, redactions
