"""Searches of models and versions: the same rows on both databases, and prompts only where they are asked for."""

from __future__ import annotations

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import InvalidInput
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.registry.search import PROMPT_TAG
from modelyard.core.tracking.entities import Query
from tests.factories import Factories

SOURCE = "mlflow-artifacts:/m"


@pytest.fixture
def filled(services: Services, factories: Factories, editor: Actor, project: Project) -> None:
    models, versions = services.models, services.model_versions
    models.create(editor, project, name="alpha", tags={"team": "a"})
    models.create(editor, project, name="Beta_1", tags={"team": "b"})
    models.create(editor, project, name="beta-2", tags={"team": "b", "o'clock": "x"})
    models.create(editor, project, name="greeting", tags={PROMPT_TAG: "true"})
    models.create(editor, project, name="no prompt", tags={PROMPT_TAG: "false"})
    for name, run_id, tags in [
        ("alpha", "a" * 32, {"q": "good"}), ("alpha", "b" * 32, {"q": "bad"}), ("beta-2", "a" * 32, {}),
        ("greeting", "", {PROMPT_TAG: "true"}),
    ]:  # fmt: skip
        versions.create(editor, project, name, source=f"{SOURCE}/{name}", run_id=run_id, tags=tags)
    for number, name in enumerate(["alpha", "Beta_1", "beta-2", "greeting", "no prompt"]):
        database.execute_sql(
            f"UPDATE registered_model SET created_at_ms = {number}, updated_at_ms = {number} WHERE name = '{name}'"
        )
    for number in range(5):
        database.execute_sql(f"UPDATE model_version SET updated_at_ms = {number} WHERE id = {number}")
    other = factories.project()
    owner = factories.actor(other.organization.members[0].user)
    models.create(owner, other, name="alpha", tags={"team": "a"})
    versions.create(owner, other, "alpha", source=SOURCE, run_id="a" * 32)


ALL = ["Beta_1", "alpha", "beta-2", "no prompt"]


@pytest.mark.usefixtures("filled")
def test_filters_of_models(services: Services, editor: Actor, project: Project) -> None:
    for text, names in [
        ("", ALL),
        ("name = 'alpha'", ["alpha"]),
        ("name = 'Alpha'", []),
        ("name != 'alpha'", ["Beta_1", "beta-2", "no prompt"]),
        ("name LIKE 'beta%'", ["beta-2"]),
        ("name ILIKE 'beta%'", ["Beta_1", "beta-2"]),
        ("name LIKE '%a_1'", ["Beta_1"]),
        ("tags.team = 'b'", ["Beta_1", "beta-2"]),
        ("tag.team = 'b' AND name ILIKE '%2'", ["beta-2"]),
        ("tags.`o'clock` = 'x'", ["beta-2"]),
        ("tags.team != 'b'", ["alpha"]),
        ("tags.nothing = 'b'", []),
        ("name = ''' OR 1=1 --'", []),
        (f"tags.`{PROMPT_TAG}` = 'true'", ["greeting"]),
        (f"tags.`{PROMPT_TAG}` != 'false'", ["greeting"]),
        (f"tag.`{PROMPT_TAG}` != 'true'", ALL),  # what MLflow's client adds to each search
        (f"name ILIKE 'beta%' AND tag.`{PROMPT_TAG}` != 'true'", ["Beta_1", "beta-2"]),
        (f"tags.`{PROMPT_TAG}` = 'false'", ALL),
        (f"tags.`{PROMPT_TAG}` != 'nothing'", ALL),
    ]:
        found, token = services.models.search(editor, project, Query(filter=text))
        assert ([model.name for model in found], token) == (names, None), text


@pytest.mark.usefixtures("filled")
def test_the_order_of_models(services: Services, editor: Actor, project: Project) -> None:
    for keys, names in [
        (["name DESC"], ALL[::-1]),
        (["creation_timestamp ASC"], ["alpha", "Beta_1", "beta-2", "no prompt"]),
        (["last_updated_timestamp DESC", "name ASC"], ["no prompt", "beta-2", "Beta_1", "alpha"]),
    ]:
        found, _ = services.models.search(editor, project, Query(order_by=keys))
        assert [model.name for model in found] == names, keys


@pytest.mark.usefixtures("filled")
def test_filters_of_versions(services: Services, editor: Actor, project: Project) -> None:
    for text, found in [
        ("", ["beta-2/1", "alpha/2", "alpha/1"]),
        ("name = 'alpha'", ["alpha/2", "alpha/1"]),
        (f"run_id = '{'a' * 32}'", ["beta-2/1", "alpha/1"]),
        (f"run_id IN ('{'a' * 32}', '{'b' * 32}')", ["beta-2/1", "alpha/2", "alpha/1"]),
        ("version_number > 1", ["alpha/2"]),
        ("version_number = 1 AND name LIKE 'a%'", ["alpha/1"]),
        (f"source_path = '{SOURCE}/alpha'", ["alpha/2", "alpha/1"]),
        ("tags.q = 'good'", ["alpha/1"]),
        ("tags.q != 'good'", ["alpha/2"]),
        (f"tags.`{PROMPT_TAG}` = 'true'", ["greeting/1"]),
        (f"name = 'alpha' AND tags.`{PROMPT_TAG}` != 'true'", ["alpha/2", "alpha/1"]),
    ]:
        rows, token = services.model_versions.search(editor, project, Query(filter=text))
        assert ([f"{row.model.name}/{row.number}" for row in rows], token) == (found, None), text


@pytest.mark.usefixtures("filled")
def test_pages_hold_every_row_once(services: Services, editor: Actor, project: Project) -> None:
    names, token = [], None
    while True:
        found, token = services.models.search(editor, project, Query(max_results=2, page_token=token))
        names += [model.name for model in found]
        if token is None:
            break
    assert names == ALL
    _, token = services.models.search(editor, project, Query(max_results=2))
    for other in (Query(max_results=2, page_token=token, filter="name != 'x'"), Query(page_token="nonsense")):
        with pytest.raises(InvalidInput, match="page token"):
            services.models.search(editor, project, other)
    with pytest.raises(InvalidInput, match="page token"):
        services.model_versions.search(editor, project, Query(max_results=2, page_token=token))


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    "text", ["name", "name =", "name = alpha", "age = 'x'", "name = 'a' OR name = 'b'", "tags.x", "params.x = 'y'", "'"]
)
def test_a_filter_that_cannot_be_read_is_refused(
    services: Services, editor: Actor, project: Project, text: str
) -> None:
    for search in (services.models.search, services.model_versions.search):
        with pytest.raises(InvalidInput):
            search(editor, project, Query(filter=text))
