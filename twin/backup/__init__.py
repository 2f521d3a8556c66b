"""Backups: all of a database in a folder of checked files, and back into an empty one of any home."""
