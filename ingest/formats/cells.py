"""Cells of text → numbers, booleans and labels, a column at a time. Pure.

A column has one kind. A cell that does not fit it is a fault of its row, never a reason to take the
column as something else.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.columns import Bools, Texts
from twin.batch import Floats
from twin.schema import Kind

POINT, COMMA = ".", ","
_SPACES = " \u00a0\u202f\u2009'\u2019"
"""Space, no-break space, narrow no-break space, thin space and apostrophes part thousands."""
_TAIL = r"(?:[eE][+-]?\d+)?$"
_NUMBER = {
    POINT: rf"^[+-]?(?:(?:\d+|\d{{1,3}}(?:[,{_SPACES}]\d{{3}})+)(?:\.\d*)?|\.\d+){_TAIL}",
    COMMA: rf"^[+-]?(?:(?:\d+|\d{{1,3}}(?:[.{_SPACES}]\d{{3}})+)(?:,\d*)?|,\d+){_TAIL}",
}
_CERTAIN = {
    POINT: (
        rf"^[+-]?(?:\d{{1,3}}(?:[,{_SPACES}]\d{{3}})+\.\d*"
        rf"|\d*\.(?:\d{{1,2}}|\d{{4,}})|0\.\d+|\d{{4,}}\.\d+){_TAIL}"
    ),
    COMMA: (
        rf"^[+-]?(?:\d{{1,3}}(?:[.{_SPACES}]\d{{3}})+,\d*"
        rf"|\d*,(?:\d{{1,2}}|\d{{4,}})|0,\d+|\d{{4,}},\d+){_TAIL}"
        r"|^[+-]?\d{1,3}\.\d{3}\.\d{3}$"
    ),
}
"""Texts that can only mean a number with this decimal mark; 1.234 may be either, 1.234.567 not. Four
groups are not taken for proof: an address on a network may look like that."""
_EITHER_COMMA = r"^[+-]?\d{1,3},\d{3}$"
_NOT_FINITE = r"(?i)^[+-]?(?:nan|inf|infinity)$"
_BOOLEAN = r"(?i)^(?:true|false|wahr|falsch)$"
_TRUE = {"true", "wahr", "1", "yes", "on"}
_FALSE = {"false", "falsch", "0", "no", "off"}


def decimal_mark(columns: Iterable[pa.StringArray], delimiter: str) -> str:
    """Return the decimal mark that the cells of a table show: '.' unless commas prevail."""
    points = commas = either = 0
    for texts in columns:
        points += _count(texts, _CERTAIN[POINT])
        commas += _count(texts, _CERTAIN[COMMA])
        either += _count(texts, _EITHER_COMMA)
    if commas or points:
        return COMMA if commas > points else POINT
    return COMMA if either and delimiter != "," else POINT


def kind_of_cells(texts: pa.StringArray, decimal: str) -> Kind | None:
    """Return the kind of most cells, None when all are absent; on a tie it is not text."""
    held = len(texts) - texts.null_count
    if not held:
        return None
    numbers = _count(texts, _NUMBER[decimal]) + _count(texts, _NOT_FINITE)
    if 2 * numbers >= held:
        return "number"
    return "boolean" if 2 * _count(texts, _BOOLEAN) >= held else "text"


def count_numbers(texts: pa.StringArray) -> int:
    """Return how many cells are numbers, with a decimal point or comma."""
    return _count(texts, f"{_NUMBER[POINT]}|{_NUMBER[COMMA]}")


def numbers(texts: pa.StringArray, decimal: str) -> tuple[Floats, Bools]:
    """Return float64[n], NaN = absent, and bool[n]: which cells are no finite numbers."""
    held = _held(texts)
    if decimal == POINT:
        try:
            found = _floats(texts)
        except pa.ArrowInvalid:
            pass
        else:
            return found, held & ~np.isfinite(found)
    fits = pc.match_substring_regex(texts, _NUMBER[decimal])
    plain = pc.if_else(fits, texts, pa.scalar(None, pa.string()))
    parted = f"[{_SPACES}{COMMA if decimal == POINT else POINT}]"
    plain = pc.replace_substring_regex(plain, parted, "")
    found = _floats(pc.replace_substring(plain, COMMA, POINT))
    return found, held & ~np.isfinite(found)


def booleans(texts: pa.StringArray) -> tuple[Floats, Bools]:
    """Return 0 and 1 as float64[n], NaN = absent, and bool[n]: which cells are no booleans."""
    labels = text_column(texts)
    names = [name.lower() for name in labels.names]
    values = [1.0 if n in _TRUE else 0.0 if n in _FALSE else np.nan for n in names]
    found = np.array([*values, np.nan])[labels.codes]
    return found, (labels.codes >= 0) & np.isnan(found)


def text_column(texts: Any) -> Texts:
    """Return a string or dictionary array as texts."""
    if not pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_encode()
    codes = texts.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    names = texts.dictionary.to_pylist()
    if None in names:  # a dictionary may say absent too
        gone = np.array([name is None for name in names] + [False])
        codes = np.where(gone[codes], -1, codes)
        names = [name or "" for name in names]
    return Texts(codes.astype(np.int32, copy=False), names)


def _floats(texts: pa.StringArray) -> Floats:
    found: Floats = pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False)
    return found


def _held(array: Any) -> Bools:
    held: Bools = array.is_valid().to_numpy(zero_copy_only=False)
    return held


def _count(texts: pa.StringArray, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(texts, pattern)).as_py() or 0)
