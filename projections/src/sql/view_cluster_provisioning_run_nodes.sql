-- view_cluster_provisioning_run_nodes: the nodes of every run, with the role that each had then and has now.
SELECT r.ledger, r.id AS run_id, n.place::numeric AS place, n.node ->> 'node_id' AS node_id, n.node ->> 'role' AS role,
       node.attributes ->> 'role' AS role_now, r.attributes ->> 'trigger_type' AS trigger_type, r.status,
       views.as_time(r.attributes ->> 'started_at') AS started_at,
       views.as_time(r.attributes ->> 'completed_at') AS completed_at, r.seq::numeric AS seq
  FROM views.live_entity r
 CROSS JOIN LATERAL json_array_elements(CASE json_typeof(r.attributes -> 'nodes') WHEN 'array' THEN r.attributes -> 'nodes' END)
       WITH ORDINALITY AS n (node, place)
  LEFT JOIN views.live_entity node
    ON node.projection = r.projection AND node.kind = 'cluster.node' AND node.id = n.node ->> 'node_id'
 WHERE r.kind = 'cluster.provisioning_run'
