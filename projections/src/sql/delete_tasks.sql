-- delete_tasks: these are open no more.
DELETE FROM views.task WHERE projection = $1 AND task = ANY ($2)
