-- drop_package_link: makes room for a package's rebuilt rows.
DELETE FROM views.link WHERE projection = $1 AND kind >= $2 AND kind < $3
