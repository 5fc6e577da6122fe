"""Compares what a model asks for, its `requirements.txt`, with what is installed beside this interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

INSTEAD_OF = {"mlflow": "mlflow-skinny"}
"""The model server has the second and never needs the rest of the first."""


@dataclass(frozen=True, slots=True)
class Differences:
    """`missing` are lines for pip, `other` says which versions are not those that were asked for."""

    missing: tuple[str, ...] = ()
    other: tuple[str, ...] = ()

    def why_not(self) -> str:
        """Say why the model cannot run here; nothing where it can."""
        if not self.missing:
            return ""
        wanted = " ".join(f"'{line}'" for line in self.missing)
        return f"The model needs packages that are not installed here; run: pip install {wanted}"

    def note(self) -> str:
        """Say what differs without harm being known; nothing where nothing does."""
        return f"Other versions than the model asks for: {', '.join(self.other)}." if self.other else ""


def compare(requirements: Path) -> Differences:
    """Read the file; what is no plain requirement in it (an option, an address, a file) is passed over."""
    from packaging.requirements import InvalidRequirement, Requirement

    missing, other = [], []
    for line in _lines(requirements):
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _version(wanted.name)
        if found is None:
            missing.append(line)
        elif not wanted.specifier.contains(found, prereleases=True):
            other.append(f"{wanted.name} {found} (asked for: {wanted.specifier})")
    return Differences(tuple(missing), tuple(other))


def _lines(requirements: Path) -> list[str]:
    try:
        text = requirements.read_text("utf-8", "replace")
    except OSError:
        return []
    lines = (line.partition(" #")[0].partition(" --")[0].strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def _version(name: str) -> str | None:
    for candidate in (name, INSTEAD_OF.get(name.lower(), name)):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return None
