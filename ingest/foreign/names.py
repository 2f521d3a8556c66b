"""Names made from what other systems call tags, labels and attributes. Pure."""

import hashlib
from collections.abc import Iterable

_HASH_DIGITS = 16


def device_name(pairs: Iterable[tuple[str, str]], max_length: int) -> str:
    """Return pairs as a device: `k=v,k2=v2`, sorted by key; '' without pairs.

    What is longer than `max_length` keeps its start and ends in `#` and a hash of all of it: labels
    and attributes of other systems are longer than a device name may be, and must not be mixed up.
    """
    name = ",".join(f"{key}={value}" for key, value in sorted(pairs))
    if len(name) <= max_length:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_HASH_DIGITS]
    kept = max(max_length - _HASH_DIGITS - 1, 0)
    return f"{name[:kept]}#{digest}"[:max_length]
