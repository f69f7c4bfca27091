-- open_incidents: how many are not resolved, by severity.
SELECT severity, count(*) FROM views.incident
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND status <> 'resolved'
 GROUP BY severity
