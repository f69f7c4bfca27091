-- standby: the chain's size with the place of the server's log behind it, whether what standbys have counts and can be seen, and how many of them have flushed the log up to another place.
SELECT h.size, pg_current_wal_flush_lsn() AS place, current_setting('synchronous_standby_names') AS names,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS may_look, current_user::text AS looking,
       (SELECT count(*) FROM pg_stat_replication r
         WHERE r.sync_state IN ('sync', 'quorum') AND r.flush_lsn >= $2) AS have
  FROM ledger.head h WHERE h.ledger = $1
