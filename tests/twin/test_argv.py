"""Which arguments are moved out of sight."""

import pytest

from twin.argv import without_secrets

URL = "postgresql://user:pw@db/twinfeed"
KEY = "tfi_" + "0" * 64


@pytest.mark.parametrize(
    ("given", "kept", "moved"),
    [
        (["serve"], ["serve"], {}),
        (["serve", "--database-url", URL], ["serve"], {"TWINFEED_DATABASE_URL": URL}),
        (
            ["migrate", f"--database-url={URL}", "--data-dir", "d"],
            ["migrate", "--data-dir", "d"],
            {"TWINFEED_DATABASE_URL": URL},
        ),
        (
            ["serve", "--database-url", "postgresql://db/x"],
            ["serve", "--database-url", "postgresql://db/x"],
            {},
        ),
        (["serve", "--database-url", "nonsense"], ["serve", "--database-url", "nonsense"], {}),
        (["import", "f", "--key", KEY], ["import", "f"], {"TWINFEED_KEY": KEY}),
        (
            ["mqtt", "--broker=mqtt://u:p@broker", "--topic", "a"],
            ["mqtt", "--topic", "a"],
            {"TWINFEED_MQTT_BROKER": "mqtt://u:p@broker"},
        ),
        (["export", "--keys", "a", "--key", "temperature"], None, {}),
    ],
)
def test_secrets_go_into_the_environment(
    given: list[str], kept: list[str] | None, moved: dict[str, str]
) -> None:
    assert without_secrets(given) == (given if kept is None else kept, moved)
