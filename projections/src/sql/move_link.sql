-- move_link: a package's rebuilt rows go in among the living ones.
UPDATE views.link SET projection = $2 WHERE projection = $1
