"""Text from elsewhere, made fit for a header or a message."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text without control characters and lone surrogates, but for ends of lines and tabs."""
    clean = "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text)
    return clean.encode("utf-8", "replace").decode()


def one_line(text: str, longest: int) -> str:
    """Return the text on one line: a header that nothing can break out of."""
    line = " ".join(printable(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
