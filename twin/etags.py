"""Entity tags of HTTP (RFC 9110 8.8.3). Pure."""


def matches(if_none_match: str | None, etag: str) -> bool:
    """Return whether an If-None-Match header names a tag (weak comparison, RFC 9110 13.1.2)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]
