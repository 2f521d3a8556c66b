"""Debian's Chromium through Playwright, drawing 3D with the processor."""

from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, expect

CHROMIUM = Path("/usr/bin/chromium")
PAGES = Path(__file__).parents[2] / "twin" / "viewer" / "dist"
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SOFTWARE = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
FLAT = ("--disable-gpu", "--disable-3d-apis")
TIMEOUT_MS = 120_000  # a processor that draws has other work too
PICTURES = Path(__file__).parents[2] / "test-pictures"
STANDS = "() => globalThis.twinfeedWorld?.frames > 0 && !document.querySelector('.progress')"
"""True once the viewer has drawn and its models are there. A function: the pages forbid eval."""


def launch_chromium(playwright: Playwright, *, webgl: bool = True) -> Browser:
    """Start a browser; the caller closes it."""
    expect.set_options(timeout=TIMEOUT_MS)
    flags = [*QUIET, *(SOFTWARE if webgl else FLAT)]
    return playwright.chromium.launch(
        executable_path=CHROMIUM, headless=True, args=flags, timeout=TIMEOUT_MS
    )


def keep_picture(page: Page, name: str) -> None:
    """Keep what a page shows, to be looked at after the tests."""
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


class Watched:
    """A page of a browser, what it complained of, and whom it asked."""

    def __init__(
        self, browser: Browser, width: int = 1000, height: int = 640, *, dark: bool = False
    ) -> None:
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": height}
        self.page: Page = browser.new_page(viewport=size, color_scheme=scheme)
        self.page.set_default_timeout(TIMEOUT_MS)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _note(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind == "error":
            self.complaints.append(text)

    def strangers(self, origin: str) -> list[str]:
        """Return the addresses asked for that are not of the page's origin."""
        inner = ("blob:", "data:")
        return [url for url in self.asked if not url.startswith((origin + "/", *inner))]
