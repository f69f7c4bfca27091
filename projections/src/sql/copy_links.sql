-- copy_links: what entities say at indexed places since this batch.
COPY views.link (source, projection, kind, id, field, target_kind, target_id) FROM STDIN (FORMAT binary)
