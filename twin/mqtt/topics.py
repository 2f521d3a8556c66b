"""Topic → device and data key. Pure.

The device is what the wildcards of the filter matched, joined by slashes. A payload that is a bare value
is named by the topic's last level, which then is no part of the device. Templates replace either rule.
"""

import re

import msgspec

_FIELD = re.compile(r"\{(-?[1-9][0-9]*)\}")
_SHARED = "$share/"


class TopicError(ValueError):
    """A topic cannot be mapped, or a filter or template is malformed; the message says why."""


class Template:
    """Text in which ``{2}`` is the topic's second level and ``{-1}`` its last."""

    def __init__(self, text: str) -> None:
        """Parse a template. Raises TopicError for a brace that is no such field."""
        self._text = text
        rest = _FIELD.sub("", text)
        if "{" in rest or "}" in rest:
            raise TopicError(
                f"'{text}': write {{1}} for a topic's first level, {{-1}} for its last."
            )

    def fill(self, levels: list[str]) -> str:
        """Return the text for a topic. Raises TopicError when it has no such level."""

        def level(found: re.Match[str]) -> str:
            number = int(found[1])
            try:
                return levels[number - 1 if number > 0 else number]
            except IndexError:
                raise TopicError(f"the topic has no level {number}") from None

        return _FIELD.sub(level, self._text)


class Place(msgspec.Struct, frozen=True):
    """Where a message's readings belong, unless they say so themselves."""

    device: str
    bare_device: str
    """The device when the payload is a bare value."""
    bare_key: str


class Topics:
    """The filters of a bridge and what their topics mean."""

    def __init__(
        self, filters: tuple[str, ...], device: str | None = None, data_key: str | None = None
    ) -> None:
        """Take filters and templates. Raises TopicError."""
        for given in filters:
            _check(given)
        self.filters = filters
        self._device = None if device is None else Template(device)
        self._key = None if data_key is None else Template(data_key)

    def place(self, topic: str) -> Place:
        """Return where readings of a topic belong, by the first filter that matches it.

        Raises TopicError when none does, or a template asks for a level that is not there.
        """
        levels = topic.split("/")
        found = next((m for f in self.filters if (m := matched(f, levels)) is not None), None)
        if found is None:
            raise TopicError("no --topic matches; an earlier subscription of this session does")
        if self._device is None:
            device = "/".join(levels[i] for i in found)
            ends = [i for i in found if i < len(levels) - 1 or self._key is not None]
            bare_device = "/".join(levels[i] for i in ends)
        else:
            device = bare_device = self._device.fill(levels)
        key = levels[-1] if self._key is None else self._key.fill(levels)
        return Place(device, bare_device, key)


def matched(given: str, levels: list[str]) -> list[int] | None:
    """Return the positions of a topic's levels that a filter's wildcards match; None: it does not."""
    parts = _levels(given)
    found: list[int] = []
    for i, part in enumerate(parts):
        if part == "#":
            return [*found, *range(i, len(levels))]
        if i >= len(levels) or part not in ("+", levels[i]):
            return None
        if part == "+":
            found.append(i)
    return found if len(parts) == len(levels) else None


def _levels(given: str) -> list[str]:
    levels = given.split("/")
    return levels[2:] if given.startswith(_SHARED) else levels


def _check(given: str) -> None:
    """Raise TopicError for what a broker would answer by closing the connection."""
    levels = _levels(given)
    if not given or not levels or not any(levels) or "\0" in given or len(given.encode()) > 65535:
        raise TopicError(f"'{given[:100]}' is not a topic filter.")
    for i, level in enumerate(levels):
        if ("#" in level and (level != "#" or i < len(levels) - 1)) or (
            "+" in level and level != "+"
        ):
            raise TopicError(
                f"'{given[:100]}': + and # stand for whole levels, # for the last ones."
            )
