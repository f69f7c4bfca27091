-- seal: puts the tiles and the signed head into the database; no row comes back where another has sealed since.
WITH moved AS (
    UPDATE ledger.sealer SET size = $4 WHERE ledger = $1 AND epoch = $2 AND size = $3
    RETURNING ledger
), tiles AS (
    INSERT INTO ledger.tile (number, ledger, level, hashes)
    SELECT number, $1, level, hashes
      FROM unnest($7::bigint[], $8::smallint[], $9::bytea[]) AS t(number, level, hashes)
     WHERE EXISTS (SELECT FROM moved)
)
INSERT INTO ledger.checkpoint (size, ledger, root, note)
SELECT $4, $1, $5, $6 FROM moved
