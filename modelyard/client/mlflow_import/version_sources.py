"""Where the files of a version are here: the source's address, with our run or logged model in place of its own."""

from __future__ import annotations

import re

from modelyard.client.errors import ClientError
from modelyard.client.mlflow_import.source import Source
from modelyard.client.mlflow_import.target import Target
from modelyard.client.mlflow_import.wire import concerns_one_thing
from modelyard.client.resource import Json

LONGEST_CHAIN = 10

_LOGGED_MODEL = re.compile(r"models:/(?P<id>m-[0-9a-f]{32})/?")
_RUN = re.compile(r"runs:/(?P<id>[0-9a-f]{32})/(?P<path>.+)")
_COPY = re.compile(r"models:/(?P<name>[^/]+)/(?P<number>\d+)")
_KEPT = re.compile(r".*/(?P<id>(?:m-)?[0-9a-f]{32})/artifacts(?:/(?P<path>.*))?", re.DOTALL)


class Unresolved(Exception):
    """The files of a version have no place here; the text says why."""


class VersionSources:
    """Finds the place of a version's files among what was brought."""

    def __init__(self, source: Source, target: Target) -> None:
        self._source = source
        self._target = target

    def ours(self, version: Json) -> str:
        """Return the `source` to register the version with; raises `Unresolved`."""
        return self._resolve(str(version.get("source", "")), LONGEST_CHAIN)

    def _resolve(self, address: str, left: int) -> str:
        if found := _COPY.fullmatch(address):
            return self._resolve_copy(found["name"], found["number"], left)
        if found := _LOGGED_MODEL.fullmatch(address):
            return f"models:/{self._known(found['id'])}"
        if found := _RUN.fullmatch(address):
            return f"runs:/{self._known(found['id'])}/{found['path']}"
        if found := _KEPT.fullmatch(address):
            return self._resolve_kept(found["id"], found["path"] or "")
        raise Unresolved("its files are not those of a run or logged model")

    def _resolve_copy(self, name: str, number: str, left: int) -> str:
        """Return the place of what a version of another model, or the like, was copied from."""
        if not left:
            raise Unresolved("it is a copy of a copy of a copy without an end")
        try:
            return self._resolve(self._source.source_of_version(name, number), left - 1)
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            raise Unresolved("the version that it is a copy of is not there") from None

    def _resolve_kept(self, identity: str, path: str) -> str:
        known = self._known(identity)
        if identity.startswith("m-"):
            root = self._target.get(f"logged-models/{known}")["model"]["info"]["artifact_uri"]
        else:
            root = self._target.get("runs/get", run_id=known)["run"]["info"]["artifact_uri"]
        return f"{root}/{path}" if path else str(root)

    def _known(self, identity: str) -> str:
        known = self._target.ours(identity)
        if known is None:
            thing = "logged model" if identity.startswith("m-") else "run"
            raise Unresolved(f"the {thing} that has its files was not brought")
        return known
