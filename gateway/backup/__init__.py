"""`linkage backup` and `linkage restore`: the database and the log's archive, and the log proved when it comes back.

A backup is a folder with `tables.jsonl.gz`, every row of one moment, and `manifest.json`, written last: a backup
without it was interrupted. What the log's archive took out of the database lies beside them, or its digests do. It is
the same for SQLite and PostgreSQL, so that it also moves one to the other. No key is in it: what the log holds of
anyone stays sealed, and the key files are kept apart.
"""
