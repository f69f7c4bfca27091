-- live: the one projection of each ledger that is read, by name. What is made for reading goes through the `live` views.
SELECT h.name, h.ledger AS number, p.projection, p.next_seq
  FROM ledger.head h JOIN views.projection p ON p.ledger = h.ledger AND p.state = 'live'
