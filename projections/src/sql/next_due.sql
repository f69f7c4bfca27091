-- next_due: of the live projection, when the next deadline is due that has not fired, and how far it is; how far the chain
-- is, and in its stream, and when NATS took that message.
SELECT (SELECT due_us FROM views.deadline d
         WHERE d.projection = p.projection AND NOT d.fired ORDER BY d.due_us LIMIT 1) AS due_us,
       p.next_seq, h.size, h.stream_seq, h.message_us
  FROM views.projection p JOIN ledger.head h ON h.ledger = p.ledger
 WHERE p.ledger = $1 AND p.state = 'live'
