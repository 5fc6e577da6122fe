"""What is logged to runs, in requests that are full but not too large, and cut down around what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from modelyard.client.errors import ClientError, InvalidInputError
from modelyard.client.mlflow_import.report import Report
from modelyard.client.resource import Json

MOST_METRICS = 1000
MOST_VALUES = 100
MOST_BYTES = 1_000_000

T = TypeVar("T")


def batches(things: Iterable[Json], most: int) -> Iterator[list[Json]]:
    """Yield them in lists of at most `most` things and a megabyte, a larger thing alone."""
    batch: list[Json] = []
    size = 0
    for thing in things:
        length = len(json.dumps(thing))
        if batch and (len(batch) >= most or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(thing)
        size += length
    if batch:
        yield batch


def send_all(
    send: Callable[[list[Json]], Any],
    things: Iterable[Json],
    *,
    most: int,
    kind: str,
    report: Report,
    name: Callable[[Json], str],
) -> None:
    """Send everything; what is refused is found by halving, and left out with the reason."""
    for batch in batches(things, most):
        _send(send, batch, kind, report, name)


def _send(
    send: Callable[[list[Json]], Any], batch: Sequence[Json], kind: str, report: Report, name: Callable[[Json], str]
) -> None:
    try:
        send(list(batch))
    except ClientError as error:
        if not isinstance(error, InvalidInputError):
            raise
        if len(batch) == 1:
            report.leave_out(kind, name(batch[0]), error)
            return
        middle = len(batch) // 2
        _send(send, batch[:middle], kind, report, name)
        _send(send, batch[middle:], kind, report, name)
    else:
        report.add(kind, len(batch))
