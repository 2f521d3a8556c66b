"""Dockerfile and docker-compose.yml, as far as reading them can tell."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from twin.settings import describe

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
LATER = {"TWINFEED_READ_KEY", "TWINFEED_SQL_PASSWORD"}
"""Made with the running server, so its start cannot ask for them: empty until then."""
SECRET = re.compile(r"PASSWORD|KEY|SECRET|TOKEN")

each_service = pytest.mark.parametrize("name", SERVICES)


def test_the_services() -> None:
    assert sorted(SERVICES) == ["grafana", "prometheus", "timescaledb", "twinfeed"]


@each_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")
    assert "network_mode" not in SERVICES[name]


def test_the_database_is_not_published() -> None:
    assert "ports" not in SERVICES["timescaledb"]


@each_service
def test_a_service_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@each_service
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name].get("image")
    assert (image is None) == (name == "twinfeed")
    if image is not None:
        assert re.search(r":v?\d+\.\d+\.\d+(-pg\d+)?$", image)


@each_service
def test_mounts_exist(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.partition(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists()
            assert mount.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_what_a_service_waits_for_is_there_and_has_a_health() -> None:
    for service in SERVICES.values():
        for other in service.get("depends_on", []):
            assert "healthcheck" in SERVICES[other]


def test_no_secret_has_a_default() -> None:
    secrets = {name for name in re.findall(r"\$\{(\w+)", TEXT) if SECRET.search(name)} - LATER
    assert secrets == {
        "POSTGRES_PASSWORD",
        "TWINFEED_ADMIN_KEY",
        "TWINFEED_SECRET_KEY",
        "GRAFANA_PASSWORD",
    }
    for name in secrets:
        assert not re.search(rf"\$\{{{name}(?!:\?)", TEXT), f"{name} can be left out"
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if variable in LATER:
                assert value == f"${{{variable}:-}}"
            elif SECRET.search(variable):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), variable


def test_the_example_names_every_variable_and_no_value_of_a_secret() -> None:
    used = set(re.findall(r"\$\{(\w+)", TEXT))
    given = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", ENV_EXAMPLE, re.MULTILINE))
    assert set(given) == used
    assert {value for name, value in given.items() if SECRET.search(name)} == {""}
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_settings_exist() -> None:
    known = {variable for variable, _, _ in describe()}
    named = set(SERVICES["twinfeed"]["environment"])
    named |= set(re.findall(r"\b(TWINFEED_\w+)=", DOCKERFILE))
    assert named <= known


def test_the_image_installs_what_is_locked() -> None:
    assert "pip install --require-hashes -r requirements.lock" in DOCKERFILE
    assert all("--no-deps" in line for line in DOCKERFILE.splitlines() if line.endswith(" ."))
    for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE):
        assert re.fullmatch(r"python:3\.\d+-slim", image)


def test_the_image_runs_as_a_user_of_its_own() -> None:
    users = re.findall(r"^USER (\w+)", DOCKERFILE, re.MULTILINE)
    assert users == ["twinfeed"]
    assert DOCKERFILE.index("USER twinfeed") < DOCKERFILE.index("ENTRYPOINT")


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    sent = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    ]
    assert sorted(sources) == sorted(sent)
    assert [source for source in sources if not (ROOT / source).exists()] == []
