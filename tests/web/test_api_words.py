"""The API's description is complete: nothing in it is left for the reader to guess, and its examples hold."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema_rs import Draft202012Validator

from modelyard.web.api_words import EXAMPLES, MEANINGS
from tests.web.test_api_schema import DOCUMENT, operations

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    return dict(client.get(DOCUMENT).get_json())


def bodies(document: dict[str, Any]) -> set[str]:
    found = set()
    for _, _, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            found.add(media["schema"]["$ref"].rpartition("/")[2])
    assert len(found) > 10
    return found


def test_every_parameter_says_what_it_is(document: dict[str, Any]) -> None:
    silent = set()
    seen = 0
    for method, path, operation in operations(document):
        for parameter in [*document["paths"][path].get("parameters", []), *operation.get("parameters", [])]:
            kept = document["components"].get("parameters", {})
            shown = kept[parameter["$ref"].rpartition("/")[2]] if "$ref" in parameter else parameter
            seen += 1
            if not shown.get("description"):
                silent.add((method, path, shown["name"]))
    assert silent == set()
    assert seen > 50


def test_every_field_of_a_body_says_what_it_is(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    fields = [(name, field, said) for name in bodies(document) for field, said in schemas[name]["properties"].items()]
    assert sorted((name, field) for name, field, said in fields if not said.get("description")) == []


def test_every_body_has_an_example_that_its_schema_takes(document: dict[str, Any]) -> None:
    for name in bodies(document):
        schema = document["components"]["schemas"][name]
        assert schema.get("example"), f"{name} has no example: add one to modelyard/web/api_words.py"
        errors = Draft202012Validator({**schema, "components": document["components"]}).iter_errors(schema["example"])
        assert [error.message for error in errors] == [], name


def test_no_word_or_example_is_left_over(document: dict[str, Any]) -> None:
    assert set(EXAMPLES) == bodies(document)
    assert list(MEANINGS) == sorted(MEANINGS)
    text = str(document)
    assert [name for name, meaning in MEANINGS.items() if meaning not in text] == []


def test_every_tag_is_described_and_every_operation_has_one(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    for method, path, operation in operations(document):
        assert operation["tags"], (method, path)
        assert set(operation["tags"]) <= described


def test_what_any_operation_may_answer_is_said(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert {"401", "405", "422", "429", "503"} <= set(operation["responses"]), (method, path)


def test_whoever_has_the_document_is_spared_it(client: FlaskClient) -> None:
    first = client.get(DOCUMENT)
    again = client.get(DOCUMENT, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get(DOCUMENT).data == first.data
