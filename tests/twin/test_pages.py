"""The built pages: served whole, kept by browsers, asking nobody else for anything."""

import re

import httpx
import pytest
from support.server import RunningServer

from twin import pages

PAGES = ("/", "/viewer/00000000-0000-4000-8000-000000000000")
BUNDLE_BYTES = 900_000


@pytest.mark.parametrize("path", PAGES)
def test_a_page_and_its_files(server: RunningServer, path: str) -> None:
    with httpx.Client(base_url=server.url) as client:
        page = client.get(path)
        assert page.status_code == 200, page.text
        assert page.headers["content-type"].startswith("text/html")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        again = client.get(path, headers={"If-None-Match": page.headers["etag"]})
        assert again.status_code == 304
        files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert files
        for name in files:
            assert name.startswith(pages.FILES), "a page asks only its own origin"
            answer = client.get(name)
            assert answer.status_code == 200, name
            assert "immutable" in answer.headers["cache-control"]


def test_what_is_no_file(server: RunningServer) -> None:
    for path in ("/ui/", "/ui/nothing.js", "/ui/../pages.py", "/ui/%2e%2e/pages.py", "/viewer/x"):
        answer = httpx.get(server.url + path)
        assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND"), path


def test_the_bundle_stays_small() -> None:
    packed = [file.packed for file in pages.built_files().values() if file.packed is not None]
    assert packed
    assert sum(map(len, packed)) <= BUNDLE_BYTES
