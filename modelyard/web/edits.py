"""What makes a write safe to repeat and safe beside others: `Idempotency-Key`, and `ETag` with `If-Match`.

All that an edit (PATCH, PUT, DELETE) or a request under a key changes is one transaction, which begins with the first
change and ends here, once the answer is known. The precondition is checked as its first act; the answer that is kept
for the key is its last. Edits of one address come one after the other.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from typing import Any

from flask import Flask, Response, current_app, g, request
from peewee import IntegrityError, PeeweeException

from modelyard.core import db
from modelyard.core.db import HeldTransaction
from modelyard.core.errors import InvalidInput, ModelyardError, PreconditionFailed
from modelyard.core.idempotency import KeyedRequest
from modelyard.web import errors
from modelyard.web.auth import COOKIE
from modelyard.web.context import actor, services

EDITS = frozenset({"PATCH", "PUT", "DELETE"})
KEY_HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x21-\x7e]{1,255}")
KEPT_HEADERS = ("Content-Type", "ETag", "Location")
NOT_HELD = frozenset({"session.SessionView", "account.PasswordView"})
"""Where a password is checked between two transactions: that takes long, and no other write may wait for it."""


def register(app: Flask) -> None:
    """Hold what the API's writes change; `finish` ends it."""
    app.before_request(_begin)
    app.teardown_request(_abandon)


def _begin() -> Response | None:
    """Answer again what was answered under this key, or hold the changes to come."""
    if not request.path.startswith("/api/v1/") or request.method in {"GET", "HEAD", "OPTIONS"}:
        return None
    g.keyed = None
    if request.endpoint in NOT_HELD:
        return None
    g.keyed = _keyed_request()
    if g.keyed is not None and (kept := services().idempotency.find(g.keyed)) is not None:
        return _replay(kept)
    if g.keyed is not None or request.method in EDITS:
        g.held = HeldTransaction(_check_precondition)
        g.held.__enter__()
    return None


def _keyed_request() -> KeyedRequest | None:
    key = request.headers.get(KEY_HEADER)
    if key is None or not actor().is_signed_in:
        return None
    if not KEY.fullmatch(key):
        raise InvalidInput(
            f"The {KEY_HEADER} is none: 1 to 255 visible ASCII characters are allowed.",
            hint="A random UUID does well.",
            field=KEY_HEADER,
        )
    shown = request.headers.get("Authorization") or request.cookies.get(COOKIE, "")
    credential = hashlib.sha256(shown.encode()).hexdigest()[:16]  # an answer is for those eyes alone that had it first
    content = request.query_string + b"\n" + request.get_data(cache=True)
    return KeyedRequest(f"{actor().id}:{credential}", f"{request.method} {request.path}", key, content)


def finish(response: Response) -> Response:
    """End what the request changed and give the answer its ETag; another answer where the end fails."""
    held: HeldTransaction | None = g.pop("held", None)
    if held is None:
        return _tagged(response)
    response = _tagged(response)
    try:
        with held:
            if response.status_code < 400:
                if "If-Match" in request.headers:
                    held.begin()  # an edit that changes nothing is still told that it saw something else
                if g.keyed is not None and held.has_begun:
                    services().idempotency.keep(g.keyed, _kept(response))
            if response.status_code < 500:  # what the server failed at is not half done
                held.commit()
    except IntegrityError as error:  # the same request was being answered at the same time, and was first
        return _first_answer() or errors.problem_of_database(error)
    except PeeweeException as error:
        return errors.problem_of_database(error)
    except ModelyardError as error:
        return errors.problem_of(error)
    if g.keyed is not None and response.status_code >= 400:
        return _first_answer() or response
    return response


def _first_answer() -> Response | None:
    """Return what was answered under the key meanwhile: whoever comes second may have failed at what the first made."""
    with suppress(ModelyardError, PeeweeException):
        kept = services().idempotency.find(g.keyed) if g.keyed is not None else None
        return None if kept is None else _replay(kept)
    return None


def _abandon(error: BaseException | None) -> None:
    held: HeldTransaction | None = g.pop("held", None)
    if held is not None:
        held.__exit__()


def _kept(response: Response) -> dict[str, Any]:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": response.get_data(as_text=True)}


def _replay(kept: dict[str, Any]) -> Response:
    return Response(kept["body"], kept["status"], {**kept["headers"], "Idempotency-Replayed": "true"})


def _check_precondition() -> None:
    """Make edits of one address wait for each other, and refuse the one whose `If-Match` names another state."""
    _take_turn(request.path)
    if "If-Match" not in request.headers:
        return
    _take_turn(request.headers["If-Match"])  # one thing may have several addresses, such as a former slug's
    present = _present_etag()
    if present is None:
        raise PreconditionFailed(f"There is no ETag at {request.path} to be matched.", hint="Leave If-Match out.")
    if not request.if_match.contains(present):
        raise PreconditionFailed(
            f'It was changed since: its ETag is "{present}", and If-Match says {request.headers["If-Match"][:100]}.',
            hint="Read it again, and make the edit on what you then see.",
        )


def _take_turn(name: str) -> None:
    """Wait until no other transaction holds this name; on SQLite writers wait for each other anyway."""
    if db.is_postgresql():
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
        db.database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (number,))


def _present_etag() -> str | None:
    """Return the ETag that a GET of this address would have now, for this caller."""
    view: Any = current_app.view_functions[request.endpoint or ""]
    show = getattr(view.view_class(), "get", None)
    return None if show is None else etag_of(current_app.make_response(show(**(request.view_args or {}))))


def etag_of(response: Response) -> str:
    """Return the strong ETag of an answer: a hash of its bytes."""
    return hashlib.blake2s(response.get_data(), digest_size=12).hexdigest()


def _tagged(response: Response) -> Response:
    """Give what a GET would show its ETag; a GET whose caller has seen just this is answered 304."""
    if response.status_code != 200 or not request.path.startswith("/api/v1/") or response.is_streamed:
        return response
    if request.method not in {"GET", "HEAD", "PATCH"} or response.mimetype != "application/json":
        return response
    response.headers.setdefault("Cache-Control", "private, no-cache")
    response.vary.update(("Authorization", "Cookie"))
    if request.method != "HEAD":
        response.set_etag(etag_of(response))
    if request.method == "GET":
        response.make_conditional(request)
    return response
