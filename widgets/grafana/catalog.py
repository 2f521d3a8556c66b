"""What there is to choose from: metrics, devices, datasources."""

from typing import Any
from uuid import UUID

from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.errors import Invalid, ItemError, NotFound
from twin.ground import Ground
from twin.principal import Principal
from twin.schema import DatasourceSchema
from widgets.grafana.model import Choice, Metric, Option, Payload
from widgets.spec import AGGREGATES

MOST = 5000
"""Most metrics, devices and datasources listed: more than anyone scrolls through."""
GROUPINGS = ("time", "device")

_queries = load("widgets", "grafana")


class Catalog:
    """Lists and finds what one principal may see."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Look at the principal's organisation and environment."""
        self._ground = ground
        self._principal = principal

    async def metrics(self) -> list[Metric]:
        """Return the keys of all datasources; a metric's value is `datasource id/key`."""
        return [
            Metric(
                f"{name} / {label or key}{f' ({unit})' if unit else ''}", f"{id_}/{key}", PAYLOADS
            )
            for id_, name, key, label, unit in await self._rows("metrics")
        ]

    async def options(self, metric: str, name: str) -> list[Option]:
        """Return what a payload of a metric may be."""
        if name == "device":
            schema, _key = await self.find("metric", metric)
            return [Option(device or "(no device)", device) for device in _devices(schema)]
        return next((payload.options for payload in PAYLOADS if payload.name == name), [])

    async def choices(self, asked: str) -> list[Choice]:
        """Return the values of a variable: `datasources`, `devices`, `keys(X)` or `devices(X)`.

        X is a datasource's id or name. Raises Invalid, NotFound.
        """
        what, _, inner = asked.partition("(")
        about = inner.removesuffix(")").strip()
        if what == "datasources":
            return [Choice(name, str(id_)) for id_, name in await self._rows("datasources")]
        if what == "devices" and not about:
            return [Choice(device, device) for device in await self.devices()]
        if what in ("keys", "devices") and about:
            schema = await self.datasource(about)
            names = list(schema.keys) if what == "keys" else _devices(schema)
            return [Choice(name, name) for name in names]
        problem = "must be datasources, devices, keys(<datasource>) or devices(<datasource>)"
        raise invalid("payload.target", problem)

    async def devices(self) -> list[str]:
        """Return the devices of all datasources, by name."""
        return [device for (device,) in await self._rows("devices")]

    async def find(self, field: str, metric: str) -> tuple[DatasourceSchema, str]:
        """Return the datasource and the key of `id/key` or `name/key`. Raises Invalid, NotFound."""
        source, slash, key = metric.partition("/")
        try:
            schema = await self.datasource(source)
        except NotFound:
            raise invalid(
                field, f"'{metric[:200]}' names no datasource; a metric is <datasource>/<key>"
            ) from None
        if not slash or not key:
            raise invalid(field, "needs a key: <datasource>/<key>")
        return schema, key

    async def datasource(self, ref: str) -> DatasourceSchema:
        """Return a datasource by its id or its name. Raises NotFound."""
        try:
            id_ = UUID(ref)
        except ValueError:
            rows = await self._rows("named", name=ref)
            if not rows:
                raise NotFound(f"There is no datasource '{ref[:200]}'.") from None
            id_ = rows[0][0]
        return await self._ground.schemas.get_for(self._principal, id_)

    async def _rows(self, query: str, **params: Any) -> list[tuple[Any, ...]]:
        given = self._principal.scope | {"most": MOST} | params
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                return await (await conn.execute(_queries[query], given)).fetchall()


def invalid(field: str, problem: str) -> Invalid:
    """Return the refusal of a field."""
    return Invalid(f"{field} {problem}.", errors=[ItemError(key=field, message=problem)])


def _options(names: tuple[str, ...]) -> list[Option]:
    return [Option(name, name) for name in names]


def _devices(schema: DatasourceSchema) -> list[str]:
    return sorted(schema.devices)[:MOST]


PAYLOADS = [
    Payload("Device", "device", "select", "all, pooled"),
    Payload("Aggregate", "agg", "select", "avg", _options(AGGREGATES)),
    Payload("Group by", "group_by", "select", "time", _options(GROUPINGS)),
    Payload("Bucket", "bucket", "input", "auto"),
]
"""What may be chosen of every metric."""
