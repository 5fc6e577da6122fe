"""What an import did: counts of what was brought and of what was there already, and what was not brought and why."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from modelyard.client.errors import ClientError

MOST_EXAMPLES = 20
MOST_REASONS = 50
OTHER_REASONS = "other reasons"


@dataclass
class NotBrought:
    """Things of one kind that were left out for one reason; `examples` are some of their names."""

    kind: str
    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Report:
    """Filled by all threads of an import; it stays small however much is brought."""

    def __init__(self, source: str, project: str, *, dry_run: bool = False) -> None:
        self.source = source
        self.project = project
        self.dry_run = dry_run
        self.brought: Counter[str] = Counter()
        self.present: Counter[str] = Counter()
        self.notes: list[str] = []
        self._not_brought: dict[tuple[str, str], NotBrought] = {}
        self._lock = threading.Lock()

    def add(self, kind: str, count: int = 1) -> None:
        """Count what was brought now."""
        with self._lock:
            self.brought[kind] += count

    def found(self, kind: str, count: int = 1) -> None:
        """Count what was in the project already."""
        with self._lock:
            self.present[kind] += count

    def note(self, text: str) -> None:
        """Say what else there is to know, once."""
        with self._lock:
            if text not in self.notes:
                self.notes.append(text)

    def leave_out(self, kind: str, name: str, reason: str | ClientError, *, count: int = 1) -> None:
        """Say that something was not brought, and why; a kind has no more than `MOST_REASONS` reasons of its own."""
        text = (reason.detail if isinstance(reason, ClientError) else reason).replace(repr(name), "it")
        with self._lock:
            if (kind, text) not in self._not_brought and sum(
                known == kind for known, _ in self._not_brought
            ) >= MOST_REASONS:
                text = OTHER_REASONS
            entry = self._not_brought.setdefault((kind, text), NotBrought(kind, text))
            entry.count += count
            if name and len(entry.examples) < MOST_EXAMPLES and name not in entry.examples:
                entry.examples.append(name)

    @property
    def not_brought(self) -> list[NotBrought]:
        """Everything that was left out, by kind and reason."""
        with self._lock:
            return sorted(self._not_brought.values(), key=lambda entry: (entry.kind, entry.reason))

    def as_json(self) -> dict[str, Any]:
        """Return it as `--output json` prints it."""
        return {
            "source": self.source,
            "project": self.project,
            "dry_run": self.dry_run,
            "brought": dict(sorted(self.brought.items())),
            "present": dict(sorted(self.present.items())),
            "not_brought": [vars(entry) for entry in self.not_brought],
            "notes": list(self.notes),
        }
