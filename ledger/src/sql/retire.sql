-- retire: freezes a ledger that is succeeded, and gives the name that it has from now on.
SELECT ledger.retire($1, $2, $3, $4)
