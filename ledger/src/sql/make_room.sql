-- make_room: makes the partition that holds a position's data, and gives the first position after it.
SELECT ledger.make_room($1, $2)
