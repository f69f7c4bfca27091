-- view_ledger_incidents: every incident, with what became of it.
SELECT i.ledger, i.incident, i.class, i.severity, i.status, i.kind, i.id, i.rule,
       views.at_us(i.opened_us) AS opened_at, views.at_us(i.acknowledged_us) AS acknowledged_at, i.acknowledged_by,
       views.at_us(i.resolved_us) AS resolved_at, i.resolved_by, i.causes::numeric AS causes,
       i.opened_seq::numeric AS opened_seq, i.last_cause::numeric AS last_cause_seq, i.seq::numeric AS seq,
       i.acknowledged_seq::numeric AS acknowledged_seq, i.resolved_seq::numeric AS resolved_seq, i.reopens, i.judged
  FROM views.live_incident i
