-- living: an entity's status and attributes as they are now, and how far the views are.
SELECT p.next_seq, e.status, e.attributes::text
  FROM views.projection p JOIN views.entity e ON e.projection = p.projection
 WHERE p.ledger = $1 AND p.state = 'live' AND e.kind = $2 AND e.id = $3
