"""`twinfeed import`: a CSV file or workbook posted to an ingestion URL. It knows only HTTP."""

from twin.importer.command import import_file

__all__ = ["import_file"]
