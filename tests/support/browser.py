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
TIMEOUT_MS = 30_000


def launch_chromium(playwright: Playwright, *, webgl: bool = True) -> Browser:
    """Start a browser; the caller closes it."""
    expect.set_options(timeout=TIMEOUT_MS)
    flags = [*QUIET, *(SOFTWARE if webgl else FLAT)]
    return playwright.chromium.launch(
        executable_path=CHROMIUM, headless=True, args=flags, timeout=TIMEOUT_MS
    )


class Watched:
    """A page of a browser, what it complained of, and whom it asked."""

    def __init__(self, browser: Browser, width: int = 1000, height: int = 640) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": height})
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
