"""Metrics of runs, and runs side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelyard.client.addresses import segments
from modelyard.client.errors import ServerUnreachableError
from modelyard.client.resource import Json, Resource, given

HISTORY_PAGE_SIZE = 5000
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})


class Metrics(Resource):
    """What `Runs` can do with metrics and with several runs."""

    def metrics(self, run_id: str, *, prefix: str | None = None, limit: int | None = None) -> Iterator[Json]:
        """Yield the metrics of a run: `{key, last, last_step, min, min_step, max, max_step, count}`."""
        return self._list("runs", run_id, "metrics", limit=limit, page_size=HISTORY_PAGE_SIZE, prefix=prefix)

    def metric_history(self, run_id: str, key: str, *, limit: int | None = None, **window: Any) -> Iterator[Json]:
        """Yield the points of one metric in the order of steps; not-numbers are texts such as ``"NaN"``.

        The window is `start_step`, `end_step`, and `since` and `until` in RFC 3339; `max_points` samples it.
        """
        address = ("runs", run_id, "metrics", key)
        return self._list(*address, limit=limit, page_size=HISTORY_PAGE_SIZE, **_window(window))

    def export_metric(self, run_id: str, key: str, form: str = "csv", **window: Any) -> Iterator[bytes]:
        """Yield the history of one metric as a file, ``csv`` or ``ndjson``, in chunks; the window as above."""
        return self._file("GET", "runs", run_id, "metric-export", key=key, format=form, **_window(window))

    def metric_tails(
        self, run_id: str, keys: Sequence[str], *, after: str | None = None, max_points: int | None = None
    ) -> Json:
        """Return what is new of some metrics since the `cursor` of the answer before: `{items, cursor, has_more}`.

        Where an item says `replace`, its points replace all from before.
        """
        return self._one("GET", "runs", run_id, "metric-tails", key=list(keys), after=after, max_points=max_points)

    def follow_metrics(
        self, run_id: str, keys: Sequence[str], *, pause_seconds: float = 2, max_points: int | None = None
    ) -> Iterator[Json]:
        """Yield what is new of some metrics, as `metric_tails` does, until the run has ended and no more is new."""
        after: str | None = None
        has_ended = False
        while True:
            new = self.metric_tails(run_id, keys, after=after, max_points=max_points)
            after = new["cursor"]
            yield from new["items"]
            if new["has_more"] or (has_ended and new["items"]):
                continue
            if has_ended:
                return
            has_ended = self._one("GET", "runs", run_id)["status"] in ENDED
            if not has_ended:
                self._client.sleep(pause_seconds)

    def sample(self, run_ids: Sequence[str], keys: Sequence[str], **more: Any) -> Json:
        """Return curves of metrics of up to 200 runs: `{items: [{run_id, key, x, values, steps}]}`.

        Further words are `max_points`, `x` (step, relative_time, wall_time), `align` (last, nearest), `start_step`,
        `end_step`, `since` and `until`. Aligned curves share the `x` that stands beside `items`.
        """
        body = {"run_ids": list(run_ids), "keys": list(keys), **given(**_window(more))}
        return self._one("POST", "metrics", "sample", json=body)

    def compare(self, run_ids: Sequence[str], directions: Mapping[str, str] | None = None) -> Json:
        """Lay up to 200 runs side by side; `directions` says of metrics whether ``max`` or ``min`` is the best."""
        body = {"run_ids": list(run_ids), **given(directions=directions)}
        return self._one("POST", "runs", "compare", json=body)

    def export_compared(
        self, run_ids: Sequence[str], form: str = "csv", *, columns: Sequence[str] = ()
    ) -> Iterator[bytes]:
        """Yield a table of up to 200 runs as a file: ``csv``, ``json``, ``ndjson`` or ``parquet``, in chunks."""
        body = {"run_ids": list(run_ids), "format": form, "columns": list(columns)}
        return self._file("POST", "runs", "compare", "export", json=body)

    def export(self, form: str = "csv", *, columns: Sequence[str] = (), **search: Any) -> Iterator[bytes]:
        """Yield a table of all runs of a search as a file, in chunks; what `list` takes narrows it."""
        return self._file("GET", "runs", "export", format=form, column=list(columns) or None, **search)

    def _file(self, method: str, *parts: object, json: Any = None, **params: Any) -> Iterator[bytes]:
        response = self._client.send(method, self._path + segments(*parts), params=params, json=json, stream=True)
        return _chunks(response)


def _chunks(response: Any) -> Iterator[bytes]:
    with contextlib.closing(response):
        try:
            yield from response.chunks
        except OSError as error:
            raise ServerUnreachableError("The export broke off.", hint="Try again.") from error


def _window(words: dict[str, Any]) -> dict[str, Any]:
    """Return the words in the API's own: `from` and `to` are none that Python takes."""
    names = {"since": "from", "until": "to"}
    return {names.get(word, word): value for word, value in words.items()}
