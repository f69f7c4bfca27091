-- view_release_deployment_queues: what runs in every environment, and what waits for it, in the order of the chain.
SELECT d.ledger, d.attributes ->> 'environment' AS environment,
       CASE d.status WHEN 'queued' THEN row_number() OVER (PARTITION BY d.ledger, d.attributes ->> 'environment', d.status
                                                               ORDER BY d.status_seq) ELSE 0 END::numeric AS position,
       d.id AS deployment_id, d.attributes ->> 'version' AS version, d.status, views.at_us(d.since_us) AS since,
       CASE d.status WHEN 'in_progress' THEN coalesce(views.as_time(d.attributes ->> 'locked_at'), views.at_us(d.since_us)) END
         AS locked_at,
       CASE json_typeof(d.attributes -> 'queue_position')
       WHEN 'number' THEN (d.attributes ->> 'queue_position')::numeric END AS claimed_position,
       d.attributes ->> 'workflow_run_id' AS workflow_run_id, d.attributes ->> 'triggered_by' AS triggered_by,
       d.seq::numeric AS seq
  FROM views.live_entity d
 WHERE d.kind = 'release.deployment' AND d.status IN ('queued', 'in_progress')
