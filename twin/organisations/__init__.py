"""Organisations: whose keys, datasources, widgets and alerts nobody else sees."""
