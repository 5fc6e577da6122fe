"""Streams a stored file to the caller: whole or a range, with a name, and never as something a browser would run."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from modelyard.core.projects.models import Project
from modelyard.web.context import actor, release_connection, services

INERT_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "application/json", "text/csv", "text/plain"}
)


def stream_file(project: Project, path: str) -> Response:
    """Answer with the file's bytes, or the one range that the caller asks for (206; 416 for one outside the file).

    Types that a browser might run, HTML and SVG among them, are sent as plain bytes to be saved.
    """
    stored = services().artifacts.stat(actor(), project, path)
    wanted = None if "If-Range" in request.headers else request.range  # there is no validator that it could match
    if wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1:
        span = _span(*wanted.ranges[0], stored.size_bytes)
        if span is None:
            raise RequestedRangeNotSatisfiable(length=stored.size_bytes)
        start, stop = span
    else:
        wanted, start, stop = None, 0, stored.size_bytes
    _, chunks = services().artifacts.read(actor(), project, path, offset=start, length=stop - start)
    release_connection()
    response = Response(chunks, status=206 if wanted else 200, direct_passthrough=True)
    guessed = mimetypes.guess_type(path)[0] or ""
    response.content_type = guessed if guessed in INERT_TYPES else "application/octet-stream"
    response.headers["Content-Length"] = str(stop - start)
    response.headers["Accept-Ranges"] = "bytes"
    if wanted:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size_bytes}"
    kind = "inline" if guessed in INERT_TYPES else "attachment"
    response.headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{quote(path.rsplit('/', 1)[-1], safe='')}"
    return response


def _span(start: int, stop: int | None, size_bytes: int) -> tuple[int, int] | None:
    """Return where a range of a file begins and ends; None for one outside. A negative start counts from the end."""
    first = max(0, size_bytes + start) if start < 0 else start
    last = size_bytes if stop is None else min(stop, size_bytes)
    return (first, last) if first < last else None
