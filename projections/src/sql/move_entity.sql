-- move_entity: a package's rebuilt rows go in among the living ones.
UPDATE views.entity SET projection = $2 WHERE projection = $1
