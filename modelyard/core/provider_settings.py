"""A provider's settings: checked by its marshmallow schema, split into plain and secret, described as JSON Schema.

What is stored is what the user gave, already checked; a provider gets what its schema makes of it. Schemas are plugins'
code: `check_settings` runs one under the guard, `settings_json_schema` ran under it once when the class was registered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, ValidationError, fields, validate

from modelyard.core.errors import InvalidInput
from modelyard.core.interfaces import Provider
from modelyard.core.plugin_failures import strip_secrets

if TYPE_CHECKING:
    from modelyard.core.plugin_guard import Guard
    from modelyard.core.plugin_providers import ProviderEntry

SETTINGS_DEADLINE_SECONDS = 5.0


def settings_json_schema(cls: type[Provider]) -> dict[str, Any]:
    """Return the JSON Schema of a provider's settings; secrets are ``writeOnly`` and ``x-secret``.

    ``x-order`` names an object's properties as their author has put them, since JSON keeps no order. Raises ValueError
    where the schema cannot be said in JSON, or hides a secret below the first level.
    """
    from apispec import APISpec  # here, because most processes of the platform never describe a schema twice
    from apispec.ext.marshmallow import MarshmallowPlugin

    inlining = MarshmallowPlugin(schema_name_resolver=lambda schema: "")
    APISpec(title="settings", version="1", openapi_version="3.1.0", plugins=[inlining])
    schema = cls.settings_schema()
    _refuse_nested_secrets(schema)
    if inlining.converter is None:
        raise ValueError("apispec has no converter")
    described: dict[str, Any] = inlining.converter.schema2jsonschema(schema)  # type: ignore[no-untyped-call]
    properties = described.setdefault("properties", {})
    for key in secret_keys(cls.settings_schema):
        properties[key] |= {"writeOnly": True, "x-secret": True}
    return {"type": "object", "additionalProperties": schema.unknown != "raise"} | _in_order(_plain_json(described))


def _in_order(described: dict[str, Any]) -> dict[str, Any]:
    properties = described.get("properties")
    if not properties:
        return described
    ordered = {name: _in_order(inner) for name, inner in properties.items()}
    return described | {"properties": ordered, "x-order": list(ordered)}


def _plain_json(value: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(value, default=str, allow_nan=False))
    return plain


def secret_keys(schema_cls: type[Schema]) -> frozenset[str]:
    """The names under which secrets are given."""
    return frozenset(_key(name, field) for name, field in schema_cls().fields.items() if _is_secret(field))


def free_keys(schema_cls: type[Schema]) -> frozenset[str]:
    """The names of settings that may change without the secrets being given again.

    A setting may decide where secrets are sent unless it is a number, a truth or a choice, or its metadata says
    ``"secret_goes_to": False``; with ``True`` it does whatever it is.
    """
    return frozenset(_key(name, field) for name, field in schema_cls().fields.items() if not _decides_place(field))


def _decides_place(field: fields.Field[Any]) -> bool:
    said = field.metadata.get("secret_goes_to")
    if said is not None:
        return bool(said)
    rules = field.validators
    choice = any(isinstance(rule, validate.OneOf) for rule in rules)
    return not (choice or _is_secret(field) or isinstance(field, fields.Number | fields.Boolean))


def split_secrets(schema_cls: type[Schema], values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split given settings into the plain ones and the secret ones, which are encrypted and never shown."""
    hidden = secret_keys(schema_cls)
    plain = {key: value for key, value in values.items() if key not in hidden}
    secret = {key: value for key, value in values.items() if key in hidden}
    return plain, secret


def validate_settings(schema_cls: type[Schema], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as the provider gets them. Raises `InvalidInput` naming each wrong field, never a secret.

    Runs plugin code on the caller's thread; services use `check_settings`.
    """
    try:
        loaded = schema_cls().load(dict(values))
    except ValidationError as exc:
        problems = dict(_problems(exc.messages, ""))
        secrets = secret_texts(split_secrets(schema_cls, values)[1])
        text = "; ".join(f"{field}: {problem}" for field, problem in problems.items())
        raise InvalidInput(f"Wrong settings: {strip_secrets(text, secrets)}", **_named(problems, secrets)) from None
    if not isinstance(loaded, dict):
        raise TypeError(f"the settings schema {schema_cls.__name__} makes {type(loaded).__name__} instead of a dict")
    return loaded


def check_settings(entry: ProviderEntry, values: Mapping[str, Any], guard: Guard) -> dict[str, Any]:
    """Do as `validate_settings` does for a provider, under the guard."""
    checked: dict[str, Any] = guard.call(
        entry.plugin,
        "settings",
        validate_settings,
        entry.cls.settings_schema,
        values,
        deadline_seconds=SETTINGS_DEADLINE_SECONDS,
        secrets=secret_texts({key: value for key, value in values.items() if key in entry.secret_keys}),
        expect=dict,
    )
    return checked


def secret_texts(secrets: Mapping[str, Any]) -> tuple[str, ...]:
    """Every string that must not be seen, from inside lists and mappings, too."""
    return tuple(dict.fromkeys(_texts(secrets)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _problems(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            place = path if key == "_schema" else f"{path}.{key}" if path else str(key)
            yield from _problems(below, place)
    elif isinstance(messages, list):
        yield path or "settings", " ".join(map(str, messages))
    else:
        yield path or "settings", str(messages)


def _named(problems: Mapping[str, str], secrets: tuple[str, ...]) -> dict[str, Any]:
    return {"errors": {field: strip_secrets(problem, secrets) for field, problem in problems.items()}}


def _key(name: str, field: fields.Field[Any]) -> str:
    return name if field.data_key is None else field.data_key


def _is_secret(field: fields.Field[Any]) -> bool:
    return bool(field.metadata.get("secret"))


def _refuse_nested_secrets(schema: Schema) -> None:
    for name, field in schema.fields.items():
        if any(_is_secret(below) for below in _below(field)):
            raise ValueError(f"the secret inside of '{name}' would be stored in the open: put it on the first level")


def _below(field: fields.Field[Any]) -> Iterator[fields.Field[Any]]:
    if isinstance(field, fields.Nested):
        children = list(field.schema.fields.values())
    elif isinstance(field, fields.List):
        children = [field.inner]
    elif isinstance(field, fields.Dict) and field.value_field is not None:
        children = [field.value_field]
    else:
        children = []
    for child in children:
        yield child
        yield from _below(child)
