"""Files that are written while they are read from the database.

Our HTTP server ends an answer whose pieces break off like any other, so the file itself has to say it: JSON lacks its
end then and Parquet its footer, which no reader takes; lines of CSV and of JSON get one more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask import Response

from modelyard.web.context import release_connection

INCOMPLETE = "The server failed while it wrote this file, which is incomplete. Ask for it again."
LAST_LINES = {"csv": f'"{INCOMPLETE}"\r\n'.encode(), "ndjson": f'{{"error":"{INCOMPLETE}"}}\n'.encode()}


def streamed_file(pieces: Iterable[bytes], media_type: str, name: str, form: str) -> Response:
    """Answer with the pieces as a file to be saved, without a database connection held."""
    release_connection()
    kind = media_type if form == "parquet" else f"{media_type}; charset=utf-8"
    response = Response(_told_where_broken(pieces, LAST_LINES.get(form, b"")), content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response


def _told_where_broken(pieces: Iterable[bytes], last_line: bytes) -> Iterator[bytes]:
    try:
        yield from pieces
    except Exception:
        yield last_line
        raise
