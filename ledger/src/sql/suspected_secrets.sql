-- suspected_secrets: positions of a range whose messages looked like a secret, recorded before a time, in order.
SELECT e.seq, e.stream, e.stream_seq
  FROM ledger.event e JOIN ledger.body b ON b.ledger = e.ledger AND b.seq = e.seq
 WHERE e.ledger = $1 AND e.event_type = 'ledger.event.quarantined' AND e.seq >= $2 AND e.seq < $3 AND e.recorded_us < $4
   AND b.data = convert_to('{"reason":"payload.secret_suspected"}', 'UTF8')
 ORDER BY e.seq
