"""What tests of the web pages share: a browser, and a server of their own."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright
from support.browser import launch_chromium
from support.server import RunningServer, start_server


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What browsers are started with."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser that draws 3D."""
    running = launch_chromium(playwright)
    yield running
    running.close()


@pytest.fixture(scope="module")
def console_server(new_database: Any) -> Iterator[RunningServer]:
    """A server on a new database, for a module."""
    with start_server(new_database()) as running:
        yield running
