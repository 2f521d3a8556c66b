"""How a receiver can tell that a delivery is ours and not an old one sent again."""

import hashlib
import hmac

DELIVERY = "X-Twinfeed-Delivery"
TIMESTAMP = "X-Twinfeed-Timestamp"
SIGNATURE = "X-Twinfeed-Signature"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the lowercase hex HMAC-SHA256 of ``timestamp + ":" + body``."""
    return hmac.new(secret.encode(), timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def headers(delivery_id: str, secret: str | None, now_us: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery; the timestamp is in Unix seconds, of this attempt."""
    found = {"Content-Type": "application/json", "User-Agent": "twinfeed", DELIVERY: delivery_id}
    if secret is not None:
        timestamp = str(now_us // 1_000_000)
        found[TIMESTAMP] = timestamp
        found[SIGNATURE] = signature(secret, timestamp, body)
    return found
