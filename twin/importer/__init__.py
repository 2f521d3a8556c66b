"""`twinfeed import`: a CSV file posted to an ingestion URL. It knows only HTTP."""

from twin.importer.command import import_csv

__all__ = ["import_csv"]
