"""The front of a worker: it accepts the connections and has plain requests answered in its own process.

Everything else, from the first request that is not plain or whose answer comes in parts to the end of
its connection, goes byte for byte to the HTTP server behind a Unix socket, which knows all of HTTP. So
the front understands one simple form and guesses at nothing. A request costs it some 5 µs of processor
time, the server 20 to 33.
"""

from twin.front.application import ApplicationRoute
from twin.front.connection import PlainRoute, Reply
from twin.front.door import Door, FrontPlan
from twin.front.head import Head
from twin.front.listener import Front

__all__ = ["ApplicationRoute", "Door", "Front", "FrontPlan", "Head", "PlainRoute", "Reply"]
