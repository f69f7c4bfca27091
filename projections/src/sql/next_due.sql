-- next_due: of the live projection, when the next deadline is due that has not fired, how far it is, and when its last
-- position was recorded.
SELECT p.next_seq, p.recorded_us,
       (SELECT due_us FROM views.deadline d
         WHERE d.projection = p.projection AND NOT d.fired ORDER BY d.due_us LIMIT 1) AS due_us
  FROM views.projection p
 WHERE p.ledger = $1 AND p.state = 'live'
