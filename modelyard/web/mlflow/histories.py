"""MLflow's endpoint for the history of a metric; a long one is sent while it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec
from flask import Response

from modelyard.core.tracking.entities import Metric, Page
from modelyard.web.context import release_connection
from modelyard.web.mlflow.decoding import Int64, Required
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.runs import OfRun
from modelyard.web.mlflow.values import page_answer


class GetMetricHistory(OfRun, kw_only=True):
    """Fields of metrics/get-history."""

    metric_key: Required
    page_token: str = ""
    max_results: Int64 | None = None


@endpoint("GET", "metrics/get-history")
def get_metric_history(context: Context, request: GetMetricHistory) -> Answer | Response:
    """Answer the points of one metric: a page of so many, or all of them."""
    if request.max_results is None:
        return _whole_history(context, request)
    page: Page[Metric] = context.services.runs.metric_history(
        context.actor,
        context.project,
        request.run(),
        key=request.metric_key,
        max_results=request.max_results,
        page_token=request.page_token or None,
    )
    return page_answer("metrics", page)


def _whole_history(context: Context, request: GetMetricHistory) -> Answer | Response:
    """Answer all points; a long history is sent while it is read."""
    lists = context.services.runs.walk_metric(
        context.actor, context.project, request.run(), key=request.metric_key, page_token=request.page_token or None
    )
    first, second = next(lists), next(lists, None)
    if second is None:
        return {"metrics": first}
    release_connection()
    return Response(_object_of_metrics(chain((first, second), lists)), content_type="application/json")


def _object_of_metrics(lists: Iterable[list[Metric]]) -> Iterator[bytes]:
    """Write the JSON piece by piece; what breaks off is none."""
    before = b'{"metrics":['
    for points in filter(None, lists):  # what is deleted meanwhile leaves an empty list
        yield before + msgspec.json.encode(points)[1:-1]
        before = b","
    yield b"]}"
