-- schema_version: the newest migration of schema `views`.
SELECT max(version) FROM views.schema_history
