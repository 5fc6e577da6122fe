"""The kit finds what is wrong: faulty providers fail exactly the tests that are about their fault."""

import os
import re
import subprocess
import sys
from textwrap import dedent, indent

import pytest

STORAGE = """
    from modelyard import Health, NotFound, Storage, StoredFile
    from modelyard.core.testing import StorageContract
    import pytest

    class Memory(Storage):
        name = "memory"
        title = "Memory"

        def __init__(self, settings):
            super().__init__(settings)
            self.files = {}

        def health(self):
            return Health(True)

        def write(self, path, chunks):
            self.files[path] = b"".join(chunks)
            return StoredFile(path, len(self.files[path]))

        def read(self, path, *, offset=0, length=None):
            if path not in self.files:
                raise NotFound(path)
            content = self.files[path][offset:][:length]
            for start in range(0, len(content), 2**20):
                yield content[start:start + 2**20]

        def stat(self, path):
            if path in self.files:
                return StoredFile(path, len(self.files[path]))
            if path == "" or any(name.startswith(path + "/") for name in self.files):
                return StoredFile(path, 0, is_directory=True)
            raise NotFound(path)

        def list(self, path):
            prefix = path + "/" if path else ""
            below = {name[len(prefix):].split("/")[0] for name in list(self.files) if name.startswith(prefix)}
            return [self.stat(prefix + name) for name in sorted(below)]

        def delete(self, path):
            for name in list(self.files):
                if name == path or name.startswith(path + "/"):
                    del self.files[name]

    class Tried(Memory):
        pass
    FAULT

    class TestStorage(StorageContract):
        @pytest.fixture
        def storage(self):
            return Tried({})
"""

STORAGE_FAULTS = {
    "none": ("", set()),
    "a name that is no slug": ('name = "In Memory"', {"test_the_class_is_taken_by_register"}),
    "input while it is built": (
        """
        def __init__(self, settings):
            super().__init__(settings)
            open("/dev/null").close()
        """,
        {"test_building_it_does_no_input_or_output"},
    ),
    "health that is a bool": ("def health(self): return True", {"test_it_is_well"}),
    "prefixes taken for folders": (
        """
        def delete(self, path):
            for name in [name for name in self.files if name.startswith(path)]:
                del self.files[name]
        """,
        {
            "test_deleting_a_file_leaves_its_neighbours",
            "test_deleting_a_folder_takes_all_in_it_and_no_name_that_begins_alike",
        },
    ),
    "an error where nothing is": (
        """
        def delete(self, path):
            self.stat(path)
            super().delete(path)
        """,
        {"test_deleting_what_is_not_there_is_silent"},
    ),
    "unfinished files": (
        """
        def write(self, path, chunks):
            self.files[path] = b""
            for chunk in chunks:
                self.files[path] += chunk
            return self.stat(path)
        """,
        {"test_chunks_that_fail_leave_no_new_file", "test_chunks_that_fail_leave_the_old_content"},
    ),
    "one chunk for all": (
        """
        def read(self, path, *, offset=0, length=None):
            return iter([b"".join(super().read(path, offset=offset, length=length))])
        """,
        {"test_chunks_of_a_large_file_are_bytes_of_at_most_one_mebibyte"},
    ),
    "no ranges": (
        """
        def read(self, path, *, offset=0, length=None):
            return super().read(path)
        """,
        {"test_a_range_is_read"},
    ),
}

NOTIFIER = """
    from modelyard import Health, Notifier
    from modelyard.core.testing import NotifierContract
    import pytest

    class Tried(Notifier):
        name = "tried"
        title = "Tried"

        def __init__(self, settings):
            super().__init__(settings)
            self.sent = []

        def health(self):
            return Health(True)

        def send(self, notification):
            self.sent.append(notification.id)
    FAULT

    class TestNotifier(NotifierContract):
        @pytest.fixture
        def notifier(self):
            return Tried({})

        def delivered(self, notifier):
            return notifier.sent
"""

NOTIFIER_FAULTS = {
    "none": ("", set()),
    "failures that nobody hears of": (
        """
        def send(self, notification):
            if notification.link is not None:
                self.sent.append(notification.id)
        """,
        {"test_an_unusual_notification_arrives"},
    ),
    "no second time": (
        """
        def send(self, notification):
            assert notification.id not in self.sent
            self.sent.append(notification.id)
        """,
        {"test_the_same_notification_may_come_twice"},
    ),
    "changing what it was given": (
        """
        def send(self, notification):
            self.sent.append(notification.id)
            notification.event.clear()
        """,
        {"test_a_notification_is_left_as_it_was"},
    ),
}

TARGET = """
    from pathlib import Path
    from modelyard import DeploymentTarget, Health, ReplicaSpec, ReplicaStatus
    from modelyard.core.testing import DeploymentTargetContract
    import pytest

    RUNNING = {}

    class Tried(DeploymentTarget):
        name = "tried"
        title = "Tried"

        def health(self):
            return Health(True)

        def start(self, spec):
            RUNNING.setdefault(spec.index, len(RUNNING))
            return ReplicaStatus("starting")

        def observe(self, spec):
            if spec.index not in RUNNING:
                return ReplicaStatus("absent")
            number = RUNNING[spec.index]
            return ReplicaStatus("ready", f"http://host:{number}", identity={"number": number})

        def stop(self, spec):
            RUNNING.pop(spec.index, None)

        def logs(self, spec, *, lines=200):
            return "\\n".join(["a line"] * lines)
    FAULT

    class TestTarget(DeploymentTargetContract):
        patience_seconds = 0.2

        @pytest.fixture
        def target(self):
            RUNNING.clear()
            return Tried({})

        @pytest.fixture
        def spec(self, tmp_path):
            return ReplicaSpec("d1", "risk", 1, 0, tmp_path / "replica", tmp_path)
"""

TARGET_FAULTS = {
    "none": ("", set()),
    "starting twice": (
        """
        def start(self, spec):
            RUNNING[spec.index] = RUNNING.get(spec.index, spec.index) + 7
            return ReplicaStatus("starting")
        """,
        {"test_starting_again_changes_nothing"},
    ),
    "a loud stop": (
        """
        def stop(self, spec):
            del RUNNING[spec.index]
        """,
        {
            "test_stopping_what_does_not_run_is_silent",
            "test_a_stopped_replica_is_absent_and_can_be_started_again",
        },
    ),
    "memory in the process": (
        """
        def __init__(self, settings):
            super().__init__(settings)
            self.mine = set()

        def start(self, spec):
            self.mine.add(spec.index)
            return ReplicaStatus("starting")

        def observe(self, spec):
            ready = ReplicaStatus("ready", f"http://host:{spec.index}")
            return ready if spec.index in self.mine else ReplicaStatus("absent")

        def stop(self, spec):
            self.mine.discard(spec.index)
        """,
        {"test_another_process_adopts_the_replica"},
    ),
    "no logs": ("def logs(self, spec, *, lines=200): return None", {"test_the_logs_of_what_never_ran_are_a_text"}),
}

CASES = {
    f"{kind}: {name}": (program, *case)
    for kind, program, faults in (
        ("storage", STORAGE, STORAGE_FAULTS),
        ("notifier", NOTIFIER, NOTIFIER_FAULTS),
        ("target", TARGET, TARGET_FAULTS),
    )
    for name, case in faults.items()
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The tests that failed in each case; all run in one pytest of their own, with none of its plugins but ours."""
    folder = tmp_path_factory.mktemp("tried")
    for number, (program, fault, _) in enumerate(CASES.values()):
        body = dedent(program).replace("FAULT", indent(dedent(fault).strip(), "    "))
        (folder / f"test_case_{number}.py").write_text(body)
    options = ["-q", "-p", "no:cacheprovider", "-p", "modelyard.core.testing.pytest_plugin", "-rfE", "--tb=line"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--strict-markers", "."],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout
    found = re.findall(r"^(?:FAILED|ERROR) test_case_(\d+)\.py::\w+::(\w+)", done.stdout, re.MULTILINE)
    return {name: {test for case, test in found if int(case) == number} for number, name in enumerate(CASES)}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_fails_the_tests_that_are_about_it(name: str, failed: dict[str, set[str]]) -> None:
    expected = CASES[name][2]

    assert expected <= failed[name]
    if not expected:
        assert failed[name] == set()


@pytest.mark.parametrize(("said", "leaks"), [("no route to hunter2", True), ("no route", False), ("", False)])
def test_a_secret_in_what_is_said_is_found(said: str, leaks: bool) -> None:
    from modelyard.core.testing.provider import assert_no_secret
    from tests.core.projects.conftest import Pager

    pager = Pager({"number": 1, "token": "hunter2", "pin": None})
    if leaks:
        with pytest.raises(AssertionError, match="a secret is in what"):
            assert_no_secret(pager, "well", said)
    else:
        assert_no_secret(pager, "well", said)
