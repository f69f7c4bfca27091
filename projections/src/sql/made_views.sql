-- made_views: what was made, by digest.
SELECT name, digest FROM views.made_view
