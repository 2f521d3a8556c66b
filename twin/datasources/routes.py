"""HTTP: /v1/datasources."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, delete, get, patch, post
from litestar.params import Parameter

from twin.datasources.example import example_curl, example_payload
from twin.datasources.model import (
    CreatedDatasource,
    CreatedIngestKey,
    DataKeyPatch,
    Datasource,
    DatasourceDetail,
    DatasourcePatch,
    Device,
    Example,
    IngestKey,
    IngestKeys,
    NewDatasource,
    NewIngestKey,
    Rotation,
    SeenDataKey,
)
from twin.datasources.removal import check_bounds, plan_removal, remove_readings
from twin.datasources.store import DatasourceStore
from twin.ground import Ground
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal
from twin.urls import ingest_url

Ask = Request[Any, Any, Any]
From = Annotated[str | None, Parameter(query="from", description="readings from this time on")]
To = Annotated[str | None, Parameter(description="readings before this time")]
DeviceName = Annotated[str | None, Parameter(description="readings of this device alone")]
KeyName = Annotated[str | None, Parameter(description="values of this key alone")]
DataKeyPath = Annotated[str, Parameter(description="the key, as readings name it")]


@post("/v1/datasources", status_code=201, tags=["datasources"])
async def create_datasource(
    data: NewDatasource, request: Ask, ground: Ground, principal: Principal
) -> CreatedDatasource:
    """Create a datasource; its ingest key is shown only here."""
    principal.require("write")
    schema, key, secret = await DatasourceStore(ground).create(principal, data)
    detail = await _detail(ground, request, principal, schema.id, secret)
    return CreatedDatasource(**_fields(detail), api_key=secret, key_id=key.key_id)


@get("/v1/datasources", tags=["datasources"])
async def list_datasources(
    request: Ask,
    ground: Ground,
    principal: Principal,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[Datasource]:
    """List datasources in the order of their creation."""
    principal.require("read")
    rows, total = await DatasourceStore(ground).page(principal, limit, offset)
    items = [
        Datasource(
            **row,
            environment=principal.environment,
            ingest_url=ingest_url(ground.settings, request, row["id"]),
        )
        for row in rows
    ]
    return Page(items, total, limit, offset)


@get("/v1/datasources/{datasource_id:uuid}", tags=["datasources"])
async def get_datasource(
    datasource_id: UUID, request: Ask, ground: Ground, principal: Principal
) -> DatasourceDetail:
    """Read a datasource with its keys, devices, totals and an example payload."""
    principal.require("read")
    return await _detail(ground, request, principal, datasource_id)


@patch("/v1/datasources/{datasource_id:uuid}", tags=["datasources"])
async def patch_datasource(
    datasource_id: UUID, data: DatasourcePatch, request: Ask, ground: Ground, principal: Principal
) -> DatasourceDetail:
    """Change name, description, time zone, retention or limits."""
    principal.require("write")
    await DatasourceStore(ground).patch(principal, datasource_id, data)
    return await _detail(ground, request, principal, datasource_id)


@delete("/v1/datasources/{datasource_id:uuid}", tags=["datasources"])
async def delete_datasource(datasource_id: UUID, ground: Ground, principal: Principal) -> None:
    """Delete a datasource with all its readings and keys."""
    principal.require("write")
    await DatasourceStore(ground).delete(principal, datasource_id)


@get("/v1/datasources/{datasource_id:uuid}/devices", tags=["datasources"])
async def list_devices(
    datasource_id: UUID,
    ground: Ground,
    principal: Principal,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[Device]:
    """List a datasource's devices in the order of their first reading."""
    principal.require("read")
    schema = await ground.schemas.get_for(principal, datasource_id)
    devices, total = await DatasourceStore(ground).devices(principal, schema.no, limit, offset)
    return Page(devices, total, limit, offset)


@delete("/v1/datasources/{datasource_id:uuid}/readings", tags=["datasources"])
async def delete_some_readings(
    datasource_id: UUID,
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    from_: From = None,
    to: To = None,
    device: DeviceName = None,
    key: KeyName = None,
) -> None:
    """Delete readings of [from, to), of one device or of all.

    With a key only its values go, and the readings that hold no other. A parameter that is not known
    or given twice is refused: what it was meant to spare would be gone.
    """
    principal.require("write")
    check_bounds(request.query_params.multi_items())
    schema = await ground.schemas.get_for(principal, datasource_id)
    removal = plan_removal(schema, from_, to, device, key)
    await DatasourceStore(ground).note_removal(
        principal, schema, {"from": from_, "to": to, "device": device, "key": key}
    )
    await remove_readings(ground, schema, removal)


@patch("/v1/datasources/{datasource_id:uuid}/data-keys/{key:path}", tags=["datasources"])
async def patch_data_key(
    datasource_id: UUID, key: DataKeyPath, data: DataKeyPatch, ground: Ground, principal: Principal
) -> SeenDataKey:
    """Change a data key's unit and label, and its kind while it holds no value."""
    principal.require("write")
    key = key.removeprefix("/")  # a path parameter begins with its slash; the key may hold more
    store = DatasourceStore(ground)
    schema = await ground.schemas.get_for(principal, datasource_id)
    await store.patch_key(principal, schema, key, data)
    learned = await store.learned(principal, schema.no)
    seen: list[SeenDataKey] = learned["data_keys"]
    return next(item for item in seen if item.key == key)


@post("/v1/datasources/{datasource_id:uuid}/keys", status_code=201, tags=["ingest keys"])
async def create_ingest_key(
    datasource_id: UUID, data: NewIngestKey, ground: Ground, principal: Principal
) -> CreatedIngestKey:
    """Create another ingest key."""
    principal.require("write")
    schema = await ground.schemas.get_for(principal, datasource_id)
    key, secret = await DatasourceStore(ground).add_ingest_key(principal, schema, data)
    return _created(key, secret)


@get("/v1/datasources/{datasource_id:uuid}/keys", tags=["ingest keys"])
async def list_ingest_keys(datasource_id: UUID, ground: Ground, principal: Principal) -> IngestKeys:
    """List a datasource's ingest keys, without secrets."""
    principal.require("read")
    schema = await ground.schemas.get_for(principal, datasource_id)
    keys = await DatasourceStore(ground).ingest_keys(principal, schema.no)
    return IngestKeys(keys, len(keys))


@delete("/v1/datasources/{datasource_id:uuid}/keys/{key_id:str}", tags=["ingest keys"])
async def delete_ingest_key(
    datasource_id: UUID, key_id: str, ground: Ground, principal: Principal
) -> None:
    """Delete an ingest key: it stops working on every worker within a second."""
    principal.require("write")
    schema = await ground.schemas.get_for(principal, datasource_id)
    await DatasourceStore(ground).delete_ingest_key(principal, schema, key_id)


@post(
    "/v1/datasources/{datasource_id:uuid}/keys/{key_id:str}/rotate",
    status_code=200,
    tags=["ingest keys"],
)
async def rotate_ingest_key(
    datasource_id: UUID,
    key_id: str,
    ground: Ground,
    principal: Principal,
    data: Rotation | None = None,
) -> CreatedIngestKey:
    """Give an ingest key a new secret; the old one stays valid for `grace_seconds`."""
    principal.require("write")
    schema = await ground.schemas.get_for(principal, datasource_id)
    grace = (data or Rotation()).grace_seconds
    store = DatasourceStore(ground)
    key, secret = await store.rotate_ingest_key(principal, schema, key_id, grace)
    return _created(key, secret)


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [
        create_datasource,
        list_datasources,
        get_datasource,
        patch_datasource,
        delete_datasource,
        list_devices,
        delete_some_readings,
        patch_data_key,
        create_ingest_key,
        list_ingest_keys,
        delete_ingest_key,
        rotate_ingest_key,
    ]


async def _detail(
    ground: Ground, request: Ask, principal: Principal, id_: UUID, api_key: str | None = None
) -> DatasourceDetail:
    store = DatasourceStore(ground)
    row = await store.get(principal, id_)
    no = row.pop("datasource_no")
    url = ingest_url(ground.settings, request, id_)
    payload = example_payload(await ground.schemas.get(id_, principal))
    return DatasourceDetail(
        **row,
        **await store.learned(principal, no),
        environment=principal.environment,
        ingest_url=url,
        example=Example(payload, example_curl(url, payload, api_key)),
    )


def _created(key: IngestKey, secret: str) -> CreatedIngestKey:
    return CreatedIngestKey(**_fields(key), api_key=secret)


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
