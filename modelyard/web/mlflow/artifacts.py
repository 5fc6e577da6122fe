"""Artifacts on MLflow's wire: lists of them, and the files themselves, streamed both ways through this server."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import msgspec
from flask import Response, request

from modelyard.core.artifacts.service import CHUNK_BYTES, path_of
from modelyard.core.errors import InvalidInput
from modelyard.core.interfaces import StoredFile
from modelyard.web.mlflow.decoding import Decoder, Request, Required
from modelyard.web.mlflow.errors import EndpointNotFound, NotImplementedHere
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.runs import OfRun

THROUGH_THIS_SERVER = "Artifacts pass through this server: it gives no presigned addresses."
NOT_IN_PARTS = "Multipart upload is not supported for the current artifact repository: send the file in one piece."
"""The client sends it whole only when it reads these first words."""

TEXT_SUFFIXES = frozenset({"", ".txt", ".log", ".yaml", ".yml", ".json", ".md", ".py", ".csv", ".html", ".xml", ".js"})
"""Files that people look at are sent as plain text, so that no browser runs what an artifact says."""


class ListArtifacts(OfRun):
    """Fields of artifacts/list."""

    path: str = ""
    page_token: str = ""


class ListModelArtifacts(Request):
    """Fields of logged-models/{model_id}/artifacts/directories."""

    model_id: Required
    artifact_directory_path: str = ""
    page_token: str = ""


class GetModelArtifact(Request):
    """Fields of logged-models/{model_id}/artifacts/files."""

    model_id: Required
    artifact_file_path: Required


class RunFile(OfRun, kw_only=True):
    """Fields of upload-artifact and get-artifact, in the query string."""

    path: Required


class VersionFile(Request):
    """Fields of model-versions/get-artifact."""

    name: Required
    version: Required
    path: Required


_RUN_FILE, _VERSION_FILE = Decoder(RunFile), Decoder(VersionFile)


@endpoint("GET", "artifacts/list")
def list_run_artifacts(context: Context, request: ListArtifacts) -> Answer:
    """Answer the files in a folder of a run."""
    run = context.services.runs.get(context.actor, context.project, request.run())
    return _listing(context, run.info.artifact_uri, request.path)


@endpoint("GET", "logged-models/{model_id}/artifacts/directories")
def list_model_artifacts(context: Context, request: ListModelArtifacts) -> Answer:
    """Answer the files in a folder of a logged model."""
    model = context.services.logged_models.get(context.actor, context.project, request.model_id)
    return _listing(context, model.info.artifact_uri, request.artifact_directory_path)


@endpoint("GET", "logged-models/{model_id}/artifacts/files")
def get_model_artifact(context: Context, request: GetModelArtifact) -> Response:
    """Answer a file of a logged model."""
    model = context.services.logged_models.get(context.actor, context.project, request.model_id)
    return download(context, path_of(model.info.artifact_uri, request.artifact_file_path))


@endpoint("POST", "upload-artifact", is_upload=True)
def upload_artifact(context: Context, request: RunFile) -> Answer:
    """Store a file of a run."""
    run = context.services.runs.get(context.actor, context.project, request.run())
    _receive(context, path_of(run.info.artifact_uri, request.path))
    return {}


def _listing(context: Context, root_uri: str, path: str) -> Answer:
    children = context.services.artifacts.list(context.actor, context.project, path_of(root_uri, path))
    return {"root_uri": root_uri, "files": [_file(child, f"{path}/" if path else "") for child in children]}


def _file(stored: StoredFile, prefix: str = "") -> dict[str, Any]:
    described: dict[str, Any] = {"path": f"{prefix}{stored.path}", "is_dir": stored.is_directory}
    if not stored.is_directory:
        described["file_size"] = stored.size_bytes
    return described


def answer(context: Context, path: str) -> Response:
    """Answer the present request for ``/api/2.0/mlflow-artifacts/<path>``."""
    section, _, artifact = path.partition("/")
    if section in {"mpu", "presigned"}:
        raise NotImplementedHere(NOT_IN_PARTS if section == "mpu" else THROUGH_THIS_SERVER)
    if section == "artifacts" and artifact:
        return _transfer(context, artifact)
    if path == "artifacts" and request.method == "GET":
        return _list_folder(context, request.args.get("path", ""))
    raise EndpointNotFound(f"This server has no endpoint {request.method} {path} of MLflow's artifacts API.")


def _list_folder(context: Context, path: str) -> Response:
    """Answer the files in a folder; on the bare host not in the root, where a client that lost its prefix would ask."""
    if not path and context.on_bare_host:
        raise EndpointNotFound("The root of all artifacts is listed only below /mlflow/<organization>/<project>.")
    children = context.services.artifacts.list(context.actor, context.project, path)
    return json_answer({"files": [_file(child) for child in children]})


def _transfer(context: Context, artifact: str) -> Response:
    if request.query_string:
        # The client leaves a question mark in a name as it is: what is before it would be another file.
        raise InvalidInput(f"The address of {artifact[:200]!r} has a query; in a file's name write '?' as %3F.")
    if request.method == "GET":
        return download(context, artifact)
    if request.method == "PUT":
        _receive(context, artifact)
        return json_answer({})
    if request.method == "DELETE":
        context.services.artifacts.delete(context.actor, context.project, artifact)
        return json_answer({})
    raise EndpointNotFound(f"An artifact takes GET, PUT and DELETE, not {request.method}.")


def _receive(context: Context, artifact: str) -> None:
    """Store the request's body as a file."""
    request.max_content_length = context.services.settings.server.max_artifact_bytes + 1
    # Without a length an upload that broke off looks like one that ended: only an empty file may come so, because the
    # client's HTTP library leaves out the length 0.
    size_bytes = request.content_length or 0
    context.services.artifacts.write(context.actor, context.project, artifact, _sent(), size_bytes=size_bytes)


def _sent() -> Iterator[bytes]:
    """Yield the request's body in chunks."""
    while chunk := request.stream.read(CHUNK_BYTES):
        yield chunk


def download(context: Context, artifact: str) -> Response:
    """Answer a file as an attachment."""
    stored, chunks = context.services.artifacts.read(context.actor, context.project, artifact)
    name = PurePosixPath(artifact).name
    response = Response(chunks, content_type=_media_type(name), direct_passthrough=True)
    response.headers["Content-Length"] = str(stored.size_bytes)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _media_type(name: str) -> str:
    if PurePosixPath(name).suffix.lower() in TEXT_SUFFIXES:
        return "text/plain; charset=utf-8"
    guessed = mimetypes.guess_type(name)[0] or ""
    is_inert = guessed.split("/")[0] in {"image", "audio", "video"} and "svg" not in guessed
    return guessed if is_inert else "application/octet-stream"


def run_artifact(context: Context) -> Response:
    """Answer the present request for ``get-artifact?run_id=&path=``."""
    wanted: RunFile = _RUN_FILE.query(request.args, {})
    run = context.services.runs.get(context.actor, context.project, wanted.run())
    return download(context, path_of(run.info.artifact_uri, wanted.path))


def version_artifact(context: Context) -> Response:
    """Answer the present request for ``model-versions/get-artifact?name=&version=&path=``."""
    wanted: VersionFile = _VERSION_FILE.query(request.args, {})
    version = context.services.model_versions.get(context.actor, context.project, wanted.name, wanted.version)
    return download(context, f"{version.artifact_path}/{wanted.path}")


DOWNLOADS = {"get-artifact": run_artifact, "model-versions/get-artifact": version_artifact}
"""What browsers fetch by a path of its own."""


def json_answer(values: Answer) -> Response:
    """Answer JSON."""
    return Response(msgspec.json.encode(values), content_type="application/json")
