-- create_database: the private server's one database
CREATE DATABASE ledger ENCODING 'UTF8' TEMPLATE template0
