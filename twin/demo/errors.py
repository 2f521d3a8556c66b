"""Why the demo cannot go on."""


class DemoFailed(Exception):
    """The sample plant cannot be set up; the message says why."""
