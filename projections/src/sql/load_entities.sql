-- load_entities: those of a batch that exist. A look-up a key, whatever the statistics say.
SELECT k.kind, k.id, e.status, e.status_seq, e.since_us, e.unknown_seq, e.attributes::text, e.created_seq, e.seq, e.events,
       e.redacted_seq,
       e.status_recorded_us, e.created_us, e.created_recorded_us, e.changed_us, e.changed_recorded_us
  FROM unnest($2::text[], $3::text[]) AS k (kind, id)
 CROSS JOIN LATERAL (SELECT * FROM views.entity
                      WHERE projection = $1 AND kind = k.kind AND id = k.id LIMIT 1) e
