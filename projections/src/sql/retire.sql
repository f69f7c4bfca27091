-- retire: nobody reads it any more; its rows can be deleted.
UPDATE views.projection SET state = 'retired' WHERE projection = $1
