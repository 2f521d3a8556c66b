"""Which devices a new `no_data` rule watches from the start: those that sent the key lately.

Runs in the transaction that stores the rule, under the datasource's lock. Devices that begin to send
later are taken in by the first reading of theirs (`alerts/quiet.py`).
"""

from psycopg import sql

from alerts.rules import Definition
from twin.batch import PAGE_SLOTS
from twin.clock import to_datetime
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.schema import DatasourceSchema

LATELY_US = 86_400_000_000
"""A device that was silent for a day before the rule was made is not waited for."""


async def enrol(
    conn: AsyncConnection,
    schema: DatasourceSchema,
    rule_no: int,
    definition: Definition,
    now_us: int,
) -> None:
    """Give a rule for every device a normal state for each that it watches from now on."""
    spec, key = definition.spec, schema.keys.get(definition.key)
    is_broad = spec.condition == "no_data" and definition.device is None
    if not is_broad or key is None or not definition.is_active:
        return
    page, column = divmod(key.slot, PAGE_SLOTS)
    values = {
        "rule_no": rule_no,
        "no": schema.no,
        "page": page,
        "from": to_datetime(now_us - max(LATELY_US, spec.silence_us)),
        "until": to_datetime(now_us + spec.silence_us),
    }
    text = load("alerts", "clock")["enrol"].decode()
    await conn.execute(sql.SQL(text).format(column=sql.Identifier(f"v{column}")), values)
