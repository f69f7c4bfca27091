-- wanted_views: what the ledgers of this database ask for.
SELECT ledger, view::text FROM views.wanted_view ORDER BY ledger, kind
