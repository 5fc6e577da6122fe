"""What the deletion of projects and of organizations share."""

from __future__ import annotations

from modelyard.core.errors import InvalidInput

DAY_MS = 24 * 3600 * 1000


def check_confirmation(confirm: str | None, slug: str) -> None:
    """Raise `InvalidInput` unless the slug of what is to be deleted was typed out."""
    if confirm != slug:
        said = "is missing" if confirm is None else f"is {confirm[:80]!r}"
        raise InvalidInput(
            f"confirm {said}; this deletes {slug!r}.", hint=f"Confirm it with the slug: {slug}.", field="confirm"
        )
