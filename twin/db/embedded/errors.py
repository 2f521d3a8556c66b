"""What the embedded PostgreSQL can refuse; every message says what to do, and none holds a secret."""


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL could not be started."""


class DataDirectoryError(EmbeddedServerError):
    """The data directory cannot be used as it is: in use, foreign, unreadable or another version's."""
