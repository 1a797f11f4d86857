"""`linkage backup` and `linkage restore`: the whole database in two files, and the log proved when it comes back.

A backup is a folder with `tables.jsonl.gz`, every row of one moment, and `manifest.json`, written last: a backup
without it was interrupted. It is the same for SQLite and PostgreSQL, so that it also moves one to the other. No key
is in it: what the log holds of anyone stays sealed, and the key files are kept apart.
"""
