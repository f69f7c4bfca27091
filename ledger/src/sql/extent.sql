-- extent: where a ledger stands, and what is stored of it, at one moment.
SELECT h.ledger, coalesce(h.called, h.name) AS name, h.succeeded_by, h.origin, h.size, h.chain, h.stream, h.stream_seq, h.message_us, h.recorded_us, h.epoch,
       (SELECT max(e.seq) FROM ledger.event e WHERE e.ledger = h.ledger) AS last_seq,
       (SELECT max(b.seq) FROM ledger.body b WHERE b.ledger = h.ledger) AS last_data,
       (SELECT s.size FROM ledger.sealer s WHERE s.ledger = h.ledger) AS signed,
       (SELECT max(c.size) FROM ledger.checkpoint c WHERE c.ledger = h.ledger) AS sealed,
       (SELECT count(*) FROM ledger.tile t WHERE t.ledger = h.ledger) AS tiles
  FROM ledger.head h WHERE h.name = $1
