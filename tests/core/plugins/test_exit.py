"""A hanging plugin never holds up the end of the process."""

import signal
import subprocess
import sys
from collections.abc import Callable
from textwrap import dedent

import pytest

PROMPTLY_SECONDS = 10

HANGING_CALLS = """
    import sys, threading, time
    from modelyard.core.errors import PluginError
    from modelyard.core.plugin_guard import Guard

    guard = Guard()
    started = threading.Event()

    def hang():
        threading.Thread(target=time.sleep, args=(3600,)).start()
        started.set()
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                pass

    for connection in ("a", "b"):
        for _ in range(4):
            try:
                guard.call("pigeon", "send", hang, deadline_seconds=0.05, connection=connection)
            except PluginError as error:
                print(error, flush=True)
    started.wait()
"""


def run(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_main_returns() -> None:
    process = run(HANGING_CALLS + "    print('the end', flush=True)\n")

    out, err = process.communicate(timeout=60)

    assert out.splitlines()[-1] == "the end"
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize(
    "handler", ["", "    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"], ids=["default", "exit"]
)
def test_sigterm(handler: str) -> None:
    program = HANGING_CALLS + "    import signal\n" + handler + "    print('ready', flush=True)\n    signal.pause()\n"
    process = run(program)
    assert process.stdout is not None
    while process.stdout.readline().strip() != "ready":
        assert process.poll() is None

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PROMPTLY_SECONDS)

    assert process.returncode == (7 if handler else -signal.SIGTERM)


def test_while_the_main_thread_waits_for_a_hanging_call() -> None:
    process = run(
        """
        import signal, sys, threading, time
        from modelyard.core.plugin_guard import Guard

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))

        def hang():
            print("ready", flush=True)
            threading.Event().wait()

        Guard().call("pigeon", "send", hang, deadline_seconds=3600)
        """
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PROMPTLY_SECONDS)

    assert (process.returncode, err) == (7, "")


def test_a_hanging_import(install: Callable[..., str]) -> None:
    install("broken", "import threading; threading.Event().wait()")
    program = f"""
        import sys
        sys.path[:0] = {sys.path!r}
        from modelyard.core.plugin_manager import PluginManager
        print(PluginManager(load_deadline_seconds=0.2).plugin("broken").state)
    """

    process = run(program)
    out, err = process.communicate(timeout=60)

    assert out.splitlines()[-1] == "failed"
    assert (process.returncode, err) == (0, "")
