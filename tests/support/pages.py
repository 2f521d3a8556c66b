"""The examples of the documentation: blocks of code by their name, made to point at a real server."""

import re
from pathlib import Path

from support.server import Datasource

SENDERS = Path(__file__).parents[2] / "docs" / "senders"
_BLOCK = re.compile(r"^```(\S+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


def blocks(page: str) -> dict[str, str]:
    """Return the named blocks of a page (```language name) as they stand there."""
    return {name: text for _, name, text in _BLOCK.findall((SENDERS / page).read_text("utf-8"))}


def example(page: str, name: str, datasource: Datasource, **more: str) -> str:
    """Return a block with the placeholders that the index page names filled in, and `more` replaced."""
    text = blocks(page)[name]
    host, _, port = datasource.server.url.removeprefix("http://").partition(":")
    filled = {
        ADDRESS: datasource.server.url,
        "DATASOURCE_ID": datasource.id,
        "INGEST_KEY": datasource.key,
        "TWINFEED_HOST": host,
        "TWINFEED_PORT": port,
    }
    for there, here in {**filled, **more}.items():
        text = text.replace(there, here)
    return text
