-- forget_projection: its rows are deleted.
DELETE FROM views.projection WHERE projection = $1 AND state = 'retired'
