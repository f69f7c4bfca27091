-- Putting rows into indexes was two fifths of what folding cost PostgreSQL: two entries for a link and one for a line of
-- history, a hundred bytes each. Each has one entry now, of numbers.
SELECT views.drop_made();

-- A history belongs to an entity, which is known by the position of its first event, as links know it. Kinds that have no
-- state have no entity, and few events: theirs are found by their names.
ALTER TABLE views.history ADD COLUMN source bigint NOT NULL DEFAULT -1;
ALTER TABLE views.history ALTER COLUMN source DROP DEFAULT;
COMMENT ON COLUMN views.history.source IS 'The entity''s created_seq; -1 for kinds without state.';
ALTER TABLE views.history DROP CONSTRAINT history_pkey;
UPDATE views.history h SET source = e.created_seq
  FROM views.entity e
 WHERE e.projection = h.projection AND e.kind = h.kind AND e.id = h.id AND h.seq >= e.created_seq;
ALTER TABLE views.history ADD PRIMARY KEY (projection, source, seq);
CREATE INDEX history_stateless ON views.history (projection, kind, id, seq) WHERE source = -1;

-- Two texts as a number. Different ones may have the same: whoever looks by it compares the texts as well.
CREATE FUNCTION views.digest(one text, other text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN hashtextextended(other, hashtextextended(one, 0));
COMMENT ON FUNCTION views.digest IS 'Two texts as a number, for indexes.';
ALTER FUNCTION views.digest(text, text) OWNER TO ledger_owner;
-- By what is named, and the place where it is; then by who names it. What an entity itself names follows from its
-- attributes.
DROP INDEX views.link_target, views.link_source;
CREATE INDEX link_target ON views.link
    (projection, views.digest(target_kind, target_id), views.digest(kind, field), source);
ANALYZE views.history, views.link;
