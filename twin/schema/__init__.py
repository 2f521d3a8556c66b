"""What a datasource is made of: its keys and their slots, devices and their streams, labels."""

from twin.schema.directory import SchemaDirectory
from twin.schema.model import DataKey, DatasourceSchema, Kind, Wanted

__all__ = ["DataKey", "DatasourceSchema", "Kind", "SchemaDirectory", "Wanted"]
