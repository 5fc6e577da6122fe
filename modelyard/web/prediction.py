"""The stable address of a deployment: streams requests to its replicas, one after the other in turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import urllib3
from flask import Blueprint, Flask, Response, g, request
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError
from werkzeug.exceptions import BadGateway, GatewayTimeout

from modelyard.core.errors import NotFound, Unavailable
from modelyard.web.context import actor, open_project, release_connection, services

blueprint = Blueprint("prediction", __name__, url_prefix="/serve")

READ_SECONDS = 60
CHUNK_BYTES = 64 * 1024
PASSED_ON = ("Content-Type", "Content-Encoding", "Accept", "Accept-Encoding")
PASSED_BACK = ("Content-Type", "Content-Encoding", "Content-Length", "Retry-After", "Allow")
INERT_TYPES = frozenset({"application/json", "text/plain", "text/csv"})
"""What a model's code may answer as, beside JSON of any kind: at the platform's own address, a page of its making could
act as whoever reads it."""
UNQUOTED = "/:@!$&'()*+,;=~"
pool = urllib3.PoolManager(num_pools=64, maxsize=32, block=False, retries=False)


def register(app: Flask) -> None:
    """Answer `/serve/<organization>/<project>/<deployment>/...`."""
    app.register_blueprint(blueprint)


@blueprint.route("/<organization>/<project>/<deployment>/<path:path>", methods=["GET", "POST"])
def forward(organization: str, project: str, deployment: str, path: str) -> Response:
    """Pass the request on to a ready replica and stream its answer back.

    A replica that cannot be connected to is skipped for the next one: nothing of the body was sent then. 503 when none
    is left, 502 when one broke off, 504 when one took longer than a minute.
    """
    found = open_project(organization, project)
    addresses, token = services().deployments.replica_for(actor(), found, deployment)
    release_connection()
    if any(part in {".", ".."} for part in path.split("/")):
        raise NotFound(f"A replica has no path {path!r}.")
    for address in addresses:
        try:
            return _stream_back(_send(f"{address}/{quote(path, safe=UNQUOTED)}", token))
        except (NewConnectionError, ConnectTimeoutError):
            continue
        except ReadTimeoutError as error:
            raise GatewayTimeout(f"A replica of {deployment!r} did not answer within {READ_SECONDS} s.") from error
        except (HTTPError, OSError) as error:
            raise BadGateway(f"A replica of {deployment!r} broke off: {type(error).__name__}.") from error
    raise Unavailable(f"No replica of {deployment!r} can be reached.", hint="Try again in a moment.")


def _send(url: str, token: str) -> Any:
    """Send the request without the caller's own credentials; whoever asks is not the replica's affair."""
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    headers |= {"Authorization": f"Bearer {token}", "X-Request-ID": g.request_id}
    query = request.query_string.decode("latin-1")
    body: Any = None
    if request.method == "POST":
        body = request.stream
        if request.content_length is not None:
            headers["Content-Length"] = str(request.content_length)
    return pool.request(
        request.method,
        f"{url}?{query}" if query else url,
        headers=headers,
        body=body,
        preload_content=False,
        redirect=False,
        timeout=urllib3.Timeout(connect=2, read=READ_SECONDS),
    )


def _stream_back(answer: Any) -> Response:
    """Pass the answer back; its connection is used again only if it was read to its end."""

    def chunks() -> Iterator[bytes]:
        yield from answer.stream(CHUNK_BYTES, decode_content=False)

    headers = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
    response = Response(chunks(), status=answer.status, headers=headers, direct_passthrough=True)
    response.call_on_close(answer.close)
    kind = response.mimetype or ""
    if kind not in INERT_TYPES and not kind.endswith("+json"):
        response.content_type = "application/octet-stream"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Content-Disposition"] = "attachment"
    return response
