-- database_exists: whether the private server already has the database with this name
SELECT 1 FROM pg_database WHERE datname = $1
