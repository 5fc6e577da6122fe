"""How far an import is; the command line draws it, others may leave it be."""

from __future__ import annotations

from modelyard.client.mlflow_import.report import Report


class Progress:
    """Is told of each step, from several threads; this one keeps silent. It may read the report's counts."""

    report: Report

    def begin(self, what: str, total: int | None) -> None:
        """Begin with things called `what`, `total` of them where that is known."""

    def advance(self) -> None:
        """Count one of them as done."""
