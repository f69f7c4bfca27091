-- A rebuild folds beside the living views, in the same tables and under a number of its own. Statistics that know the
-- living number alone call the new one empty; then every index that begins with the number costs the same, and look-ups
-- by key went through all rows of a rebuild: each batch took longer than the one before. Without statistics of the
-- number, a number is one of a few hundred, and the whole key is the cheapest way to a row.
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT c.relname FROM pg_class c
                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'projection' AND NOT a.attisdropped
                 WHERE c.relnamespace = 'views'::regnamespace AND c.relkind = 'r' AND c.relname <> 'projection' LOOP
        EXECUTE format('ALTER TABLE views.%I ALTER COLUMN projection SET STATISTICS 0', name);
    END LOOP;
END $$;
