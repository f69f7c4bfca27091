-- forget_wanted_views: kinds that a ledger's catalog has no longer.
DELETE FROM views.wanted_view WHERE ledger = $1 AND kind <> ALL ($2::text[])
