-- drop_package_history: makes room for a package's rebuilt rows. Before the entities go, by which most are found.
DELETE FROM views.history
 WHERE ctid = ANY (ARRAY(SELECT h.ctid FROM views.entity e
                           JOIN views.history h ON h.projection = e.projection AND h.source = e.created_seq
                          WHERE e.projection = $1 AND e.kind >= $2 AND e.kind < $3
                         UNION ALL
                         SELECT h.ctid FROM views.history h
                          WHERE h.projection = $1 AND h.source = -1 AND h.kind >= $2 AND h.kind < $3))
