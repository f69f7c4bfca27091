-- views_there: the views that are there, whoever made them.
SELECT relname::text FROM pg_catalog.pg_class WHERE relnamespace = 'views'::regnamespace AND relkind = 'v'
