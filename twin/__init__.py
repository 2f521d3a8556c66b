"""The domain and the ground everything stands on: settings, database, keys, datasources, wiring."""

__version__ = "0.1.0"
