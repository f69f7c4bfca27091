-- take_over: becomes the one projector of a ledger; whoever was it before is fenced out.
INSERT INTO views.projection AS p (ledger, engine, epoch, state) VALUES ($1, $2, 1, 'live')
ON CONFLICT (ledger) WHERE state = 'live' DO UPDATE SET epoch = p.epoch + 1
RETURNING p.projection, p.epoch, p.next_seq, p.recorded_us, p.chain, p.engine, p.package, p.redactions
