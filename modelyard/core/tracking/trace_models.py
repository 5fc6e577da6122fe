"""Tables of traces: what a program did for one request, as a tree of spans, and what was said about it.

A trace is known in its project by its `trace_id`, which its client made up: another project may have the same. Values
of spans that are searched and counted have columns; all else of a span is the JSON in `content`.
"""

from __future__ import annotations

from peewee import (
    BigIntegerField,
    CharField,
    DoubleField,
    ForeignKeyField,
    SmallIntegerField,
    TextField,
)

from modelyard.core.db import Table
from modelyard.core.projects.models import Project
from modelyard.core.tracking.models import Experiment, Run


class Trace(Table):
    """One trace; `is_finished` says that its client has told the whole of it, so that spans change it no more."""

    project = ForeignKeyField(Project, on_delete="CASCADE", index=False)
    experiment = ForeignKeyField(Experiment, on_delete="CASCADE", index=False)
    trace_id = CharField(max_length=50)
    state = CharField(max_length=20)
    start_time_ms = BigIntegerField()
    end_time_ms = BigIntegerField(null=True)
    client_request_id = CharField(max_length=50, null=True)
    request_preview = TextField(null=True)
    response_preview = TextField(null=True)
    is_finished = SmallIntegerField(default=0)

    class Meta:
        indexes = ((("project", "trace_id"), True), (("experiment", "start_time_ms", "trace_id"), False))


class TraceTag(Table):
    """One tag of a trace."""

    trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("trace", "key"), True),)


class TraceMetadata(Table):
    """A fact about a trace that its client stated, such as the run it belongs to."""

    trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
    key = CharField(max_length=250)
    value = TextField()

    class Meta:
        indexes = ((("trace", "key"), True),)


class TraceUsage(Table):
    """How much of something a trace used: tokens of a kind, or their cost."""

    trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
    key = CharField(max_length=50)
    value = DoubleField()

    class Meta:
        indexes = ((("trace", "key"), True),)


class Span(Table):
    """One step of a trace; `parent_span_id` may name a span that comes later or never. Costs are in US dollars.

    `content` is the last column, because SQLite reads through a long one to get at those behind it.
    """

    trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
    span_id = CharField(max_length=16)
    parent_span_id = CharField(max_length=16, null=True)
    name = TextField()
    type = TextField(null=True)
    status = CharField(max_length=10)
    start_time_ns = BigIntegerField()
    end_time_ns = BigIntegerField(null=True)
    usage = TextField(null=True)
    model_name = TextField(null=True)
    model_provider = TextField(null=True)
    input_cost = DoubleField(null=True)
    output_cost = DoubleField(null=True)
    total_cost = DoubleField(null=True)
    content = TextField()

    class Meta:
        indexes = ((("trace", "span_id"), True),)


class Assessment(Table):
    """A judgement on a trace or one of its spans; `kind` is feedback, expectation or issue, `value` is JSON.

    `number` is the value as a number, where it is one (`is_number`) or a truth value. `is_valid` is 0 once another
    assessment overrides it.
    """

    trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
    assessment_id = CharField(max_length=50)
    name = CharField(max_length=250)
    kind = CharField(max_length=20)
    value = TextField()
    number = DoubleField(null=True)
    is_number = SmallIntegerField(default=0)
    error = TextField(null=True)
    source_type = CharField(max_length=50)
    source_id = CharField(max_length=250, null=True)
    span_id = CharField(max_length=50, null=True)
    rationale = TextField(null=True)
    metadata = TextField(null=True)
    overrides = CharField(max_length=50, null=True)
    is_valid = SmallIntegerField(default=1)
    created_at_ms = BigIntegerField()
    updated_at_ms = BigIntegerField()

    class Meta:
        indexes = ((("trace", "assessment_id"), True), (("trace", "name"), False))


class TraceRun(Table):
    """A trace that was linked to a run after the fact."""

    trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
    run = ForeignKeyField(Run, on_delete="CASCADE")

    class Meta:
        indexes = ((("trace", "run"), True),)


class TracePrompt(Table):
    """A version of a prompt that a trace used, as ``name/version``."""

    trace = ForeignKeyField(Trace, on_delete="CASCADE", index=False)
    prompt = CharField(max_length=500)

    class Meta:
        indexes = ((("trace", "prompt"), True),)
