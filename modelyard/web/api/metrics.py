"""Metrics of runs: summaries, histories, files of them, live tails, and curves of several runs."""

from __future__ import annotations

import base64
import binascii
import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.entities import Metric, MetricWindow
from modelyard.core.tracking.export import csv_line
from modelyard.core.tracking.tail import Mark
from modelyard.web.context import actor, open_logged_project, open_project, services
from modelyard.web.pagination import decode_cursor, encode_cursor, envelope, page_schema
from modelyard.web.schemas.base import rfc3339
from modelyard.web.schemas.metrics import (
    FORMATS,
    CurvesSchema,
    HistoryArguments,
    HistoryExportArguments,
    PointSchema,
    SampleSchema,
    SummaryArguments,
    SummaryPageSchema,
    TailArguments,
    TailsSchema,
)
from modelyard.web.streamed_file import streamed_file

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>"
FILE = {"schema": {"type": "string", "format": "binary"}}
FILE_ANSWER = {"200": {"description": "OK", "content": dict.fromkeys(FORMATS.values(), FILE)}}
CUT = 16
"""Letters of a metric's name in a cursor of tails: the names themselves stand in the request."""
blueprint = Blueprint("metrics", __name__, url_prefix=URL_PREFIX, description="Metrics of runs")


def window_of(wanted: dict[str, Any]) -> MetricWindow:
    """Return the part of a history that was asked for."""
    return MetricWindow(**{name: wanted.get(name) for name in MetricWindow.__struct_fields__})


@blueprint.route("/runs/<run_id>/metrics")
class RunMetricsView(MethodView):
    """The metrics of a run."""

    @blueprint.arguments(SummaryArguments, location="query")
    @blueprint.response(200, SummaryPageSchema)
    def get(self, arguments: dict[str, Any], organization: str, project: str, run_id: str) -> Any:
        """List the metrics of a run by name: last, least and greatest value, and how many points each has."""
        found = open_logged_project(organization, project)
        (summaries,) = services().runs.metric_summaries(actor(), found, [run_id]).values()
        listed = sorted((one for one in summaries if one.key.startswith(arguments["prefix"])), key=lambda one: one.key)
        start = 0
        if arguments["cursor"]:
            start = bisect_right(listed, decode_cursor(arguments["cursor"], [str])[0], key=lambda one: one.key)
        page = listed[start : start + arguments["limit"]]
        return envelope(page, encode_cursor([page[-1].key]) if len(listed) > start + len(page) else None)


@blueprint.route("/runs/<run_id>/metrics/<path:key>")
class HistoryView(MethodView):
    """The history of a metric."""

    @blueprint.arguments(HistoryArguments, location="query")
    @blueprint.response(200, page_schema(PointSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str, run_id: str, key: str) -> Any:
        """List the points of one metric in the order of step, time and value."""
        found = open_logged_project(organization, project)
        if arguments["max_points"] is not None:
            sampled = services().runs.sample_metric(
                actor(), found, [run_id], key=key, max_points=arguments["max_points"], window=window_of(arguments)
            )
            return envelope(sampled[run_id], None)
        page = services().runs.metric_history(
            actor(),
            found,
            run_id,
            key=key,
            window=window_of(arguments),
            max_results=arguments["limit"],
            page_token=arguments["cursor"],
        )
        return envelope(page.items, page.next_page_token)


@blueprint.route("/runs/<run_id>/metric-export")
class HistoryExportView(MethodView):
    """The history of a metric as a file."""

    @blueprint.arguments(HistoryExportArguments, location="query")
    @blueprint.doc(responses=FILE_ANSWER)
    def get(self, arguments: dict[str, Any], organization: str, project: str, run_id: str) -> Response:
        """Download the history of one metric, whole or a part of it, as CSV or as a JSON object on each line."""
        found = open_project(organization, project)
        window = window_of(arguments)
        pages = services().runs.walk_metric(actor(), found, run_id, key=arguments["key"], window=window)
        kind = arguments["format"]
        return streamed_file((_csv if kind == "csv" else _ndjson)(pages), FORMATS[kind], "metric", kind)


def _csv(pages: Iterable[list[Metric]]) -> Iterator[bytes]:
    yield csv_line(("step", "timestamp", "value"))
    for page in pages:
        yield b"".join(csv_line((one.step, rfc3339(one.timestamp_ms), one.value)) for one in page)


def _ndjson(pages: Iterable[list[Metric]]) -> Iterator[bytes]:
    encode = msgspec.json.encode
    for page in pages:
        yield b"".join(
            encode({"step": one.step, "timestamp": rfc3339(one.timestamp_ms), "value": one.value}) + b"\n"
            for one in page
        )


@blueprint.route("/runs/<run_id>/metric-tails")
class MetricTailsView(MethodView):
    """The live end of metrics."""

    @blueprint.arguments(TailArguments, location="query")
    @blueprint.response(200, TailsSchema)
    def get(self, arguments: dict[str, Any], organization: str, project: str, run_id: str) -> dict[str, Any]:
        """Answer what is new of some metrics of a run since the last look; nothing that came late is missed.

        Ask with `after=` the `cursor` of the answer before. Where nothing is new it costs a look at the summaries.
        """
        found = open_logged_project(organization, project)
        keys = list(dict.fromkeys(arguments["key"]))
        kept = _read_marks(arguments["after"], run_id)
        marks = {key: kept.get(_cut(key)) for key in keys}
        new = services().runs.tails(actor(), found, run_id, marks, max_points=arguments["max_points"])
        kept |= {_cut(tail.key): tail.mark for tail in new}
        cursor = _write_marks(run_id, {_cut(key): kept[_cut(key)] for key in keys if _cut(key) in kept})
        return {"items": new, "cursor": cursor, "has_more": any(tail.has_more for tail in new)}


def _cut(key: str) -> str:
    """Name a metric in a cursor in few letters."""
    return hashlib.blake2s(key.encode(), digest_size=CUT // 2).hexdigest()


def _write_marks(run_id: str, marks: dict[str, Mark]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([run_id, marks])).decode().rstrip("=")


def _read_marks(cursor: str, run_id: str) -> dict[str, Mark]:
    if not cursor:
        return {}
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        owner, marks = msgspec.json.decode(content, type=tuple[str, dict[str, Mark]])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        owner, marks = "", {}
    if owner != run_id:
        raise InvalidInput(
            f"after {cursor[:40]!r} is no cursor of this run's metrics.", hint="Leave it out.", field="after"
        )
    return marks


@blueprint.route("/metrics/sample")
class MetricSampleView(MethodView):
    """Metrics of several runs, to be drawn."""

    @blueprint.arguments(SampleSchema)
    @blueprint.response(200, CurvesSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Draw metrics of up to 200 runs by few points that keep their spikes, aligned if asked for.

        A curve that has more points than are asked for is given by its first and last one and, of each stretch between,
        the least and the greatest. Aligned curves have the value of the last point up to each x, or of the nearest.
        """
        found = open_logged_project(organization, project)
        service = services().comparisons
        many = {"x": wish["x"], "max_points": wish["max_points"], "window": window_of(wish)}
        curves = service.curves(actor(), found, wish["run_ids"], wish["keys"], **many)
        if wish["align"] is None:
            return {"items": curves}
        grid, curves = service.align(curves, wish["align"], wish["max_points"])
        return {"x": grid, "items": [{"run_id": one.run_id, "key": one.key, "values": one.values} for one in curves]}
