"""Scenes and their models: saved, shown, bounded, carried from one server to another."""

import io
import zipfile
from typing import Any

import httpx
import pytest
from support.models import pack, triangle
from support.server import RunningServer, start_server

GLB = {"Content-Type": "model/gltf-binary"}


def upload(server: RunningServer, content: bytes, name: str = "pump") -> dict[str, Any]:
    answer = server.client.post(
        "/v1/assets", params={"name": name}, content=content, headers=server.auth | GLB
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def widget(server: RunningServer) -> str:
    source = server.datasource("in a scene")
    assert source.post({"x": 1}).status_code == 200
    spec = {"type": "single", "title": "X", "datasource_id": source.id, "key": "x"}
    return str(server.post("/v1/widgets", spec).json()["id"])


def saved(server: RunningServer, **fields: Any) -> dict[str, Any]:
    answer = server.post("/v1/scenes", {"name": "Hall", "nodes": [], **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def refused(server: RunningServer, nodes: list[Any], **fields: Any) -> dict[str, Any]:
    answer = server.post("/v1/scenes", {"name": "Hall", "nodes": nodes, **fields})
    assert answer.status_code == 422, answer.text
    return dict(answer.json())


def test_a_model_is_kept_shown_replaced_and_deleted(server: RunningServer) -> None:
    content = triangle()
    asset = upload(server, content, "pump Ä")
    assert (asset["name"], asset["size_bytes"]) == ("pump Ä", len(content))
    assert (asset["nodes"], asset["triangles"]) == (["Motor 1"], 1)
    got = server.client.get(asset["url"], headers=server.auth)
    assert (got.status_code, got.content) == (200, content)
    assert got.headers["content-type"] == "model/gltf-binary"
    assert "immutable" in got.headers["cache-control"]
    etag = got.headers["etag"]
    for tag in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        later = server.client.get(asset["url"], headers=server.auth | {"If-None-Match": tag})
        assert later.status_code == 304, tag
    assert "no-cache" in server.get(f"/v1/assets/{asset['id']}/content").headers["cache-control"]
    other = triangle(nodes=[{"name": "Motor 2", "mesh": 0}])
    path = f"/v1/assets/{asset['id']}"
    replaced = server.client.put(path, content=other, headers=server.auth | GLB)
    assert replaced.status_code == 200, replaced.text
    assert replaced.json()["url"] != asset["url"]
    assert server.get(replaced.json()["url"]).content == other
    assert server.patch(path, {"name": "fan"}).json()["name"] == "fan"
    listed = server.get("/v1/assets", limit=100).json()["items"]
    assert [item["name"] for item in listed if item["id"] == asset["id"]] == ["fan"]
    assert server.delete(path).status_code == 204
    assert server.get(path).status_code == 404


def test_a_large_model_comes_whole_to_everybody_who_asks(server: RunningServer) -> None:
    """More than a socket holds: its end must not be taken for a client that is gone."""
    content = pack({"asset": {"version": "2.0"}}, bytes(1_500_000))
    url = server.url + upload(server, content)["url"]
    for _ in range(40):
        with httpx.Client(headers=server.auth, trust_env=False) as browser:
            assert browser.get(url).content == content


def test_the_same_content_twice_is_kept_once(server: RunningServer) -> None:
    content = triangle(nodes=[{"name": "twice", "mesh": 0}])
    one, two = upload(server, content), upload(server, content)
    assert one["id"] != two["id"]
    assert one["sha256"] == two["sha256"]
    server.delete(f"/v1/assets/{one['id']}")
    assert server.get(two["url"]).content == content


def test_what_is_no_model_is_refused(server: RunningServer) -> None:
    def sent(content: bytes, media: str = "model/gltf-binary", name: str = "x") -> Any:
        headers = server.auth | {"Content-Type": media}
        return server.client.post(
            "/v1/assets", params={"name": name}, content=content, headers=headers
        )

    assert sent(b"solid cube").status_code == 422
    assert "glTF" in sent(b"solid cube").json()["message"]
    assert sent(triangle(), "text/plain").status_code == 415
    assert sent(triangle(), name="").status_code == 422
    assert sent(triangle(), name="x" * 201).status_code == 422


def test_bounds(database_url: str) -> None:
    bounds = {"max_asset_bytes": "2000", "max_assets": "2", "max_scenes": "1"}
    with start_server(database_url, max_scene_nodes="2", **bounds) as server:
        large = pack({"asset": {"version": "2.0"}}, bytes(2000))
        for size, status in ((-200, 201), (0, 413)):
            content = pack({"asset": {"version": "2.0"}}, bytes(2000 + size))
            headers = server.auth | GLB
            answer = server.client.post("/v1/assets?name=x", content=content, headers=headers)
            assert answer.status_code == status, answer.text
        chunked = server.client.post(
            "/v1/assets?name=x", content=iter([large[:50], large[50:]]), headers=server.auth | GLB
        )
        assert chunked.status_code == 413
        upload(server, triangle())
        answer = server.client.post(
            "/v1/assets?name=x", content=triangle(), headers=server.auth | GLB
        )
        assert (answer.status_code, answer.json()["error"]) == (409, "CONFLICT")
        assert "2 nodes" in refused(server, [{"id": str(i)} for i in range(3)])["message"]
        saved(server, nodes=[{"id": "a"}, {"id": "b"}])
        assert server.post("/v1/scenes", {"name": "two"}).status_code == 409


def test_a_scene_is_answered_spelled_out(server: RunningServer) -> None:
    asset, shown = upload(server, triangle()), widget(server)
    scene = saved(
        server,
        nodes=[
            {"id": "hall"},
            {
                "id": "pump",
                "parent": "hall",
                "asset_id": asset["id"],
                "scale": 2,
                "rotation": [0, 90, 0],
                "widgets": [{"widget_id": shown, "anchor": "Motor 1", "display": "gauge"}],
            },
            {"id": "tank", "primitive": "tank", "rotation": [0, 0, 0, 1]},
        ],
        cameras=[{"name": "front", "position": [0, 2, 5], "target": [0, 0, 0]}],
    )
    assert scene["revision"] == 1
    assert [item["id"] for item in scene["assets"]] == [asset["id"]]
    assert scene["missing"] == {"asset_ids": [], "widget_ids": []}
    pump, tank = scene["nodes"][1:]
    assert pump["scale"] == [2, 2, 2]
    assert pump["widgets"][0]["anchor"] == {"node": "Motor 1", "position": [0, 0, 0]}
    assert pump["widgets"][0]["display"] == {"kind": "gauge"}
    assert tank["primitive"]["type"] == "tank"
    assert server.get(f"/v1/scenes/{scene['id']}").json() == scene
    listed = server.get("/v1/scenes", limit=100).json()["items"]
    mine = next(item for item in listed if item["id"] == scene["id"])
    assert (mine["nodes_total"], mine["widgets_total"]) == (3, 1)
    again = server.put(f"/v1/scenes/{scene['id']}", scene)
    assert again.status_code == 200, again.text
    assert again.json()["nodes"] == scene["nodes"]


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([{"id": "a"}, {"id": "a"}], "used twice"),
        ([{"id": "a", "parent": "b"}], "no node 'b'"),
        ([{"id": "a", "parent": "b"}, {"id": "b", "parent": "a"}], "own ancestor"),
        ([{"id": "a", "parent": "a"}], "own ancestor"),
        ([{"id": "a", "asset_id": "00000000-0000-4000-8000-000000000000"}], "no asset"),
        (
            [{"id": "a", "widgets": [{"widget_id": "00000000-0000-4000-8000-000000000000"}]}],
            "no widget",
        ),
        ([{"id": "a", "primitive": "teapot"}], "primitive"),
        ([{"id": "a", "position": [1, 2]}], "position"),
        ([{"id": "a", "position": [1e300, 0, 0]}], "position"),
        ([{"id": "a", "rotation": [0, 0]}], "rotation"),
        ([{"id": "a", "colour": "red"}], "colour"),
        ([{"id": ""}], "id"),
        (["box"], "object"),
    ],
)
def test_a_scene_that_makes_no_sense(server: RunningServer, nodes: list[Any], says: str) -> None:
    assert says in refused(server, nodes)["message"]


def test_displays_are_checked(server: RunningServer) -> None:
    shown = widget(server)
    for display, says in (
        ({"kind": "color"}, "ranges"),
        ({"kind": "color", "ranges": [{"from": 2, "to": 1, "color": "#ff0000"}]}, "from is below"),
        ({"kind": "gauge", "min": 5, "max": 5}, "min is below"),
        ({"kind": "visibility"}, "from, to"),
        ({"kind": "hologram"}, "display"),
    ):
        nodes = [{"id": "a", "widgets": [{"widget_id": shown, "display": display}]}]
        assert says in refused(server, nodes)["message"]


def test_a_stale_save_is_refused(server: RunningServer) -> None:
    scene = saved(server)
    path = f"/v1/scenes/{scene['id']}"
    first = server.put(path, {"name": "Hall 2", "nodes": [{"id": "a"}], "revision": 1})
    assert (first.status_code, first.json()["revision"]) == (200, 2)
    stale = server.put(path, {"name": "Hall 3", "nodes": [], "revision": 1})
    assert (stale.status_code, stale.json()["error"]) == (409, "CONFLICT")
    assert "revision 2" in stale.json()["message"]
    assert server.patch(path, {"name": "x", "revision": 1}).status_code == 409
    assert server.patch(path, {"name": "x", "revision": 2}).json()["revision"] == 3
    assert server.put(path, {"name": "forced", "nodes": []}).json()["revision"] == 4


def test_a_model_in_use_stays_and_a_deleted_widget_is_missed(server: RunningServer) -> None:
    asset, shown = upload(server, triangle()), widget(server)
    node = {"id": "a", "asset_id": asset["id"], "widgets": [{"widget_id": shown}]}
    scene = saved(server, nodes=[node])
    kept = server.delete(f"/v1/assets/{asset['id']}")
    assert kept.status_code == 409
    assert "'Hall'" in kept.json()["message"]
    server.delete(f"/v1/widgets/{shown}")
    path = f"/v1/scenes/{scene['id']}"
    now = server.get(path).json()
    assert now["missing"] == {"asset_ids": [], "widget_ids": [shown]}
    assert server.put(path, now).status_code == 200, "what was missing may stay"
    assert server.delete(path).status_code == 204
    assert server.get(path).status_code == 404
    assert server.delete(f"/v1/assets/{asset['id']}").status_code == 204


def test_a_scene_travels_as_one_archive(server: RunningServer) -> None:
    content = triangle(nodes=[{"name": "travels", "mesh": 0}])
    asset, shown, gone = upload(server, content), widget(server), widget(server)
    bound = [{"widget_id": shown}, {"widget_id": gone}]
    scene = saved(server, nodes=[{"id": "a", "asset_id": asset["id"], "widgets": bound}])
    archive = server.get(f"/v1/scenes/{scene['id']}/export")
    assert archive.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.testzip() is None
        assert sorted(opened.namelist()) == [f"assets/{asset['sha256']}.glb", "scene.json"]
    server.delete(f"/v1/widgets/{gone}")
    server.delete(f"/v1/scenes/{scene['id']}")
    server.delete(f"/v1/assets/{asset['id']}")
    headers = server.auth | {"Content-Type": "application/zip"}
    back = server.client.post("/v1/scenes/import", content=archive.content, headers=headers)
    assert back.status_code == 201, back.text
    assert back.json()["dropped_widget_ids"] == [gone]
    copy = back.json()["scene"]
    assert [item["widget_id"] for item in copy["nodes"][0]["widgets"]] == [shown]
    assert server.get(copy["assets"][0]["url"]).content == content


def test_archives_that_lie(server: RunningServer) -> None:
    def sent(files: dict[str, bytes]) -> Any:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return server.client.post("/v1/scenes/import", content=made.getvalue(), headers=server.auth)

    assert server.client.post(
        "/v1/scenes/import", content=b"PK no", headers=server.auth
    ).status_code == 400  # fmt: skip
    assert "scene.json" in sent({}).json()["message"]
    assert sent({"scene.json": b"{"}).status_code == 422
    assert sent({"scene.json": b'{"nodes": 3}'}).status_code == 422
    assert sent({"scene.json": b'{"name": "x", "nodes": [1]}'}).status_code == 422
    told = b'{"name":"x","nodes":[],"assets":[{"id":"1","name":"a","sha256":"%s"}]}' % (b"0" * 64)
    assert "assets/" in sent({"scene.json": told}).json()["message"]
    wrong = sent({"scene.json": told, f"assets/{'0' * 64}.glb": triangle()})
    assert "not what its name says" in wrong.json()["message"]
    bomb = sent({"scene.json": b" " * (40 * 2**20)})
    assert (bomb.status_code, "more than" in bomb.json()["message"]) == (422, True)


def test_changes_are_in_the_trail(server: RunningServer) -> None:
    scene = saved(server, name="Trailed")
    server.post(f"/v1/scenes/{scene['id']}/view-tokens", {"name": "wall"})
    server.delete(f"/v1/scenes/{scene['id']}")
    trail = server.get("/v1/audit", object_id=scene["id"]).json()["items"]
    assert [entry["action"] for entry in trail] == ["delete", "create"]
