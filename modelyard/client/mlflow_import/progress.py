"""How far an import is; the command line draws it."""

from __future__ import annotations

from typing import Protocol

from modelyard.client.mlflow_import.report import Report


class Progress(Protocol):
    """Is told of each step, from several threads; it may read the report's counts."""

    report: Report

    def begin(self, what: str, total: int | None) -> None:
        """Begin with things called `what`, `total` of them where that is known."""

    def advance(self) -> None:
        """Count one of them as done."""


class Silence:
    """Shows nothing."""

    report: Report

    def begin(self, what: str, total: int | None) -> None:
        """Say nothing."""

    def advance(self) -> None:
        """Say nothing."""
