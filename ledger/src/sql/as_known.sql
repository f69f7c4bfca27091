-- as_known: when a position was recorded. Recorded time never falls, so a search by halves finds the last one of a time.
SELECT recorded_us FROM ledger.event WHERE ledger = $1 AND seq = $2
