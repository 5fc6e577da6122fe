"""The parts of the model server that need no process and no model."""

import datetime
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.serving.config import Config, read_config
from modelyard.serving.encoding import dumps
from modelyard.serving.gate import WAITING, Gate
from modelyard.serving.messages import RefusedError, Request, Response
from modelyard.serving.metrics import Metrics
from modelyard.serving.replica import ReplicaFolder, ReplicaTakenError, start_time
from modelyard.serving.wsgi import Application

from .conftest import answer_or_refusal

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def strict(encoded: bytes) -> Any:
    return json.loads(encoded, parse_constant=lambda name: pytest.fail(f"{name} is not strict JSON"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([1.5, 2.0]), [1.5, 2.0]),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.0, np.nan, np.inf, -np.inf]), [1.0, None, None, None]),
        (np.array(["a", None, b"x"], dtype=object), ["a", None, "eA=="]),
        (np.array(["2024-01-02T03:04", "NaT"], dtype="M8[ns]"), ["2024-01-02T03:04:00", None]),
        (np.array([["2024-01-02"]], dtype="M8[D]"), [["2024-01-02T00:00:00"]]),
        ({"a": np.float32(1.5), "b": np.int64(2), "c": np.bool_(True)}, {"a": 1.5, "b": 2, "c": True}),
        ([np.datetime64("2024-01-02", "ns"), pd.NaT, pd.NA], ["2024-01-02T00:00:00", None, None]),
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
        (pd.DataFrame({"a": [1.0, float("nan")]}), [{"a": 1.0}, {"a": None}]),
        (pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), [{"a": 1}, {"a": None}]),
        (pd.Series([1, 2], name="y"), [{"y": 1}, {"y": 2}]),
        (pd.Series([1]), [{"0": 1}]),
        ({np.int64(1): (1, 2), ("a", 1): {3}}, {"1": [1, 2], "('a', 1)": [3]}),
        (datetime.date(2024, 1, 2), "2024-01-02"),
        (datetime.timedelta(minutes=1), 60.0),
        ("text", "text"),
        (None, None),
    ],
)
def test_answers_become_strict_json(value: object, expected: object) -> None:
    assert strict(dumps(value)) == expected


@given(JSON_VALUES)
def test_whatever_json_can_say_is_encoded_strictly(value: object) -> None:
    strict(dumps(value))


def test_what_has_no_form_in_json_is_named() -> None:
    with pytest.raises(TypeError, match="Path, which has no form in JSON"):
        dumps({"a": Path()})


def request(body: bytes = b"", method: str = "POST", path: str = "/", limit: int = 1000, **environ: str) -> Request:
    length = {"CONTENT_LENGTH": str(len(body))}
    base = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO(body)}
    return Request({**base, **length, **environ}, limit)


@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_a_body_is_an_object_or_refused(body: bytes) -> None:
    read = answer_or_refusal(request(body, limit=10**9).json_object)
    assert isinstance(read, dict) or (read.status == 400 and read.message)


@pytest.mark.parametrize(
    ("length", "status"), [("11", 413), ("10", 200), ("-1", 400), ("x", 400), ("", 200), ("9" * 5000, 413)]
)
def test_the_length_is_looked_at_before_the_body(length: str, status: int) -> None:
    asked = request(b"0123456789", limit=10, CONTENT_LENGTH=length)
    if status == 200:
        asked.body()
        return
    with pytest.raises(RefusedError) as caught:
        asked.body()
    assert caught.value.status == status


def test_metrics_have_cumulative_buckets_and_escaped_labels() -> None:
    metrics = Metrics('a"b\\c\nd', "")
    for seconds in (0.0005, 0.003, 0.003, 100.0):
        metrics.observe("/r", 200, seconds)
    metrics.observe("/r", 400, 0.1)
    text = metrics.render(ready=False, running=1, waiting=2)
    assert r'modelyard_serving_model_info{model="a\"b\\c\nd",version=""} 1' in text
    name = "modelyard_serving_request_duration_seconds"
    for bound, count in (("0.001", 1), ("0.005", 3), ("0.1", 4), ("10.0", 4), ("+Inf", 5)):
        assert f'{name}_bucket{{route="/r",le="{bound}"}} {count}\n' in text
    assert f'{name}_count{{route="/r"}} 5\n' in text
    assert f'{name}_sum{{route="/r"}} 100.106500\n' in text
    assert 'modelyard_serving_requests_total{route="/r",status="400"} 1\n' in text
    assert "modelyard_serving_predictions_waiting 2\n" in text
    sample = re.compile(r'[a-z_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)+\})? [0-9.]+')
    assert all(sample.fullmatch(line) for line in text.splitlines() if not line.startswith("#"))


def test_beyond_those_that_wait_everybody_is_sent_away() -> None:
    gate = Gate(WAITING)
    gates = [gate for _ in range(WAITING)]
    for entered in gates:
        entered.__enter__()
    assert (gate.running, gate.waiting) == (WAITING, 0)
    gate._inside += WAITING  # as if so many threads waited
    with pytest.raises(RefusedError) as caught, gate:
        pass
    assert caught.value.status == 503
    assert caught.value.headers == (("Retry-After", "1"),)


def test_settings_come_from_arguments_and_environment() -> None:
    environ = {
        "N": "nonce",
        "MODELYARD_REPLICA_TOKEN": "token",
        "MODELYARD_SERVING_THREADS": "2",
        "MODELYARD_MAX_BODY_BYTES": "9",
    }
    config = read_config(["--model", "m", "--port", "8001", "--instance-nonce-env", "N"], environ)
    assert config == Config(Path("m"), port=8001, nonce="nonce", token="token", threads=2, max_body_bytes=9)
    assert not {"N", "MODELYARD_REPLICA_TOKEN"} & set(environ)


@pytest.mark.parametrize(
    ("arguments", "environ", "text"),
    [
        ([], {}, "--model"),
        (["--model", "m", "--port", "65536"], {}, "65536 is not a port"),
        (["--model", "m", "--port", "x"], {}, "--port"),
        (["--model", "m"], {"MODELYARD_SERVING_THREADS": "0"}, "MODELYARD_SERVING_THREADS must be"),
        (["--model", "m"], {"MODELYARD_MAX_BODY_BYTES": "1e6"}, "not '1e6'"),
    ],
)
def test_wrong_settings_end_the_process(
    arguments: list[str], environ: dict[str, str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        read_config(arguments, environ)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err


def test_one_folder_is_one_replica(tmp_path: Path) -> None:
    (tmp_path / "failure.json").write_text("{}")
    folder = ReplicaFolder(tmp_path)
    assert folder.write_state(nonce="n", host="::1", port=80) == "http://[::1]:80"
    with pytest.raises(ReplicaTakenError, match=f"held by pid {os.getpid()};"):
        ReplicaFolder(tmp_path)
    state = json.loads((tmp_path / "replica.json").read_text(encoding="utf-8"))
    assert state == {
        "pid": os.getpid(),
        "start_time": start_time(),
        "nonce": "n",
        "host": "::1",
        "port": 80,
        "address": "http://[::1]:80",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["replica.json", "replica.lock"]


class Failing:
    def invocations(self, request: Request) -> Response:
        raise ZeroDivisionError("inner detail")

    def infer(self, request: Request) -> Response:
        raise RefusedError(500, "the model raised") from ZeroDivisionError("inner detail")

    def metadata(self) -> Response:
        return Response(200, b"{}")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/invocations", {"error_code": "INTERNAL_ERROR", "message": "the model server failed; its log says why"}),
        ("/v2/models/m/infer", {"error": "the model raised"}),
    ],
)
def test_a_failure_inside_is_logged_and_not_told(
    path: str, expected: dict[str, str], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    application = Application(Config(Path("m"), model_name="m"))
    application.predictor = Failing()
    seen: list[str] = []
    body = b"".join(application(request(path=path).environ, lambda status, headers: seen.append(status)))
    assert (seen, json.loads(body)) == (["500 Internal Server Error"], expected)
    assert "inner detail" in caplog.text
    assert json.loads(capsys.readouterr().out)["status"] == 500


def test_a_path_that_is_no_text_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    application = Application(Config(Path("m")))
    seen: list[str] = []
    application(request(path="/\xff\xfe").environ, lambda status, headers: seen.append(status))
    assert seen == ["404 Not Found"]
    assert json.loads(capsys.readouterr().out)["path"] == "/\ufffd\ufffd"
