"""The contract of `Notifier`. Give the fixture `notifier`; override `delivered` where what arrives can be looked at."""

# ruff: noqa: D102, S101 - these are tests: their names say what they promise

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from uuid import uuid4

import pytest

from modelyard.core.errors import PluginUnavailable
from modelyard.core.interfaces import Notification, Notifier, Provider
from modelyard.core.testing.provider import ProviderContract, assert_no_secret


def notification() -> Notification:
    """An ordinary one with an id of its own."""
    return Notification(
        id=uuid4().hex,
        action="model_version.stage_changed",
        title="risk/3 is now in Production",
        text="ada moved risk/3 from Staging to Production.",
        occurred_at_ms=1_760_000_000_123,
        link="https://modelyard.test/acme/churn/models/risk/versions/3",
        event={
            "organization": "acme",
            "project": "churn",
            "object_kind": "model_version",
            "object_name": "risk/3",
            "before": {"stage": "Staging"},
            "after": {"stage": "Production"},
        },
    )


class NotifierContract(ProviderContract):
    """Delivers, or raises; the same notification may come twice."""

    kind = "notifier"

    @pytest.fixture
    def notifier(self) -> Notifier:
        raise NotImplementedError("Give a fixture named notifier that returns a working notifier.")

    @pytest.fixture
    def provider(self, notifier: Notifier) -> Provider:
        return notifier

    def delivered(self, notifier: Notifier) -> list[str] | None:
        """The ids that arrived, in order; None where nobody can look."""
        return None

    def test_a_notification_arrives(self, notifier: Notifier) -> None:
        sent = notification()

        assert notifier.send(sent) is None
        assert self.delivered(notifier) in (None, [sent.id])

    @pytest.mark.parametrize(
        "change",
        [
            {"link": None},
            {"event": {}},
            {"title": "", "text": ""},
            {"title": "模型 ünïcødé 🕊", "text": 'line one\nline two\ttab "quoted" <b>&amp;</b>'},
            {"text": "long " * 20_000},
            {"occurred_at_ms": 0},
            {"event": {"nested": {"list": [1, 2.5, None, True, "text"]}}},
            {"action": "some.new_action"},
        ],
        ids=["no link", "no event", "no text", "unicode", "long", "epoch", "nested event", "unknown action"],
    )
    def test_an_unusual_notification_arrives(self, notifier: Notifier, change: dict[str, object]) -> None:
        sent = replace(notification(), **change)  # type: ignore[arg-type]  # the table is typed by the dataclass

        notifier.send(sent)

        assert self.delivered(notifier) in (None, [sent.id])

    def test_a_notification_is_left_as_it_was(self, notifier: Notifier) -> None:
        sent = notification()
        before = deepcopy(sent)

        notifier.send(sent)

        assert sent == before

    def test_the_same_notification_may_come_twice(self, notifier: Notifier) -> None:
        sent = notification()

        notifier.send(sent)
        notifier.send(sent)

        assert self.delivered(notifier) in (None, [sent.id], [sent.id, sent.id])

    def test_several_threads_send_at_once(self, notifier: Notifier) -> None:
        sent = [notification() for _ in range(16)]

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(notifier.send, sent))

        arrived = self.delivered(notifier)
        assert arrived is None or sorted(arrived) == sorted(one.id for one in sent)


class NotifierOutageContract:
    """For a notifier with a service behind it: give the fixture `unreachable_notifier`, whose service is down."""

    @pytest.fixture
    def unreachable_notifier(self) -> Notifier:
        raise NotImplementedError("Give a fixture named unreachable_notifier.")

    def test_sending_says_that_it_is_unavailable(self, unreachable_notifier: Notifier) -> None:
        with pytest.raises(PluginUnavailable):
            unreachable_notifier.send(notification())

    def test_its_health_says_so_without_raising(self, unreachable_notifier: Notifier) -> None:
        assert unreachable_notifier.health().ok is False

    def test_no_secret_is_in_what_it_says(self, unreachable_notifier: Notifier) -> None:
        with pytest.raises(PluginUnavailable) as caught:
            unreachable_notifier.send(notification())

        assert_no_secret(unreachable_notifier, str(caught.value), unreachable_notifier.health().message)
