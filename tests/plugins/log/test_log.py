"""The notifier that writes to the server's log."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from modelyard import InvalidInput
from modelyard.core.providers import validate_settings
from modelyard.core.testing import NotifierContract
from modelyard.core.testing.notifier import notification
from modelyard.plugins.log.notifier import LogNotifier


def log_notifier(**settings: str) -> LogNotifier:
    return LogNotifier(validate_settings(LogNotifier.settings_schema, settings))


class TestContract(NotifierContract):
    @pytest.fixture
    def notifier(self) -> Iterator[LogNotifier]:
        with capture_logs() as self.lines:
            yield log_notifier()

    def delivered(self, notifier: Any) -> list[str]:
        return [line["id"] for line in self.lines]


@pytest.mark.parametrize("level", ["info", "warning"])
def test_the_line_holds_what_a_reader_needs(level: str) -> None:
    sent = notification()

    with capture_logs() as lines:
        log_notifier(level=level).send(sent)

    assert lines == [
        {
            "event": "notification",
            "log_level": level,
            "id": sent.id,
            "action": sent.action,
            "title": sent.title,
            "text": sent.text,
            "link": sent.link,
        }
    ]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(InvalidInput, match="level"):
        log_notifier(level="shout")
