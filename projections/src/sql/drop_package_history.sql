-- drop_package_history: makes room for a package's rebuilt rows.
DELETE FROM views.history WHERE projection = $1 AND kind >= $2 AND kind < $3
