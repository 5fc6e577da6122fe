"""The stable address of a deployment: streams requests to its replicas, one after the other in turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import urllib3
from flask import Blueprint, Flask, Response, request
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError

from modelyard.core.errors import Unavailable
from modelyard.web.context import actor, open_project, release_connection, services

blueprint = Blueprint("prediction", __name__, url_prefix="/serve")

TIMEOUT = urllib3.Timeout(connect=2, read=60)
CHUNK_BYTES = 64 * 1024
PASSED_ON = ("Content-Type", "Accept", "Content-Length")
PASSED_BACK = ("Content-Type", "Content-Length")
pool = urllib3.PoolManager(num_pools=64, maxsize=32, block=False, retries=False, timeout=TIMEOUT)


def register(app: Flask) -> None:
    """Answer `/serve/<organization>/<project>/<deployment>/...`."""
    app.register_blueprint(blueprint)


@blueprint.route("/<organization>/<project>/<deployment>/<path:path>", methods=["GET", "POST"])
def forward(organization: str, project: str, deployment: str, path: str) -> Response:
    """Pass the request on to a ready replica and stream its answer back.

    A replica that cannot be connected to is skipped for the next one: nothing of the body was sent then. 503 when
    none is left, 502 when one broke off.
    """
    found = open_project(organization, project)
    addresses, token = services().deployments.replica_for(actor(), found, deployment)
    release_connection()
    for address in addresses:
        try:
            answer = _send(f"{address}/{path}", token)
        except (NewConnectionError, ConnectTimeoutError):
            continue
        except (HTTPError, OSError) as error:
            raise Unavailable(f"A replica of {deployment!r} broke off: {type(error).__name__}.") from error
        return _stream_back(answer)
    raise Unavailable(f"No replica of {deployment!r} can be reached.", hint="Try again in a moment.")


def _send(url: str, token: str) -> Any:
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    headers["Authorization"] = f"Bearer {token}"
    headers["X-Request-ID"] = request.headers.get("X-Request-ID", "")
    query = request.query_string.decode("latin-1")
    target = f"{url}?{query}" if query else url
    body = request.stream if request.method == "POST" else None
    try:
        return pool.request(request.method, target, headers=headers, body=body, preload_content=False, redirect=False)
    except MaxRetryError as error:
        raise error.reason or error from error


def _stream_back(answer: Any) -> Response:
    def chunks() -> Iterator[bytes]:
        try:
            yield from answer.stream(CHUNK_BYTES, decode_content=False)
        finally:
            answer.release_conn()

    headers = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
    return Response(chunks(), status=answer.status, headers=headers, direct_passthrough=True)
