-- view_platform_environment_history: every event of every environment.
SELECT h.ledger, h.id AS environment, h.seq::numeric AS seq, h.event_type AS type, h.from_status, h.to_status,
       views.at_us(h.occurred_us) AS occurred_at, views.at_us(h.recorded_us) AS recorded_at, h.actor, h.legal, h.redacted
  FROM views.live_history h
 WHERE h.kind = 'platform.environment'
