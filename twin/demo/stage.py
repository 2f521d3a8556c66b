"""Puts the models and the scene on the server, or finds what an earlier start put there."""

from urllib.parse import quote

import msgspec

from twin.demo.api import Api
from twin.demo.model.models import MODELS, model
from twin.demo.scene import SCENE, scene
from twin.demo.state import State, Token
from twin.scenes.glb import MEDIA_TYPE


class Stage(msgspec.Struct, frozen=True):
    """The scene, and the token that shows it in a browser."""

    scene_id: str
    token: str


def set_stage(api: Api, state: State, widgets: dict[str, str]) -> Stage:
    """Return the scene, made when there is none of its name: what a person changed in it stays.

    `widgets`: ids by title. A new token is put in `state`, which the caller saves.
    """
    for item in api.items("/v1/scenes"):
        if item["name"] == SCENE:
            return Stage(item["id"], _token(api, state, item["id"]))
    made = api.call("POST", "/v1/scenes", scene(_assets(api), widgets))
    return Stage(made["id"], _token(api, state, made["id"]))


def _assets(api: Api) -> dict[str, str]:
    """Return the ids of all models by name, with the missing ones uploaded."""
    ids = {item["name"]: item["id"] for item in api.items("/v1/assets")}
    for name in MODELS:
        if name not in ids:
            asset = api.upload(f"/v1/assets?name={quote(name)}", model(name), MEDIA_TYPE)
            ids[name] = asset["id"]
    return {name: ids[name] for name in MODELS}


def _token(api: Api, state: State, scene_id: str) -> str:
    path = f"/v1/scenes/{scene_id}/view-tokens"
    known = state.view_tokens.get(scene_id)
    if known and any(item["token_id"] == known.token_id for item in api.items(path)):
        return known.secret
    made = api.call("POST", path, {"name": "demo"})
    state.view_tokens[scene_id] = Token(made["token_id"], made["token"])
    return str(made["token"])
