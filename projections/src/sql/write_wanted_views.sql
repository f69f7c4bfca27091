-- write_wanted_views: what a ledger's catalog asks for; rows that say the same stay as they are.
INSERT INTO views.wanted_view AS w (ledger, kind, view)
SELECT $1, u.kind, u.view::json FROM unnest($2::text[], $3::text[]) AS u (kind, view)
ON CONFLICT (ledger, kind) DO UPDATE SET view = excluded.view WHERE w.view::text <> excluded.view::text
