"""What spans say about their trace: when it began and ended, how it went, and how much it used."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from modelyard.core.tracking.limits import INT64, MAX_KEY_LENGTH, MAX_TAG_VALUE_LENGTH, check_key
from modelyard.core.tracking.trace_entities import (
    COST_KEY,
    NAME_TAG,
    SESSION_KEY,
    TOKENS_KEY,
    USER_KEY,
    Span,
    SpanBatch,
)

MAX_PREVIEW_LENGTH = 1000
MAX_SESSION_LENGTH = 250
INPUTS, OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"
TRACE_TAG_PREFIX = "mlflow.traceTag."
TOTALS = {
    TOKENS_KEY: ("input_tokens", "output_tokens", "total_tokens"),
    COST_KEY: ("input_cost", "output_cost", "total_cost"),
}
_ATTRIBUTE_OF = {TOKENS_KEY: "mlflow.chat.tokenUsage", COST_KEY: "mlflow.llm.cost"}
_OPERATION_TYPES = {
    "chat": "CHAT_MODEL",
    "create_agent": "AGENT",
    "embeddings": "EMBEDDING",
    "execute_tool": "TOOL",
    "generate_content": "LLM",
    "invoke_agent": "AGENT",
    "text_completion": "LLM",
}
"""MLflow's types of spans by OpenTelemetry's ``gen_ai.operation.name``."""


@dataclass(slots=True)
class TraceUpdate:
    """What a batch of spans writes to one trace."""

    trace_id: str
    spans: list[Span]
    resource: Mapping[str, Any] = field(default_factory=dict)
    span_rows: list[tuple[Any, ...]] = field(default_factory=list)
    has_usage: bool = False

    def __post_init__(self) -> None:
        """Make the rows of the spans."""
        for span in self.spans:
            usage = _usage_of(span.content.attributes)
            self.has_usage = self.has_usage or bool(usage)
            self.span_rows.append(_span_row(span, usage))

    @property
    def root(self) -> Span | None:
        """The span without a parent, where it is among these."""
        return next((span for span in self.spans if span.parent_span_id is None), None)

    def row(self) -> tuple[Any, ...]:
        """Return the columns of the trace from its id on."""
        root = self.root
        ends = [span.end_time_ns for span in self.spans if span.end_time_ns is not None]
        attributes = root.content.attributes if root else {}
        return (
            self.trace_id,
            "IN_PROGRESS" if root is None else "ERROR" if root.status == "ERROR" else "OK",
            min(span.start_time_ns for span in self.spans) // 1_000_000,
            max(ends) // 1_000_000 if ends else None,
            None,
            preview(attributes.get(INPUTS), "user"),
            preview(attributes.get(OUTPUTS), "assistant"),
            0,
        )

    @property
    def tags(self) -> dict[str, str]:
        """Tags from the program's attributes, from those that the root span names, and its name."""
        found = {
            key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
            for key, value in self.resource.items()
            if not key.startswith(("telemetry.sdk.", "mlflow."))
        }
        if self.root is not None:
            found.setdefault(NAME_TAG, self.root.name)
            attributes = self.root.content.attributes
            named = {key: value for key, value in attributes.items() if key.startswith(TRACE_TAG_PREFIX)}
            found |= {key.removeprefix(TRACE_TAG_PREFIX): str(value) for key, value in named.items()}
        return {key: value[:MAX_TAG_VALUE_LENGTH] for key, value in found.items() if _is_key(key)}

    @property
    def metadata(self) -> dict[str, str]:
        """The session and the user that spans name."""
        found: dict[str, str] = {}
        for span in self.spans:
            attributes = span.content.attributes
            session = attributes.get("session.id") or attributes.get("gen_ai.conversation.id")
            for key, value in ((SESSION_KEY, session), (USER_KEY, attributes.get("user.id"))):
                if value:
                    found.setdefault(key, str(value)[:MAX_SESSION_LENGTH])
        return found


def updates_of(batches: Iterable[SpanBatch]) -> list[TraceUpdate]:
    """Group spans by trace, in the order of their ids; of a span that comes twice the later counts."""
    spans: defaultdict[str, dict[str, Span]] = defaultdict(dict)
    resources: dict[str, Mapping[str, Any]] = {}
    for batch in batches:
        for span in batch.spans:
            spans[span.trace_id][span.span_id] = span
            resources.setdefault(span.trace_id, batch.resource)
    return [TraceUpdate(trace_id, list(spans[trace_id].values()), resources[trace_id]) for trace_id in sorted(spans)]


def _span_row(span: Span, usage: Mapping[str, Any]) -> tuple[Any, ...]:
    attributes = span.content.attributes
    span_type = span.type or _OPERATION_TYPES.get(str(attributes.get("gen_ai.operation.name")))
    model = attributes.get("mlflow.llm.model") or attributes.get("gen_ai.response.model")
    provider = attributes.get("mlflow.llm.provider") or attributes.get("gen_ai.provider.name")
    cost = usage.get(COST_KEY, {})
    return (
        span.span_id,
        span.parent_span_id,
        span.name,
        span_type,
        span.status,
        span.start_time_ns,
        span.end_time_ns,
        msgspec.json.encode(span.content).decode(),
        msgspec.json.encode(usage).decode() if usage else None,
        str(model or attributes.get("gen_ai.request.model") or "")[:MAX_KEY_LENGTH] or None,
        str(provider or "")[:MAX_KEY_LENGTH] or None,
        *(cost.get(key) for key in TOTALS[COST_KEY]),
    )


def _usage_of(attributes: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return what the span used by `TOKENS_KEY` and `COST_KEY`, as MLflow's attributes or OpenTelemetry's tell it."""
    found = {name: numbers_of(attributes.get(attribute)) for name, attribute in _ATTRIBUTE_OF.items()}
    if not found[TOKENS_KEY]:
        tokens = {key: attributes.get(f"gen_ai.usage.{key}") for key in ("input_tokens", "output_tokens")}
        found[TOKENS_KEY] = numbers_of(tokens)
        if found[TOKENS_KEY]:
            found[TOKENS_KEY]["total_tokens"] = sum(found[TOKENS_KEY].values())
    return {name: numbers for name, numbers in found.items() if numbers}


def numbers_of(value: Any) -> dict[str, float]:
    """Return the finite numbers of a JSON object, which may be given as text; anything else has none."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return {}
    if not isinstance(value, dict):
        return {}
    return {key[:50]: number for key, number in value.items() if _is_finite_number(number)}


def _is_finite_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and value in INT64


def total_usage(spans: Sequence[tuple[str, str | None, str | None]]) -> dict[str, dict[str, float]]:
    """Add up the usage of spans, given as (id, parent's id, usage as JSON).

    Below a span that tells its own nothing is counted: it has added up its children's already.
    """
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    known = {span_id for span_id, _, _ in spans}
    used = {span_id: msgspec.json.decode(usage) if usage else {} for span_id, _, usage in spans}
    for span_id, parent, _ in spans:
        children[parent if parent in known and parent != span_id else None].append(span_id)
    totals: dict[str, dict[str, float]] = {}
    for name, keys in TOTALS.items():
        waiting = list(children[None])
        while waiting:
            span_id = waiting.pop()
            mine = used[span_id].get(name)
            if not mine:
                waiting += children[span_id]
                continue
            total = totals.setdefault(name, dict.fromkeys(keys, 0))
            for key, value in mine.items():
                total[key] = total.get(key, 0) + value
    return totals


def preview(value: Any, role: str) -> str | None:
    """Return the beginning of what went in or came out: of a conversation the last message of that role."""
    if value is None:
        return None
    text = _last_message(value, role)
    if text is None:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_PREVIEW_LENGTH else f"{text[: MAX_PREVIEW_LENGTH - 3]}..."


def _last_message(value: Any, role: str) -> str | None:
    if not isinstance(value, dict):
        return None
    messages = value.get("messages") or value.get("input") or value.get("output")
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        messages = [choices[0].get("message")]
    known = [item for item in messages if _is_message(item)] if isinstance(messages, list) else []
    if not known:
        return None
    content = next((item for item in reversed(known) if item["role"] == role), known[-1])["content"]
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = next((text for text in texts if isinstance(text, str)), None)
    return content if isinstance(content, str) and content else None


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and "role" in item and "content" in item


def _is_key(key: str) -> bool:
    try:
        check_key("key", key)
    except ValueError:
        return False
    return True


def in_tree_order(spans: Sequence[Span]) -> list[tuple[Span, int]]:
    """Return each span with its depth, behind its parent and before its parent's next child.

    A span whose parent is not there is a root; so is one of a ring, which no root leads to.
    """
    children: defaultdict[str | None, list[Span]] = defaultdict(list)
    known = {span.span_id for span in spans}
    for span in spans:
        children[span.parent_span_id if span.parent_span_id in known else None].append(span)
    found: list[tuple[Span, int]] = []
    seen: set[str] = set()
    for root in (*children[None], *spans):
        waiting = [(root, 0)]
        while waiting:
            span, depth = waiting.pop()
            if span.span_id not in seen:
                seen.add(span.span_id)
                found.append((span, depth))
                waiting += [(child, depth + 1) for child in reversed(children[span.span_id])]
    return found
