"""Datasources: create, read, change, delete; their ingest keys and data keys."""
