"""Why an import cannot go on."""


class ImportFailed(Exception):
    """The file cannot be read or the server does not take it; the message says what to do."""
