-- load_waiting: the entities about which a verdict with one of these keys is open that a rule may clear yet.
SELECT DISTINCT detail_key, kind, id
  FROM views.violation
 WHERE projection = $1 AND detail_key = ANY ($2) AND detail_key <> '' AND status = 'open' AND found_by IS NOT NULL
