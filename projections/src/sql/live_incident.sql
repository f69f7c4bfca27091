-- live_incident: every incident of the live projections.
SELECT l.name AS ledger, i.*, d.seq,
       (SELECT count(*) FROM views.incident_cause c WHERE c.projection = i.projection AND c.incident = i.incident) AS causes
  FROM views.live l
  JOIN views.incident i ON i.projection = l.projection
  LEFT JOIN views.derived d ON d.projection = i.projection AND d.id = i.incident
