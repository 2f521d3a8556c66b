"""How a receiver can tell that a delivery is ours and not an old one sent again, or who calls."""

import base64
import hashlib
import hmac

from alerts.targeting import Target

DELIVERY = "X-Twinfeed-Delivery"
TIMESTAMP = "X-Twinfeed-Timestamp"
SIGNATURE = "X-Twinfeed-Signature"
GRAFANA_SIGNATURE = "X-Grafana-Alerting-Signature"


def signature(secret: str, timestamp: str | None, body: bytes) -> str:
    """Return the lowercase hex HMAC-SHA256 of ``timestamp + ":" + body``, or of the body alone."""
    signed = body if timestamp is None else timestamp.encode() + b":" + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def authorization(username: str | None, secret: str) -> str:
    """Return an Authorization header: Basic (RFC 7617), or without a username Bearer (RFC 6750)."""
    if username is None:
        return f"Bearer {secret}"
    return "Basic " + base64.b64encode(f"{username}:{secret}".encode()).decode()


def headers(delivery_id: str, target: Target, now_us: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery; the timestamp is in Unix seconds, of this attempt.

    Grafana's signature is the one of its webhook contact points: over the body, or with the timestamp
    in a header of the receiver's choice.
    """
    found = {"Content-Type": "application/json", "User-Agent": "twinfeed", DELIVERY: delivery_id}
    if target.type == "alertmanager" and (target.secret or target.username):
        return found | {"Authorization": authorization(target.username, target.secret or "")}
    if target.secret is None:
        return found
    timestamp = str(now_us // 1_000_000)
    if target.signature == "twinfeed":
        found[TIMESTAMP] = timestamp
        found[SIGNATURE] = signature(target.secret, timestamp, body)
    elif target.timestamp_header is None:
        found[GRAFANA_SIGNATURE] = signature(target.secret, None, body)
    else:
        found[target.timestamp_header] = timestamp
        found[GRAFANA_SIGNATURE] = signature(target.secret, timestamp, body)
    return found
