"""The web pages that `twin/viewer/` builds: the console at `/`, the viewer, and their files.

Invariant: nothing outside the built folder is ever read, and it is read once. File names hold a hash of
their content, so browsers may keep them for ever; the pages themselves are always asked for.
"""

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from twin.errors import NotFound

BUILT = Path(__file__).parent / "viewer" / "dist"
FILES = "/ui/"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",  # Draco's decoder is WebAssembly
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self' blob: data:",  # textures and buffers inside a model
        "worker-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
PAGE_HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",  # a view token stands in the page's address
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}
FILE_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "public, max-age=31536000, immutable",
    "vary": "accept-encoding",
}
COMPRESSED = (".js", ".css", ".html", ".svg", ".wasm", ".json")


class Built(msgspec.Struct, frozen=True):
    """A built file, as it is and gzipped where that is smaller."""

    content: bytes
    packed: bytes | None
    media_type: str
    etag: str


@cache
def built_files() -> dict[str, Built]:
    """Return what was built, by path below the folder; empty when it was not."""
    if not BUILT.is_dir():
        return {}
    paths = [path for path in BUILT.rglob("*") if path.is_file() and path.suffix]
    return {str(path.relative_to(BUILT)): _read(path) for path in paths}


def _read(path: Path) -> Built:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(content, mtime=0) if path.suffix in COMPRESSED else None
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Built(content, packed, media_type, etag)


def _answer(name: str, headers: dict[str, str], request: Request[Any, Any, Any]) -> Response[bytes]:
    files = built_files()
    found = files.get(name)
    if found is None:
        raise NotFound(
            "There is no such file."
            if files
            else "The web pages are not built: install again, with npm's registry in reach."
        )
    headers = headers | {"etag": found.etag}
    if request.headers.get("if-none-match") == found.etag:
        return Response(b"", status_code=304, headers=headers)
    content = found.content
    if found.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers = found.packed, headers | {"content-encoding": "gzip"}
    return Response(content, media_type=found.media_type, headers=headers)


@get("/", include_in_schema=False)
async def console_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer the console."""
    return _answer("index.html", PAGE_HEADERS, request)


@get("/viewer/{scene_id:uuid}", include_in_schema=False)
async def viewer_page(request: Request[Any, Any, Any], scene_id: object) -> Response[bytes]:  # noqa: ARG001
    """Answer the viewer; its script asks for the scene with the token of the page's address."""
    return _answer("viewer.html", PAGE_HEADERS, request)


@get(FILES + "{path:path}", include_in_schema=False)
async def page_file(request: Request[Any, Any, Any], path: str) -> Response[bytes]:
    """Answer a script, style or picture of the pages."""
    return _answer(path.lstrip("/"), FILE_HEADERS, request)


def routes() -> list[HTTPRouteHandler]:
    """Return the pages' routes."""
    return [console_page, viewer_page, page_file]
