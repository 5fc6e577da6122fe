"""The MLflow server that is read: its address, its credentials, and what it has."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from modelyard.client.client import Client
from modelyard.client.errors import (
    AuthenticationError,
    ClientError,
    NotConfiguredError,
    NotFoundError,
    PermissionDeniedError,
    ServerUnreachableError,
    UnavailableError,
    UnexpectedAnswerError,
)
from modelyard.client.mlflow_import.wire import Wire
from modelyard.client.resource import Json
from modelyard.client.transport import Response, Transport

PAGE_SIZE = 200
HISTORY_PAGE_SIZE = 10_000
TIMEOUT_SECONDS = 120
PROXY = "/api/2.0/mlflow-artifacts/artifacts/"
PROXIED = "mlflow-artifacts:/"
PROMPTS = "tag.`mlflow.prompt.is_prompt` = 'true'"

T = TypeVar("T")


def split_credentials(uri: str) -> tuple[str, str]:
    """Return the address without its user and password, and these as ``user:password``."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri.rpartition("@")[2], ""
    login, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host)).rstrip("/"), unquote(login)


def authorization(login: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the header of the credentials: those of the address, else MLflow's own variables."""
    user = environment.get("MLFLOW_TRACKING_USERNAME", "")
    login = login or (f"{user}:{environment.get('MLFLOW_TRACKING_PASSWORD', '')}" if user else "")
    if login:
        return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
    token = environment.get("MLFLOW_TRACKING_TOKEN", "")
    return {"Authorization": f"Bearer {token}"} if token else {}


@dataclass(frozen=True, slots=True)
class Owner:
    """A run or logged model of the source that has artifacts, kept at `root`."""

    identity: str
    root: str
    is_model: bool = False


class Source(Wire):
    """An MLflow server, or whatever speaks its API; nothing is changed there."""

    def __init__(self, uri: str, environment: Mapping[str, str], *, transport: Transport | None = None) -> None:
        url, login = split_credentials(uri)
        if urlsplit(url).scheme not in {"http", "https"}:
            raise NotConfiguredError(
                f"{url!r} is no address of an MLflow server.",
                hint="Write it as https://HOST or http://HOST:PORT; start `mlflow server` on a folder or database.",
            )
        credentials = authorization(login, environment)
        # The empty token keeps MODELYARD_TOKEN from going there.
        client = Client(url, "", timeout_seconds=TIMEOUT_SECONDS, transport=transport)
        super().__init__(client, headers={"Accept-Encoding": "identity", **credentials})
        self.url = client.url
        self.sends_secret = bool(credentials)
        self.version = ""

    def check(self) -> None:
        """Ask whether this is an MLflow server that lets us read; raises a `ClientError` that says what to do."""
        try:
            self.version = self._version()
            self.once("POST", "experiments/search", body={"max_results": 1})
        except AuthenticationError as error:
            raise self._refused(error) from None
        except ServerUnreachableError as error:
            raise ServerUnreachableError(error.detail, hint="Check that it runs, and the address and port.") from None
        except UnavailableError:
            raise
        except PermissionDeniedError as error:
            raise PermissionDeniedError(
                f"{self.url} does not let you read: {error.detail}", status=error.status, hint=_CREDENTIALS
            ) from None
        except ClientError as error:
            raise UnexpectedAnswerError(
                f"{self.url} is not an MLflow server: {error.detail}",
                status=error.status,
                hint="Give the address that MLFLOW_TRACKING_URI has for its clients.",
            ) from None

    def _version(self) -> str:
        try:
            return self.send("GET", "/version").read().decode("utf-8", "replace").strip()[:40]
        except NotFoundError:
            return "of an unknown version"

    def patiently(self, attempt: Callable[[], T], *, find: Callable[[], T | None] | None = None) -> T:
        """As a `Wire` does; credentials that are refused are the source's, not those of a profile of ours."""
        try:
            return super().patiently(attempt, find=find)
        except AuthenticationError as error:
            raise self._refused(error) from None

    def _refused(self, error: AuthenticationError) -> ClientError:
        return PermissionDeniedError(
            f"{self.url} does not take the credentials, or wants some.", status=error.status, hint=_CREDENTIALS
        )

    def experiments(self, *, deleted: bool) -> Iterator[Json]:
        """Yield the experiments, the oldest first."""
        return self.pages(
            "POST",
            "experiments/search",
            "experiments",
            view_type=_view(deleted),
            max_results=PAGE_SIZE,
            order_by=["creation_time ASC"],
        )

    def runs(self, experiment_id: str, *, deleted: bool) -> Iterator[Json]:
        """Yield the runs of an experiment, the oldest first: one that is made meanwhile comes last."""
        return self.pages(
            "POST",
            "runs/search",
            "runs",
            experiment_ids=[experiment_id],
            run_view_type=_view(deleted),
            max_results=PAGE_SIZE,
            order_by=["attributes.start_time ASC"],
        )

    def run(self, run_id: str) -> Json:
        """Return one run."""
        found: Json = self.get("runs/get", run_id=run_id)["run"]
        return found

    def history(self, run_id: str, key: str) -> Iterator[Json]:
        """Yield all points of a metric."""
        path = "metrics/get-history"
        return self.pages("GET", path, "metrics", run_id=run_id, metric_key=key, max_results=HISTORY_PAGE_SIZE)

    def logged_models(self, experiment_id: str) -> Iterator[Json]:
        """Yield the logged models of an experiment; `NotFoundError` from a server of before MLflow 3."""
        path = "logged-models/search"
        return self.pages("POST", path, "models", experiment_ids=[experiment_id], max_results=50)

    def registered_models(self, filter_string: str | None = None) -> Iterator[Json]:
        """Yield the registered models; prompts only where the filter asks for them."""
        path = "registered-models/search"
        return self.pages("GET", path, "registered_models", filter=filter_string, max_results=100)

    def versions(self, name: str) -> list[Json]:
        """Return the versions of a registered model by number."""
        path = "model-versions/search"
        found = self.pages("GET", path, "model_versions", filter=_named(name), max_results=1000)
        mine = (version for version in found if version["name"] == name)
        return sorted(mine, key=lambda version: int(version["version"]))

    def source_of_version(self, name: str, number: str) -> str:
        """Return where the files of a version are; a prompt has none."""
        found = self.get("model-versions/get", name=name, version=number)
        return str(found["model_version"].get("source", ""))

    def has_traces(self, experiment_id: str) -> bool:
        """Say whether an experiment has traces; a server of before MLflow 3 is not asked."""
        location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
        body = {"locations": [location], "max_results": 1}
        try:
            return bool(self.send("POST", "/api/3.0/mlflow/traces/search", json=body).json().get("traces"))
        except (NotFoundError, UnexpectedAnswerError):
            return False

    def files(self, owner: Owner, folder: str = "") -> Iterator[Json]:
        """Yield all files of a run or logged model: `path` and `file_size`, which an empty one lacks."""
        for file in self._listing(owner, folder):
            if file.get("is_dir"):
                yield from self.files(owner, file["path"])
            else:
                yield file

    def _listing(self, owner: Owner, folder: str) -> Iterator[Json]:
        if owner.is_model:
            path = f"logged-models/{owner.identity}/artifacts/directories"
            return self.pages("GET", path, "files", artifact_directory_path=folder or None)
        return self.pages("GET", "artifacts/list", "files", run_id=owner.identity, path=folder or None)

    def open(self, owner: Owner, path: str) -> Response:
        """Return the bytes of a file; the caller closes it.

        What the server does not pass through as a proxy comes the way its own pages download it, if it can reach it.
        """
        if owner.root.startswith(PROXIED) and not owner.root.startswith(f"{PROXIED}/"):
            return self.send("GET", PROXY + quote(f"{owner.root.removeprefix(PROXIED)}/{path}"), stream=True)
        if owner.is_model:
            address = f"/ajax-api/2.0/mlflow/logged-models/{owner.identity}/artifacts/files"
            return self.send("GET", address, params={"artifact_file_path": path}, stream=True)
        return self.send("GET", "/get-artifact", params={"run_id": owner.identity, "path": path}, stream=True)


_CREDENTIALS = "Set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, to what it wants."


def _named(name: str) -> str:
    """Return the filter that finds a name: MLflow knows no way to write a quote inside of its like."""
    for mark in ("'", '"'):
        if mark not in name:
            return f"name = {mark}{name}{mark}"
    return f"name LIKE '{name.replace(chr(39), '_')}'"


def _view(deleted: bool) -> str:
    return "ALL" if deleted else "ACTIVE_ONLY"
