"""Shapes of runs' artifacts."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class ArtifactArguments(Schema):
    """Which folder."""

    path = fields.String(load_default="", metadata={"description": "Relative to the run's artifacts."})


class ArtifactContentArguments(Schema):
    """Which file."""

    path = fields.String(required=True, validate=validate.Length(1, 1024), metadata={"example": "plots/roc.png"})


class ArtifactSchema(Schema):
    """A file or folder; `path` is relative to the run's artifacts."""

    path = fields.String(required=True)
    is_directory = fields.Boolean(required=True)
    size_bytes = fields.Integer(required=True, allow_none=True)


class ArtifactsSchema(Schema):
    """A folder's files and folders, by name."""

    items = fields.List(fields.Nested(ArtifactSchema), required=True)
