-- make_live: readers see it from here on.
UPDATE views.projection SET state = 'live', package = NULL WHERE projection = $1 AND state = 'building'
