"""A visit to the console: a page of a browser, and what it must never do."""

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page

from support.browser import TIMEOUT_MS

_STORED = """() => [localStorage, sessionStorage].flatMap((kept) => Object.keys(kept))"""


class Visit:
    """A page of the console; what it must never do is noted."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.faults: list[str] = []
        self.foreign: list[str] = []
        origin = urlsplit(url).netloc
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._note)
        context.on(
            "request",
            lambda asked: (
                self.foreign.append(asked.url)
                if urlsplit(asked.url).scheme in ("http", "https")
                and urlsplit(asked.url).netloc != origin
                else None
            ),
        )

    def _note(self, message: Any) -> None:
        # A browser logs every answer of 400 and above; being signed out is one.
        is_sign_in = message.location["url"].endswith("/v1/session") and "401" in message.text
        if message.type in ("error", "warning") and not is_sign_in:
            self.faults.append(message.text)

    def sign_in(self, key: str) -> None:
        self.page.goto("/")
        self.page.get_by_label("Management key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()

    def enter(self, key: str, path: str = "") -> None:
        """Sign in without the form, and open a page."""
        signed = self.page.request.post("/v1/session", data={"api_key": key})
        assert signed.status == 201, signed.text()
        self.page.goto("about:blank")  # else the page stays as it was before
        self.open(path)

    def open(self, path: str) -> None:
        self.page.goto(f"/#/{path}")

    def check(self, *, refused: int = 0, status: int = 422, kept: list[str] | None = None) -> None:
        """Raise when the page asked elsewhere, failed, or kept something but `kept`.

        `refused`: how many answers of `status` there were.
        """
        assert self.foreign == []
        assert [fault for fault in self.faults if str(status) not in fault] == []
        assert len(self.faults) == refused
        assert self.page.evaluate(_STORED) == (kept or [])
