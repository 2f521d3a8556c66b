"""The bytes of a CSV body → UTF-8, and where its records end. Pure.

Encoding: that of the byte order mark, else the charset of the Content-Type, else UTF-8; bytes that are
not UTF-8 are what Excel writes on Windows, windows-1252.
"""

import codecs
import re

from twin.errors import Unreadable, UnsupportedMedia

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSETS = {
    *("utf-8", "ascii", "utf-16", "utf-16-le", "utf-16-be"),
    *(f"cp{number}" for number in range(1250, 1259)),
    *(f"iso8859-{number}" for number in (1, 2, 3, 4, 5, 7, 9, 15)),
}
_ANSI = "cp1252"


class Decoder:
    """Turns a body's bytes into UTF-8 piece by piece."""

    def __init__(self, charset: str) -> None:
        """Raises UnsupportedMedia for a charset that is not known."""
        self._encoding = _known(charset) if charset else ""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._held = b""
        self._is_ascii = True
        self._size = 0

    def decode(self, data: bytes, *, final: bool = False) -> bytes:
        """Return the next piece. Raises Unreadable, naming the byte that is no text."""
        if self._decoder is None:
            self._held += data
            if len(self._held) < 3 and not final:
                return b""
            data, self._held = self._begin(self._held), b""
        assert self._decoder is not None
        state = self._decoder.getstate()
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as exc:
            if self._encoding or not self._is_ascii:
                at = self._size + exc.start
                raise Unreadable(f"The CSV body is not text: byte {at} is not.") from exc
            pending = state[0]
            self._decoder = codecs.getincrementaldecoder(_ANSI)("replace")
            text = self._decoder.decode(pending + data, final)
        self._size += len(data)
        self._is_ascii = self._is_ascii and text.isascii()
        return text.encode("utf-8", "replace")

    def _begin(self, start: bytes) -> bytes:
        """Choose the encoding by the first bytes; return them without a mark."""
        for mark, encoding in _MARKS:
            if start.startswith(mark):
                self._encoding, start = encoding, start[len(mark) :]
                break
        self._decoder = codecs.getincrementaldecoder(self._encoding or "utf-8")()
        return start


def record_end(data: bytearray, delimiter: bytes) -> int:
    """Return the end of the last record that is complete, 0 when none is.

    A line end within a quoted cell ends no record.
    """
    cut = data.rfind(b"\n") + 1
    if not cut or b'"' not in data:
        return cut
    inside = [m.span() for m in _quoted(delimiter).finditer(data)]
    while cut and inside:
        begin, end = inside[-1]
        if end < cut:
            return cut
        # Also a quote that ends with the data: the next byte may be its other half.
        cut = data.rfind(b"\n", 0, begin + 1) + 1
        inside.pop()
    return cut


def is_open(data: bytes, delimiter: bytes) -> bool:
    """Return whether data ends within a quoted cell."""
    return any(match["close"] == b"" for match in _quoted(delimiter).finditer(data))


def _quoted(delimiter: bytes) -> re.Pattern[bytes]:
    """Return what finds quoted cells, the quotes included; open when `close` is empty."""
    lead = re.escape(delimiter)
    return re.compile(rb"(?:(?<=[\r\n])|(?<=" + lead + rb')|\A)"[^"]*(?:""[^"]*)*(?P<close>"|\Z)')


def _known(charset: str) -> str:
    try:
        name = codecs.lookup(charset.strip("\"' ")).name
    except (LookupError, ValueError):
        name = ""
    if name not in _CHARSETS:
        raise UnsupportedMedia(f"The charset '{charset[:40]}' is not supported: send UTF-8.")
    return "" if name in ("utf-8", "ascii") else name
