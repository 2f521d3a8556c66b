"""The SQL of a datasource's view. Pure.

A row is a reading: its time, its device, and every key with its type; texts are looked up in the labels.
The view reads with the rights of its owner, the server, and is a security barrier: a condition of its
reader never sees rows of other datasources.
"""

from collections.abc import Sequence

from psycopg import sql

from twin.schema import DataKey
from twin.sqlviews.names import column_names

SCHEMA = "twin_sql"


def create_view(schema: str, name: str, no: int, keys: Sequence[DataKey]) -> sql.Composed:
    """Return the statement that makes or extends the view of datasource `no`.

    `schema` holds the tables. `keys` in the order of their slots: a new one is a new last column.
    """
    names = column_names(key.key for key in keys)
    columns = [sql.SQL("p0.ts"), sql.SQL("s0.device"), *map(_column, keys)]
    selected = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(column, sql.Identifier(label))
        for column, label in zip(columns, names, strict=True)
    )
    pages = sorted({key.page for key in keys} - {0})
    joins = [_page(schema, no, page) for page in pages]
    joins += [_labels(schema, no, key) for key in keys if key.kind == "text"]
    return sql.SQL(
        "CREATE OR REPLACE VIEW {view} WITH (security_barrier = true) AS SELECT {selected}"
        " FROM {streams} AS s0 JOIN {readings} AS p0 ON p0.stream_id = s0.stream_id{joins}"
        " WHERE s0.datasource_no = {no} AND s0.page = 0"
        # Nothing is left to see from the moment the datasource is deleted.
        " AND (SELECT d.deleted_at IS NULL FROM {datasources} AS d WHERE d.datasource_no = {no})"
    ).format(
        view=sql.Identifier(SCHEMA, name),
        selected=selected,
        streams=sql.Identifier(schema, "streams"),
        readings=sql.Identifier(schema, "readings"),
        datasources=sql.Identifier(schema, "datasources"),
        joins=sql.Composed(joins),
        no=sql.Literal(no),
    )


def drop_view(name: str) -> sql.Composed:
    """Return the statement that drops a view."""
    return sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(SCHEMA, name))


def grant_view(name: str, role: str) -> sql.Composed:
    """Return the statements that let a role read a view, and look into its schema."""
    return sql.SQL(
        "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {view} TO {role}"
    ).format(
        schema=sql.Identifier(SCHEMA),
        view=sql.Identifier(SCHEMA, name),
        role=sql.Identifier(role),
    )


def _column(key: DataKey) -> sql.Composable:
    value = sql.Identifier(f"p{key.page}", f"v{key.column}")
    if key.kind == "boolean":
        return sql.SQL("({} <> 0)").format(value)
    if key.kind == "text":
        return sql.Identifier(f"l{key.slot}", "label")
    return value


def _page(schema: str, no: int, page: int) -> sql.Composed:
    return sql.SQL(
        " LEFT JOIN {streams} AS {s} ON {s}.datasource_no = {no} AND {s}.device = s0.device"
        " AND {s}.page = {page}"
        " LEFT JOIN {readings} AS {p} ON {p}.stream_id = {s}.stream_id AND {p}.ts = p0.ts"
    ).format(
        streams=sql.Identifier(schema, "streams"),
        readings=sql.Identifier(schema, "readings"),
        s=sql.Identifier(f"s{page}"),
        p=sql.Identifier(f"p{page}"),
        no=sql.Literal(no),
        page=sql.Literal(page),
    )


def _labels(schema: str, no: int, key: DataKey) -> sql.Composed:
    return sql.SQL(
        " LEFT JOIN {labels} AS {l} ON {l}.datasource_no = {no} AND {l}.code = {value}::int"
    ).format(
        labels=sql.Identifier(schema, "labels"),
        l=sql.Identifier(f"l{key.slot}"),
        no=sql.Literal(no),
        value=sql.Identifier(f"p{key.page}", f"v{key.column}"),
    )
