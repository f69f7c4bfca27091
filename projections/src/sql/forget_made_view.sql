-- forget_made_view: a view was dropped.
DELETE FROM views.made_view WHERE name = $1
