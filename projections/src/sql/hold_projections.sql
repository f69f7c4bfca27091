-- hold_projections: the projections of a ledger that are read or will be, kept as they are until the transaction ends.
SELECT p.projection, p.next_seq, p.state,
       (SELECT max(a.seq) FROM views.activation a WHERE a.projection = p.projection) AS activated
  FROM views.projection p WHERE p.ledger = $1 AND p.state IN ('live', 'building')
 ORDER BY p.projection FOR UPDATE
