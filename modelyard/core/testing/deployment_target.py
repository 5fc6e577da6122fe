"""The contract of `DeploymentTarget`. Give the fixtures `target` and `spec`: a replica that becomes ready."""

# ruff: noqa: D102, S101 - these are tests: their names say what they promise

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Event
from time import monotonic

import pytest

from modelyard.core.interfaces import REPLICA_STATES, DeploymentTarget, Provider, ReplicaSpec, ReplicaStatus
from modelyard.core.testing.provider import ProviderContract

WaitFor = Callable[[ReplicaSpec, str], ReplicaStatus]


class DeploymentTargetContract(ProviderContract):
    """Every method can be called again at any time, also by a process that knows nothing of the first call."""

    kind = "deployment_target"
    patience_seconds = 60.0

    @pytest.fixture
    def target(self) -> DeploymentTarget:
        raise NotImplementedError("Give a fixture named target that returns a working deployment target.")

    @pytest.fixture
    def spec(self) -> ReplicaSpec:
        raise NotImplementedError("Give a fixture named spec: a replica that becomes ready when it is started.")

    @pytest.fixture
    def provider(self, target: DeploymentTarget) -> Provider:
        return target

    @pytest.fixture(autouse=True)
    def nothing_is_left_running(self, target: DeploymentTarget, spec: ReplicaSpec) -> Iterator[None]:
        yield
        for one in (spec, self.second(spec)):
            with suppress(Exception):
                target.stop(one)

    @pytest.fixture
    def wait_for(self, target: DeploymentTarget) -> WaitFor:
        """Observe until the replica is in the state. Override it where the target can tell by itself."""

        def wait(spec: ReplicaSpec, state: str) -> ReplicaStatus:
            expires = monotonic() + self.patience_seconds
            pause = Event()
            while (status := target.observe(spec)).state != state:
                assert monotonic() < expires, f"{status} instead of {state} after {self.patience_seconds} seconds"
                pause.wait(0.05)
            return status

        return wait

    def second(self, spec: ReplicaSpec) -> ReplicaSpec:
        """Another replica of the same revision."""
        directory = spec.directory.with_name(f"{spec.directory.name}-second")
        return replace(spec, index=spec.index + 1, directory=directory)

    def test_what_was_never_started_is_absent(self, target: DeploymentTarget, spec: ReplicaSpec) -> None:
        assert target.observe(spec).state == "absent"

    def test_stopping_what_does_not_run_is_silent(self, target: DeploymentTarget, spec: ReplicaSpec) -> None:
        assert target.stop(spec) is None

    def test_the_logs_of_what_never_ran_are_a_text(self, target: DeploymentTarget, spec: ReplicaSpec) -> None:
        assert isinstance(target.logs(spec), str)

    def test_a_started_replica_becomes_ready_with_an_address(
        self, target: DeploymentTarget, spec: ReplicaSpec, wait_for: WaitFor
    ) -> None:
        status = target.start(spec)
        assert status.state in REPLICA_STATES - {"absent", "failed"}, status

        ready = wait_for(spec, "ready")

        assert ready.address
        assert isinstance(target.logs(spec), str)

    def test_starting_again_changes_nothing(
        self, target: DeploymentTarget, spec: ReplicaSpec, wait_for: WaitFor
    ) -> None:
        target.start(spec)
        first = wait_for(spec, "ready")

        target.start(spec)
        again = wait_for(spec, "ready")

        assert (again.address, again.identity) == (first.address, first.identity)

    def test_another_process_adopts_the_replica(
        self, target: DeploymentTarget, spec: ReplicaSpec, wait_for: WaitFor
    ) -> None:
        target.start(spec)
        first = wait_for(spec, "ready")
        newcomer = type(target)(target.settings)

        assert newcomer.observe(spec).address == first.address
        newcomer.stop(spec)
        wait_for(spec, "absent")

    def test_a_stopped_replica_is_absent_and_can_be_started_again(
        self, target: DeploymentTarget, spec: ReplicaSpec, wait_for: WaitFor
    ) -> None:
        target.start(spec)
        wait_for(spec, "ready")

        target.stop(spec)
        wait_for(spec, "absent")
        target.stop(spec)
        target.start(spec)

        wait_for(spec, "ready")

    def test_a_replica_is_stopped_while_it_starts(
        self, target: DeploymentTarget, spec: ReplicaSpec, wait_for: WaitFor
    ) -> None:
        target.start(spec)
        target.stop(spec)

        wait_for(spec, "absent")

    def test_two_replicas_do_not_know_each_other(
        self, target: DeploymentTarget, spec: ReplicaSpec, wait_for: WaitFor
    ) -> None:
        other = self.second(spec)
        target.start(spec)
        target.start(other)
        assert wait_for(spec, "ready").address != wait_for(other, "ready").address

        target.stop(spec)
        wait_for(spec, "absent")

        assert target.observe(other).state == "ready"

    def test_at_most_so_many_lines_are_returned(
        self, target: DeploymentTarget, spec: ReplicaSpec, wait_for: WaitFor
    ) -> None:
        target.start(spec)
        wait_for(spec, "ready")

        assert len(target.logs(spec, lines=1).splitlines()) <= 1
