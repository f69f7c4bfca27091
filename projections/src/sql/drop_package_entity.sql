-- drop_package_entity: makes room for a package's rebuilt rows.
DELETE FROM views.entity WHERE projection = $1 AND kind >= $2 AND kind < $3
