"""Which error an answer is, or the lack of one."""

from __future__ import annotations

from modelyard.client.errors import (
    AuthenticationError,
    ChangedMeanwhileError,
    ClientError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    ServerUnreachableError,
    TooLargeError,
    UnavailableError,
    UnexpectedAnswerError,
)
from modelyard.client.resource import Json
from modelyard.client.transport import Request, Response

ERROR_OF_STATUS: dict[int, type[ClientError]] = {
    400: InvalidInputError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    412: ChangedMeanwhileError,
    413: TooLargeError,
    415: InvalidInputError,
    422: InvalidInputError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def failure_of(request: Request, response: Response) -> ClientError:
    """Make the error of an answer: of problem+json, of the model server's two forms, or of the bare status."""
    status = response.status
    if status < 400:
        to = response.headers.get("location", "another address")
        return UnexpectedAnswerError(f"{request.url} sends on to {to}.", status=status, hint="Use that address.")
    try:
        problem = response.json()
    except UnexpectedAnswerError:
        problem = None
    known: Json = problem if isinstance(problem, dict) else {}
    said = [known.get(name) for name in ("detail", "message", "error", "title")]
    detail = str(next((text for text in said if text), ""))
    hint = known.get("hint") or ("" if detail else "Check that the address is a Modelyard server's.")
    error = ERROR_OF_STATUS.get(status, ServerError if status >= 500 else ClientError)
    return error(
        detail or f"{request.method} {request.url} answered {status}.",
        code=str(known.get("code") or known.get("error_code") or ""),
        status=status,
        hint=str(hint),
        errors=known.get("errors"),
        request_id=str(known.get("request_id") or response.headers.get("x-request-id", "")),
        retry_after_seconds=_seconds(response.headers.get("retry-after", "")),
    )


def unreachable(url: str, error: OSError) -> ServerUnreachableError:
    """Make the error of a server that gave no answer."""
    reason = "did not answer in time" if "Timeout" in type(error).__name__ else "does not answer"
    if "SSL" in type(error).__name__:
        return ServerUnreachableError(
            f"{url} has no certificate that this machine trusts.",
            hint="Check the address; set REQUESTS_CA_BUNDLE to the file of your own authority.",
        )
    return ServerUnreachableError(
        f"The server at {url} {reason}.",
        hint="Check that it runs (`modelyard serve`) and that the address and port are right.",
    )


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None
