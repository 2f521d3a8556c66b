"""What a rule asks, in words, for the people who get its alerts. Pure."""

from alerts.rules import Part, Spec

Value = float | bool | str | None
"""A value as told to people: a number, a boolean or a text."""

_WORDS = {
    "greater_than": "above",
    "greater_or_equal": "at or above",
    "less_than": "below",
    "less_or_equal": "at or below",
    "equal_to": "equal to",
    "not_equal_to": "not equal to",
}


def asked(key: str, spec: Spec) -> str:
    """Return when a rule fires: 'temperature is above 80 for 30 s'."""
    during = f" for {text_of(spec.for_seconds)} s" if spec.for_seconds else ""
    if spec.parts:
        word = " or " if spec.all is None else " and "
        return word.join(_compared(part.key, part) for part in spec.parts) + during
    if spec.condition == "no_data":
        return f"{key} sends nothing for {text_of(spec.threshold)} s"
    if spec.condition == "rate_above":
        return f"{key} rises by more than {text_of(spec.threshold)} a minute{during}"
    return _compared(key, spec) + during


def _compared(key: str, question: Spec | Part) -> str:
    condition, threshold = question.condition, text_of(question.threshold)
    if condition in ("between", "outside"):
        return f"{key} is {condition} {threshold} and {text_of(question.threshold_high)}"
    return f"{key} is {_WORDS[condition or '']} {threshold}"


def text_of(value: Value) -> str:
    """Return a value as people write it."""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value).lower() if isinstance(value, bool) else str(value)
