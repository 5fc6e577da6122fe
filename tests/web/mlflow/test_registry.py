"""The model registry on MLflow's wire: by plain HTTP, and by the unmodified client against a live server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from mlflow.exceptions import MlflowException, RestException

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.notifications.models import Event
from modelyard.core.registry.models import ModelVersion, RegisteredModel
from tests.factories import Factories
from tests.web.mlflow.conftest import Wire

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:mlflow"),
]
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
SOURCE = "mlflow-artifacts:/m"


def create(wire: Wire, name: str = "risk", **body: Any) -> dict[str, Any]:
    return dict(wire.post("registered-models/create", name=name, **body)["registered_model"])


def add(wire: Wire, name: str = "risk", **body: Any) -> dict[str, Any]:
    return dict(wire.post("model-versions/create", **{"name": name, "source": SOURCE, **body})["model_version"])


def test_a_model_as_the_wire_shows_it(wire: Wire) -> None:
    made = create(wire, description="what", tags=[{"key": "b", "value": "2"}, {"key": "a", "value": ""}])
    assert made["name"] == "risk"
    assert made["tags"] == [{"key": "a", "value": ""}, {"key": "b", "value": "2"}]
    assert made["creation_timestamp"] == made["last_updated_timestamp"] == RegisteredModel.get().created_at_ms
    assert wire.get("registered-models/get", name="risk")["registered_model"] == made
    renamed = wire.post("registered-models/rename", name="risk", new_name="hazard")["registered_model"]
    assert renamed["name"] == "hazard"
    answer = wire.call("PATCH", "registered-models/update", {"name": "hazard", "description": "more"})
    assert answer.get_json()["registered_model"]["description"] == "more"
    answer = wire.call("DELETE", "registered-models/delete", {"name": "hazard"})
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert RegisteredModel.select().count() == 0
    actions = [event.action for event in Event.select().where(Event.object_kind == "model").order_by(Event.id)]
    assert actions == ["model.created", "model.updated", "model.updated", "model.deleted"]


def test_a_version_as_the_wire_shows_it(wire: Wire) -> None:
    create(wire)
    made = add(
        wire, run_id="a" * 32, run_link="http://x", description="d", model_id="m-" + "b" * 32,
        tags=[{"key": "k", "value": "v"}],
    )  # fmt: skip
    assert made == {
        "name": "risk", "version": "1", "creation_timestamp": ModelVersion.get().created_at_ms,
        "last_updated_timestamp": ModelVersion.get().updated_at_ms, "user_id": wire.owner.username,
        "current_stage": "None", "description": "d", "source": SOURCE, "run_id": "a" * 32, "run_link": "http://x",
        "status": "READY", "tags": [{"key": "k", "value": "v"}], "aliases": [], "model_id": "m-" + "b" * 32,
    }  # fmt: skip
    for version in ("1", 1):
        assert wire.get("model-versions/get", name="risk", version=version)["model_version"] == made
    assert wire.get("model-versions/get-download-uri", name="risk", version="1") == {"artifact_uri": SOURCE}
    body = {"name": "risk", "version": "1", "description": "other"}
    answer = wire.call("PATCH", "model-versions/update", body)
    assert answer.get_json()["model_version"]["description"] == "other"
    wire.post("model-versions/set-tag", name="risk", version="1", key="k", value="w")
    wire.call("DELETE", "model-versions/delete-tag", {"name": "risk", "version": "1", "key": "none"})
    assert wire.get("model-versions/get", name="risk", version="1")["model_version"]["tags"] == [
        {"key": "k", "value": "w"}
    ]
    assert wire.call("DELETE", "model-versions/delete", {"name": "risk", "version": "1"}).get_json() == {}
    assert add(wire)["version"] == "2"


def test_stages_move_and_the_latest_of_each_is_named(wire: Wire) -> None:
    create(wire)
    for _ in range(4):
        add(wire)

    def move(version: str, stage: str, archive: bool = False) -> str:
        body = {"name": "risk", "version": version, "stage": stage, "archive_existing_versions": archive}
        return str(wire.post("model-versions/transition-stage", **body)["model_version"]["current_stage"])

    assert (move("1", "production"), move("2", "Production"), move("3", "STAGING")) == (
        "Production",
        "Production",
        "Staging",
    )

    def latest(method: str, **more: Any) -> dict[str, str]:
        body = {"name": "risk", **more}
        answer = wire.call(method, "registered-models/get-latest-versions", *([body] if method == "POST" else []),
                           **({} if method == "POST" else body))  # fmt: skip
        assert answer.status_code == 200, answer.get_json()
        return {row["current_stage"]: row["version"] for row in answer.get_json()["model_versions"]}

    for method in ("GET", "POST"):
        assert latest(method) == {"Production": "2", "Staging": "3", "None": "4"}
        assert latest(method, stages=["production", "Archived"]) == {"Production": "2"}
    assert move("4", "Production", archive=True) == "Production"
    stages = {row.number: row.stage for row in ModelVersion.select()}
    assert stages == {1: "Archived", 2: "Archived", 3: "Staging", 4: "Production"}
    found = wire.get("registered-models/get", name="risk")["registered_model"]["latest_versions"]
    assert {row["current_stage"]: row["version"] for row in found} == {
        "Archived": "2",
        "Staging": "3",
        "Production": "4",
    }


def test_aliases_point(wire: Wire) -> None:
    create(wire)
    for _ in range(2):
        add(wire)
    for version in ("1", "2"):
        assert wire.post("registered-models/alias", name="risk", alias="champion", version=version) == {}
    assert wire.get("registered-models/alias", name="risk", alias="champion")["model_version"]["version"] == "2"
    assert wire.get("registered-models/alias", name="risk", alias="latest")["model_version"]["version"] == "2"
    assert wire.get("registered-models/get", name="risk")["registered_model"]["aliases"] == [
        {"alias": "champion", "version": "2"}
    ]
    assert wire.get("model-versions/get", name="risk", version="2")["model_version"]["aliases"] == ["champion"]
    wire.call("DELETE", "registered-models/alias", {"name": "risk", "alias": "champion"})
    status, code, message = wire.refusal("GET", "registered-models/alias", name="risk", alias="champion")
    assert (status, code) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "champion" in message


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "said"),
    [
        ("POST", "registered-models/create", {"name": "risk"}, 400, "RESOURCE_ALREADY_EXISTS", "risk"),
        ("POST", "registered-models/create", {"name": ""}, 400, "INVALID_PARAMETER_VALUE", "'name'"),
        ("POST", "registered-models/create", {}, 400, "INVALID_PARAMETER_VALUE", "'name'"),
        ("POST", "registered-models/create", {"name": 5}, 400, "INVALID_PARAMETER_VALUE", "'name'"),
        ("POST", "registered-models/create", {"name": "a/b"}, 400, "INVALID_PARAMETER_VALUE", "a/b"),
        ("POST", "registered-models/create", {"name": "a\0b"}, 400, "INVALID_PARAMETER_VALUE", "NUL"),
        ("POST", "registered-models/create", b'{"name": "\\ud800"}', 400, "INVALID_PARAMETER_VALUE", ""),
        ("POST", "registered-models/create", b"{", 400, "INVALID_PARAMETER_VALUE", "JSON"),
        ("POST", "registered-models/rename", {"name": "risk", "new_name": "taken"}, 400, "RESOURCE_ALREADY_EXISTS", ""),
        ("POST", "registered-models/rename", {"name": "none", "new_name": "x"}, 404, "RESOURCE_DOES_NOT_EXIST", "none"),
        ("PATCH", "registered-models/update", {"name": "none"}, 404, "RESOURCE_DOES_NOT_EXIST", "none"),
        ("DELETE", "registered-models/delete", {"name": "none"}, 404, "RESOURCE_DOES_NOT_EXIST", "none"),
        ("POST", "registered-models/set-tag", {"name": "risk", "key": "k" * 251}, 400,
         "INVALID_PARAMETER_VALUE", "250"),
        ("POST", "registered-models/alias", {"name": "risk", "alias": "v1", "version": "1"}, 400,
         "INVALID_PARAMETER_VALUE", "reserved"),
        ("POST", "registered-models/alias", {"name": "risk", "alias": "a b", "version": "1"}, 400,
         "INVALID_PARAMETER_VALUE", "a b"),
        ("POST", "registered-models/alias", {"name": "risk", "alias": "a"}, 400, "INVALID_PARAMETER_VALUE", "version"),
        ("POST", "registered-models/alias", {"name": "risk", "alias": "a", "version": "9"}, 404,
         "RESOURCE_DOES_NOT_EXIST", "version=9"),
        ("POST", "model-versions/create", {"name": "none", "source": SOURCE}, 404, "RESOURCE_DOES_NOT_EXIST", "none"),
        ("POST", "model-versions/create", {"name": "risk"}, 400, "INVALID_PARAMETER_VALUE", "'source'"),
        ("POST", "model-versions/create", {"name": "risk", "source": "/etc"}, 400, "INVALID_PARAMETER_VALUE", "/etc"),
        ("POST", "model-versions/create", {"name": "risk", "source": "s3://b/x"}, 400, "INVALID_PARAMETER_VALUE", "s3"),
        ("POST", "model-versions/create", {"name": "risk", "source": "mlflow-artifacts:/../x"}, 400,
         "INVALID_PARAMETER_VALUE", "'..'"),
        ("POST", "model-versions/create", {"name": "risk", "source": f"runs:/{'0' * 32}/m"}, 404,
         "RESOURCE_DOES_NOT_EXIST", "0000"),
        ("POST", "model-versions/create", {"name": "risk", "source": SOURCE, "run_id": "x" * 99}, 400,
         "INVALID_PARAMETER_VALUE", "run_id"),
        ("POST", "model-versions/create", {"name": "risk", "source": SOURCE, "model_id": "x" * 99}, 400,
         "INVALID_PARAMETER_VALUE", "model_id"),
        ("POST", "model-versions/transition-stage", {"name": "risk", "version": "1", "stage": "Live"}, 400,
         "INVALID_PARAMETER_VALUE", "Live"),
        ("POST", "model-versions/transition-stage", {"name": "risk", "version": "x", "stage": "Staging"}, 400,
         "INVALID_PARAMETER_VALUE", "'x'"),
        ("POST", "model-versions/transition-stage", {"name": "risk", "version": "9", "stage": "Staging"}, 404,
         "RESOURCE_DOES_NOT_EXIST", "version=9"),
        ("DELETE", "model-versions/delete", {"name": "risk", "version": "9"}, 404, "RESOURCE_DOES_NOT_EXIST", "9"),
    ],
)  # fmt: skip
def test_a_refusal_has_mlflows_name(
    wire: Wire, method: str, path: str, body: Any, status: int, code: str, said: str
) -> None:
    create(wire)
    create(wire, "taken")
    add(wire)
    events = Event.select().count()
    found = wire.refusal(method, path, body)
    assert found[:2] == (status, code), found
    assert said in found[2]
    assert Event.select().count() == events


@on_sqlite
def test_what_is_asked_for_wrongly_is_refused(wire: Wire) -> None:
    create(wire)
    for path, query, code in [
        ("registered-models/get", {"name": "none"}, "RESOURCE_DOES_NOT_EXIST"),
        ("registered-models/get", {}, "INVALID_PARAMETER_VALUE"),
        ("model-versions/get", {"name": "risk", "version": "1"}, "RESOURCE_DOES_NOT_EXIST"),
        ("model-versions/get", {"name": "risk", "version": "one"}, "INVALID_PARAMETER_VALUE"),
        ("model-versions/get-download-uri", {"name": "risk", "version": "1"}, "RESOURCE_DOES_NOT_EXIST"),
        ("registered-models/get-latest-versions", {"name": "risk", "stages": "Live"}, "INVALID_PARAMETER_VALUE"),
        ("registered-models/search", {"filter": "name ="}, "INVALID_PARAMETER_VALUE"),
        ("registered-models/search", {"order_by": "age"}, "INVALID_PARAMETER_VALUE"),
        ("registered-models/search", {"max_results": "1001"}, "INVALID_PARAMETER_VALUE"),
        ("model-versions/search", {"max_results": "0"}, "INVALID_PARAMETER_VALUE"),
        ("model-versions/search", {"page_token": "x"}, "INVALID_PARAMETER_VALUE"),
        ("registered-models/none", {}, "ENDPOINT_NOT_FOUND"),
    ]:
        status, found, _ = wire.refusal("GET", path, **query)
        assert (status in {400, 404}, found) == (True, code), (path, query)


def test_a_page_leads_to_the_next(wire: Wire) -> None:
    for name in ("c", "a", "b"):
        create(wire, name)
        for _ in range(2):
            add(wire, name)
    first = wire.get("registered-models/search", max_results="2")
    rest = wire.get("registered-models/search", max_results="2", page_token=first["next_page_token"])
    names = [row["name"] for row in first["registered_models"] + rest["registered_models"]]
    assert (names, "next_page_token" in rest) == (["a", "b", "c"], False)
    found, token = [], None
    for _ in range(10):
        more = {"page_token": token} if token else {}
        page = wire.get(
            "model-versions/search", max_results="4", order_by="name ASC", filter="version_number > 0", **more
        )
        found += [(row["name"], row["version"]) for row in page["model_versions"]]
        token = page.get("next_page_token")
        if token is None:
            break
    assert found == [(name, version) for name in "abc" for version in "21"]


@on_sqlite
def test_prompts_show_only_where_they_are_asked_for(wire: Wire) -> None:
    create(wire, "greeting", tags=[{"key": "mlflow.prompt.is_prompt", "value": "true"}])
    create(wire, "risk")
    names = [row["name"] for row in wire.get("registered-models/search")["registered_models"]]
    assert names == ["risk"]
    asked = wire.get("registered-models/search", filter="tags.`mlflow.prompt.is_prompt` = 'true'")
    assert [row["name"] for row in asked["registered_models"]] == ["greeting"]


def test_a_model_in_use_is_not_deleted(wire: Wire, services: Services, factories: Factories) -> None:
    create(wire)
    add(wire)
    database.execute_sql("UPDATE project SET allow_local_deployments = ?".replace("?", "'1'"))
    wish = {"model": "risk", "version": "1", "target": "local_process"}
    project = type(wire.project).get_by_id(wire.project.id)
    services.deployments.create(factories.actor(wire.owner), project, name="live", **wish)
    for path, body in (("registered-models", {"name": "risk"}), ("model-versions", {"name": "risk", "version": "1"})):
        status, code, message = wire.refusal("DELETE", f"{path}/delete", body)
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert "'live'" in message
    assert ModelVersion.select().count() == 1


def test_the_client_from_registration_to_deletion(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    client.create_registered_model("risk", tags={"team": "a"}, description="first")
    with pytest.raises(RestException) as taken:
        client.create_registered_model("risk")
    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    with mlflow.start_run() as run:
        mlflow.log_text("weights", "model/weights.txt")
    source = f"{run.info.artifact_uri}/model"
    version = client.create_model_version("risk", source, run.info.run_id, tags={"k": "v"}, description="d")
    assert (version.version, version.run_id, version.status, version.tags) == (
        "1",
        run.info.run_id,
        "READY",
        {"k": "v"},
    )
    assert client.get_model_version_download_uri("risk", "1") == source
    assert mlflow.artifacts.load_text(f"{client.get_model_version_download_uri('risk', '1')}/weights.txt") == "weights"
    client.update_registered_model("risk", description="second")
    assert client.get_registered_model("risk").description == "second"
    client.rename_registered_model("risk", "hazard")
    client.set_registered_model_tag("hazard", "stage", "late")
    client.delete_registered_model_tag("hazard", "team")
    client.set_model_version_tag("hazard", "1", "k", "w")
    client.update_model_version("hazard", "1", "text")
    found = client.get_registered_model("hazard")
    assert (found.tags, [row.version for row in found.latest_versions]) == ({"stage": "late"}, ["1"])
    client.create_model_version("hazard", source, run.info.run_id)
    client.transition_model_version_stage("hazard", "1", "Production")
    moved = client.transition_model_version_stage("hazard", "2", "Production", archive_existing_versions=True)
    assert moved.current_stage == "Production"
    assert client.get_model_version("hazard", "1").current_stage == "Archived"
    assert [row.version for row in client.get_latest_versions("hazard", ["Production"])] == ["2"]
    client.set_registered_model_alias("hazard", "champion", "1")
    assert client.get_model_version_by_alias("hazard", "champion").version == "1"
    assert client.get_registered_model("hazard").aliases == {"champion": "1"}
    assert mlflow.artifacts.load_text("models:/hazard@champion/weights.txt") == "weights"
    client.delete_registered_model_alias("hazard", "champion")
    with pytest.raises(MlflowException, match="alias"):
        client.get_model_version_by_alias("hazard", "champion")
    assert [row.name for row in client.search_registered_models("name ILIKE 'HAZ%'")] == ["hazard"]
    assert [
        row.version for row in client.search_model_versions("name = 'hazard'", order_by=["version_number ASC"])
    ] == [
        "1",
        "2",
    ]
    client.delete_model_version_tag("hazard", "1", "k")
    client.delete_model_version("hazard", "1")
    client.delete_registered_model("hazard")
    with pytest.raises(RestException) as gone:
        client.get_registered_model("hazard")
    assert gone.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@on_sqlite
def test_a_model_that_mlflow_3_logged_is_registered_by_its_run(mlflow: Any, wire: Wire) -> None:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(model, name="line", pip_requirements=["scikit-learn"])
    create(wire)
    add(wire, source=f"runs:/{run.info.run_id}/line", run_id=run.info.run_id)
    uri = mlflow.MlflowClient().get_model_version_download_uri("risk", "1")
    assert f"/models/{info.model_id}/artifacts" in urlsplit(uri).path
    assert mlflow.pyfunc.load_model("models:/risk/1").predict([[2.0]]).tolist() == pytest.approx([4.0])
    registered = mlflow.register_model(f"runs:/{run.info.run_id}/line", "risk")
    assert registered.version == "2"
    assert mlflow.pyfunc.load_model("models:/risk/2").predict([[3.0]]).tolist() == pytest.approx([6.0])
