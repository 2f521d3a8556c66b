"""PostgreSQL from a wheel, running on a data directory for as long as this process does."""

from twin.db.embedded.errors import DataDirectoryError, EmbeddedServerError
from twin.db.embedded.server import EmbeddedServer, running_url

__all__ = ["DataDirectoryError", "EmbeddedServer", "EmbeddedServerError", "running_url"]
