"""Versions: their numbers, stages with history, aliases and tags."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import InvalidInput, ModelyardError, NotFound
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelAlias, ModelVersion, RegisteredModel, StageChange
from tests.factories import Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
pytestmark = pytest.mark.usefixtures("risk")
SOURCE = "mlflow-artifacts:/m"


def add(services: Services, editor: Actor, project: Project, **more: Any) -> int:
    return int(services.model_versions.create(editor, project, "risk", source=SOURCE, **more).number)


def stages() -> dict[int, str]:
    return {row.number: row.stage for row in ModelVersion.select().order_by(ModelVersion.number)}


def history() -> list[tuple[int, str, str]]:
    rows = StageChange.select().order_by(StageChange.id)
    return [(row.version_number, row.from_stage, row.to_stage) for row in rows]


def at_once(*acts: Any) -> list[ModelyardError]:
    """Do all in threads that start together; return what was refused."""
    start, refusals = threading.Barrier(len(acts)), list[ModelyardError]()

    def do(act: Any) -> None:
        with db.connection():
            start.wait()
            try:
                act()
            except ModelyardError as refused:
                refusals.append(refused)

    threads = [threading.Thread(target=do, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refusals


def test_numbers_count_and_are_never_used_again(services: Services, editor: Actor, project: Project) -> None:
    services.models.create(editor, project, name="other")
    assert [add(services, editor, project) for _ in range(3)] == [1, 2, 3]
    assert services.model_versions.create(editor, project, "other", source=SOURCE).number == 1
    services.model_versions.delete(editor, project, "risk", 3)
    services.model_versions.delete(editor, project, "risk", 1)
    assert add(services, editor, project) == 4
    assert [row.number for row in services.model_versions.list(editor, project, "risk")] == [4, 2]
    with pytest.raises(NotFound, match="version=3"):
        services.model_versions.get(editor, project, "risk", 3)


def test_versions_that_are_made_at_once_all_get_a_number(services: Services, editor: Actor, project: Project) -> None:
    assert at_once(*[lambda: add(services, editor, project)] * 6) == []
    assert sorted(stages()) == [1, 2, 3, 4, 5, 6]
    assert Event.select().where(Event.action == "model_version.created").count() == 6


def test_a_failed_creation_uses_no_number(services: Services, editor: Actor, project: Project) -> None:
    wrong: list[dict[str, Any]] = [
        {"description": "x" * 100_001}, {"tags": {"": "v"}}, {"run_id": "x" * 33}, {"logged_model_id": "m" * 65},
        {"run_link": "x" * 4097}, {"run_id": "a\0"}, {"description": "\ud800"},
    ]  # fmt: skip
    for more in wrong:
        with pytest.raises(InvalidInput):
            add(services, editor, project, **more)
    with pytest.raises(NotFound):
        services.model_versions.create(editor, project, "nope", source=SOURCE)
    assert (ModelVersion.select().count(), RegisteredModel.get().last_version) == (0, 0)
    assert add(services, editor, project, tags={"k": "v"}, run_id="a" * 32, description="d") == 1
    assert services.model_versions.get(editor, project, "risk", "1").description == "d"


@on_sqlite
@pytest.mark.parametrize("number", ["", "0x1", "-1", "1.0", "x", "1" * 10, "٣", "1\0", " 1"])
def test_what_is_no_number_is_refused(services: Services, editor: Actor, project: Project, number: str) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        services.model_versions.get(editor, project, "risk", number)


def test_a_promotion_archives_the_holder_and_writes_history(
    services: Services, editor: Actor, project: Project
) -> None:
    for _ in range(3):
        add(services, editor, project)
    promote = services.model_versions.promote
    promote(editor, project, "risk", 1, stage="Production")
    promoted = promote(editor, project, "risk", 2, stage="production", reason="better")
    assert (promoted.number, promoted.stage) == (2, "Production")
    assert stages() == {1: "Archived", 2: "Production", 3: "None"}
    assert history() == [(1, "None", "Production"), (1, "Production", "Archived"), (2, "None", "Production")]
    newest = list(services.model_versions.stage_changes(editor, project, "risk"))[:2]
    assert [(row.version_number, row.reason, row.actor_name) for row in newest] == [
        (2, "better", editor.name),
        (1, "replaced by version 2", editor.name),
    ]
    events = Event.select().where(Event.action == "model_version.stage_changed").order_by(Event.id.desc())
    assert [(event.object_name, event.before, event.after) for event in events.limit(2)] == [
        ("risk/2", {"stage": "None"}, {"stage": "Production", "reason": "better"}),
        ("risk/1", {"stage": "Production"}, {"stage": "Archived", "reason": "replaced by version 2"}),
    ]
    promote(editor, project, "risk", 2, stage="Production", reason="again")
    assert len(history()) == 3


def test_holders_stay_where_that_is_asked_for(services: Services, editor: Actor, project: Project) -> None:
    for number in (1, 2):
        add(services, editor, project)
        services.model_versions.promote(editor, project, "risk", number, stage="Staging", archive_existing=False)
    assert stages() == {1: "Staging", 2: "Staging"}
    for number in (1, 2):
        services.model_versions.promote(editor, project, "risk", number, stage="Archived")
    assert stages() == {1: "Archived", 2: "Archived"}


@on_sqlite
def test_a_stage_that_is_none_is_refused(services: Services, editor: Actor, project: Project) -> None:
    add(services, editor, project)
    for wish in ({"stage": "Live"}, {"stage": ""}, {"stage": "Staging", "reason": "x" * 10_001}):
        with pytest.raises(InvalidInput):
            services.model_versions.promote(editor, project, "risk", 1, **wish)
    with pytest.raises(NotFound):
        services.model_versions.promote(editor, project, "risk", 2, stage="Staging")
    assert (stages(), history()) == ({1: "None"}, [])


def test_of_those_promoted_at_once_one_holds_the_stage(services: Services, editor: Actor, project: Project) -> None:
    numbers = [add(services, editor, project) for _ in range(4)]
    promote = services.model_versions.promote
    acts = [lambda n=n: promote(editor, project, "risk", n, stage="Production") for n in numbers]
    assert at_once(*acts) == []
    assert sorted(stages().values()) == ["Archived", "Archived", "Archived", "Production"]
    present = dict.fromkeys(numbers, "None")
    for number, from_stage, to_stage in history():  # each line begins where the one before ended
        assert present[number] == from_stage
        present[number] = to_stage
        assert list(present.values()).count("Production") <= 1
    assert present == stages()


def test_a_model_that_is_deleted_meanwhile_is_not_found(services: Services, editor: Actor, project: Project) -> None:
    for _ in range(3):
        add(services, editor, project)
        refusals = at_once(
            lambda: services.models.delete(editor, project, "risk"),
            lambda: services.model_versions.promote(editor, project, "risk", 1, stage="Staging"),
            lambda: services.model_versions.create(editor, project, "risk", source=SOURCE),
            lambda: services.model_versions.set_alias(editor, project, "risk", "a", 1),
        )
        assert {type(refused) for refused in refusals} <= {NotFound}
        assert (RegisteredModel.select().count(), ModelVersion.select().count()) == (0, 0)
        services.models.create(editor, project, name="risk")


def test_an_alias_points_to_one_version(services: Services, editor: Actor, project: Project) -> None:
    versions = services.model_versions
    for _ in range(2):
        add(services, editor, project)
    versions.set_alias(editor, project, "risk", "champion", 1)
    versions.set_alias(editor, project, "risk", "champion", "2")
    versions.set_alias(editor, project, "risk", "old_one-Ü", 1)
    assert versions.get_by_alias(editor, project, "risk", "champion").number == 2
    assert [event.before for event in Event.select().where(Event.action == "model_version.alias_set")][:2] == [
        {},
        {"alias": "champion", "version": 1},
    ]
    assert versions.get_by_alias(editor, project, "risk", "Latest").number == 2
    versions.delete(editor, project, "risk", 2)
    for alias in ("champion", "Champion", "nope"):
        with pytest.raises(NotFound, match="alias"):
            versions.get_by_alias(editor, project, "risk", alias)
    versions.delete_alias(editor, project, "risk", "old_one-Ü")
    versions.delete_alias(editor, project, "risk", "old_one-Ü")
    assert ModelAlias.select().count() == 0


def test_an_alias_that_is_set_at_once_is_set_once(services: Services, editor: Actor, project: Project) -> None:
    numbers = [add(services, editor, project) for _ in range(4)]
    set_alias = services.model_versions.set_alias
    assert at_once(*[lambda n=n: set_alias(editor, project, "risk", "champion", n) for n in numbers]) == []
    assert ModelAlias.select().count() == 1


@on_sqlite
@pytest.mark.parametrize(
    "alias",
    ["", "latest", "LATEST", "v1", "V22", "a b", "a/b", "a@b", "a.b", "x" * 256, "a\0", "\ud800", "a\n"],
)
def test_an_alias_that_could_be_taken_for_something_else_is_refused(
    services: Services, editor: Actor, project: Project, alias: str
) -> None:
    add(services, editor, project)
    with pytest.raises(InvalidInput) as refused:
        services.model_versions.set_alias(editor, project, "risk", alias, 1)
    assert refused.value.details["field"] == "alias"


@on_sqlite
def test_latest_of_nothing_is_not_found(services: Services, editor: Actor, project: Project) -> None:
    with pytest.raises(NotFound, match="no versions"):
        services.model_versions.get_by_alias(editor, project, "risk", "latest")


def test_tags_and_descriptions_of_versions(services: Services, editor: Actor, project: Project) -> None:
    versions = services.model_versions
    add(services, editor, project, tags={"a": "1"})
    versions.set_tag(editor, project, "risk", 1, "a", "2")
    versions.set_tag(editor, project, "risk", 1, "b", "3")
    versions.delete_tag(editor, project, "risk", 1, "b")
    versions.delete_tag(editor, project, "risk", 1, "b")
    versions.describe(editor, project, "risk", 1, "words")
    found = versions.get(editor, project, "risk", 1)
    assert ({tag.key: tag.value for tag in found.tags}, found.description) == ({"a": "2"}, "words")
    with pytest.raises(InvalidInput):
        versions.set_tag(editor, project, "risk", 1, "a\0", "2")


@on_sqlite
def test_another_projects_versions_are_not_there(
    services: Services, factories: Factories, editor: Actor, project: Project
) -> None:
    add(services, editor, project)
    other = factories.project()
    owner = factories.actor(other.organization.members[0].user)
    with pytest.raises(NotFound, match="Registered Model with name=risk not found"):
        services.model_versions.get(owner, other, "risk", 1)
