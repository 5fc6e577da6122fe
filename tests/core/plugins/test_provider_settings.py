"""Settings are checked, split and described by the provider's own schema."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields, pre_load, validate

from modelyard import Health, InvalidInput, Notification, Notifier
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_providers import check_provider
from modelyard.core.provider_settings import (
    check_settings,
    secret_texts,
    settings_json_schema,
    split_secrets,
    validate_settings,
)


class Place(Schema):
    city = fields.String(required=True)


class Settings(Schema):
    url = fields.Url(required=True, metadata={"title": "Address", "description": "Where to."})
    level = fields.String(load_default="low", validate=validate.OneOf(["low", "high"]))
    retries = fields.Integer(load_default=3, validate=validate.Range(min=0, max=9))
    ratio = fields.Decimal(load_default=Decimal("0.5"))
    place = fields.Nested(Place)
    token = fields.String(metadata={"secret": True, "title": "Token"})
    pass_word = fields.String(data_key="passWord", metadata={"secret": True}, validate=validate.Length(min=8))


def make(schema: type[Schema]) -> type[Notifier]:
    class Pigeon(Notifier):
        name = "pigeon"
        title = "Pigeon"
        settings_schema = schema

        def health(self) -> Health:
            return Health(True)

        def send(self, notification: Notification) -> None:
            """Fly."""

    return Pigeon


class TestJsonSchema:
    def test_it_is_plain_json_for_a_form(self) -> None:
        described = settings_json_schema(make(Settings))

        assert described["type"] == "object"
        assert described["additionalProperties"] is False
        assert described["required"] == ["url"]
        properties = described["properties"]
        assert properties["url"] == {
            "type": "string",
            "format": "url",
            "title": "Address",
            "description": "Where to.",
        }
        assert properties["level"]["enum"] == ["low", "high"]
        assert properties["level"]["default"] == "low"
        assert (properties["retries"]["minimum"], properties["retries"]["maximum"]) == (0, 9)
        assert properties["ratio"]["default"] == "0.5"
        assert properties["place"]["properties"]["city"] == {"type": "string"}

    def test_secrets_are_write_only(self) -> None:
        properties = settings_json_schema(make(Settings))["properties"]

        assert properties["token"] == {"type": "string", "title": "Token", "writeOnly": True, "x-secret": True}
        assert properties["passWord"]["x-secret"] is True
        assert "x-secret" not in properties["url"]

    def test_the_order_of_the_author_is_said(self) -> None:
        inner = Schema.from_dict({"port": fields.Integer(), "host": fields.String()})
        described = settings_json_schema(make(Schema.from_dict({"url": fields.String(), "b": fields.Nested(inner)})))

        assert described["x-order"] == ["url", "b"]
        assert described["properties"]["b"]["x-order"] == ["port", "host"]

    def test_a_provider_without_settings_has_an_empty_one(self) -> None:
        assert settings_json_schema(make(Schema)) == {"type": "object", "properties": {}, "additionalProperties": False}

    @pytest.mark.parametrize(
        "field",
        [
            fields.Nested(Schema.from_dict({"key": fields.String(metadata={"secret": True})})),
            fields.List(fields.Nested(Schema.from_dict({"key": fields.String(metadata={"secret": True})}))),
            fields.Dict(values=fields.String(metadata={"secret": True})),
        ],
        ids=["nested", "list", "dict"],
    )
    def test_a_secret_below_the_first_level_is_refused(self, field: fields.Field[Any]) -> None:
        with pytest.raises(ValueError, match="the secret inside of 'login'"):
            settings_json_schema(make(Schema.from_dict({"login": field})))

    def test_a_schema_that_holds_itself_is_refused(self) -> None:
        class Endless(Schema):
            again = fields.Nested(lambda: Endless())

        with pytest.raises((ValueError, RecursionError)):
            settings_json_schema(make(Endless))


class TestSplit:
    def test_by_the_names_that_users_give(self) -> None:
        given = {"url": "https://x", "token": "t", "passWord": "p", "unknown": 1}

        assert split_secrets(Settings, given) == ({"url": "https://x", "unknown": 1}, {"token": "t", "passWord": "p"})

    def test_every_string_in_a_secret_is_one(self) -> None:
        assert secret_texts({"a": "x", "b": ["y", {"c": "z"}], "d": None, "e": 12345, "f": True, "g": "x"}) == (
            "x",
            "y",
            "z",
            "12345",
        )


class TestValidate:
    def test_the_provider_gets_what_the_schema_makes(self) -> None:
        checked = validate_settings(Settings, {"url": "https://x.test", "passWord": "long enough"})

        assert checked["pass_word"] == "long enough"
        assert (checked["level"], checked["ratio"]) == ("low", Decimal("0.5"))

    def test_each_wrong_field_is_named(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            validate_settings(Settings, {"url": "no url", "place": {"city": 5}, "speed": 9})

        assert set(caught.value.details["errors"]) == {"url", "place.city", "speed"}
        for name in ("url:", "place.city:", "speed: Unknown field."):
            assert name in caught.value.message

    def test_a_secret_is_never_quoted(self) -> None:
        class Chatty(Schema):
            token = fields.String(metadata={"secret": True}, validate=validate.Equal("x", error="'{input}' is not x"))

        with pytest.raises(InvalidInput) as caught:
            validate_settings(Chatty, {"token": "hunter2"})

        assert "hunter2" not in f"{caught.value} {caught.value.details}"
        assert "***" in caught.value.message

    def test_a_schema_that_makes_no_dict_is_a_fault_of_the_plugin(self) -> None:
        class Odd(Schema):
            def load(self, *args: Any, **kwargs: Any) -> Any:
                return None

        with pytest.raises(TypeError, match="Odd makes NoneType"):
            validate_settings(Odd, {})


class TestUnderTheGuard:
    @pytest.fixture
    def gate(self) -> Iterator[threading.Event]:
        event = threading.Event()
        yield event
        event.set()

    def test_wrong_settings_are_the_users_affair(self) -> None:
        guard = Guard()
        entry = check_provider("notifier", "pigeon", make(Settings))

        with pytest.raises(InvalidInput, match="url: Missing"):
            check_settings(entry, {}, guard)
        assert guard.failures == {}

    def test_a_schema_that_raises_or_hangs_is_the_plugins(
        self, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from modelyard import PluginError
        from modelyard.core import provider_settings
        from modelyard.core.errors import PluginTimeout

        class Moody(Schema):
            token = fields.String(metadata={"secret": True})

            @pre_load
            def look(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
                if data["token"] == "hang":
                    gate.wait()
                if data["token"] == "refuse":
                    raise ValidationError("not this one")
                raise RuntimeError(f"what is {data['token']}?")

        entry = check_provider("notifier", "pigeon", make(Moody))

        with pytest.raises(PluginError, match=r"'settings': RuntimeError: what is \*\*\*\?"):
            check_settings(entry, {"token": "hunter2"}, Guard())
        with pytest.raises(InvalidInput, match="settings: not this one"):
            check_settings(entry, {"token": "refuse"}, Guard())
        monkeypatch.setattr(provider_settings, "SETTINGS_DEADLINE_SECONDS", 0.1)
        with pytest.raises(PluginTimeout):
            check_settings(entry, {"token": "hang"}, Guard())
