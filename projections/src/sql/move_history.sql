-- move_history: a package's rebuilt rows go in among the living ones.
UPDATE views.history SET projection = $2 WHERE projection = $1
