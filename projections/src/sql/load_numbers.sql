-- load_numbers: the highest numbers of these publishers and sources. A look-up each, whatever the statistics say.
SELECT n.publisher, n.source, n.highest
  FROM unnest($2::text[], $3::text[]) AS k (publisher, source)
 CROSS JOIN LATERAL (SELECT * FROM views.publisher_number
                      WHERE projection = $1 AND publisher = k.publisher AND source = k.source LIMIT 1) n
