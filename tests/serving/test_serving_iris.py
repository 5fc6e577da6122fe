"""A real process on a real scikit-learn model: its answers are those of the model's own predict."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Server, serving

VERSION = "/v2/models/iris/versions/3"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("replica")
    arguments = ("--model-name", "iris", "--model-version", "3")
    settings = {"MODELYARD_NONCE": "a-nonce", "MODELYARD_MAX_BODY_BYTES": "100000"}
    with serving(models / "iris", directory, *arguments, **settings) as server:
        server.wait_until_ready()
        yield server


def records(flowers: dict[str, Any]) -> list[dict[str, float]]:
    return [dict(zip(flowers["columns"], row, strict=True)) for row in flowers["data"]]


def columns(flowers: dict[str, Any]) -> dict[str, list[float]]:
    return dict(zip(flowers["columns"], map(list, zip(*flowers["data"], strict=True)), strict=True))


BODIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "split": lambda flowers: {"dataframe_split": {"columns": flowers["columns"], "data": flowers["data"]}},
    "records": lambda flowers: {"dataframe_records": records(flowers)},
    "instances": lambda flowers: {"instances": records(flowers)},
    "inputs": lambda flowers: {"inputs": columns(flowers)},
    "params": lambda flowers: {"dataframe_records": records(flowers), "params": {}},
}


@pytest.mark.parametrize("form", BODIES)
def test_invocations_answer_what_the_model_predicts(server: Server, flowers: dict[str, Any], form: str) -> None:
    answer = server.call("/invocations", BODIES[form](flowers))
    assert (answer.status, answer.json()) == (200, {"predictions": flowers["predictions"]})


def test_csv_answers_what_the_model_predicts(server: Server, flowers: dict[str, Any]) -> None:
    lines = [",".join(flowers["columns"]), *(",".join(map(str, row)) for row in flowers["data"])]
    answer = server.call("/invocations", "\n".join(lines).encode(), headers={"Content-Type": "text/csv; charset=utf-8"})
    assert answer.json() == {"predictions": flowers["predictions"]}


def tensor(name: str, data: list[Any], *more: int) -> dict[str, Any]:
    return {"name": name, "shape": [len(data), *more], "datatype": "FP64", "data": data}


@pytest.mark.parametrize("path", ["/v2/models/iris/infer", f"{VERSION}/infer"])
@pytest.mark.parametrize("form", ["columns", "columns of one", "one tensor", "one flat tensor"])
def test_infer_answers_what_the_model_predicts(server: Server, flowers: dict[str, Any], path: str, form: str) -> None:
    size, flat = len(flowers["data"]), [value for row in flowers["data"] for value in row]
    inputs = {
        "columns": [tensor(name, values) for name, values in columns(flowers).items()],
        "columns of one": [tensor(name, [[v] for v in values], 1) for name, values in columns(flowers).items()],
        "one tensor": [tensor("input", flowers["data"], 4)],
        "one flat tensor": [{**tensor("input", flat), "shape": [size, 4]}],
    }[form]
    answer = server.call(path, {"id": "7", "inputs": inputs, "outputs": [{"name": "predictions"}]})
    output = {"name": "predictions", "shape": [size], "datatype": "INT64", "data": flowers["predictions"]}
    assert answer.json() == {"model_name": "iris", "model_version": "3", "id": "7", "outputs": [output]}


def test_the_process_says_who_it_is(server: Server) -> None:
    pid, state = server.process.pid, server.state
    assert server.call("/health/live").json() == {"nonce": "a-nonce", "pid": pid}
    assert state["address"] == f"http://127.0.0.1:{state['port']}"
    assert (state["pid"], state["nonce"], state["host"]) == (pid, "a-nonce", "127.0.0.1")
    ticks = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    assert state["start_time"] == int(ticks)
    assert "a-nonce" not in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


def test_the_other_pages(server: Server, flowers: dict[str, Any]) -> None:
    for path in ("/ping", "/health"):
        assert (server.call(path).status, server.call(path).body) == (200, b"\n")
    assert server.call("/version").body.count(b".") == 2
    assert server.call("/v2").json()["name"] == "modelyard-serving"
    assert server.call("/v2/health/live").json() == {"live": True}
    assert server.call("/v2/health/ready").json() == {"ready": True}
    for path in ("/v2/models/iris/ready", f"{VERSION}/ready"):
        assert server.call(path).json() == {"name": "iris", "ready": True}
    inputs = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in flowers["columns"]]
    outputs = [{"name": "predictions", "datatype": "INT64", "shape": [-1]}]
    head = {"name": "iris", "versions": ["3"], "platform": "mlflow"}
    for path in ("/v2/models/iris", VERSION):
        assert server.call(path).json() == {**head, "inputs": inputs, "outputs": outputs}
    answer = server.call("/health/ready", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


REFUSALS = [
    ("GET", "/invocations", {}, None, 405, "POST"),
    ("DELETE", "/v2/models/iris", {}, None, 405, "GET"),
    ("GET", "/nothing", {}, None, 404, "nothing at /nothing"),
    ("GET", "/v2/models/other", {}, None, 404, "no model 'other'"),
    ("GET", "/v2/models/iris/versions/4", {}, None, 404, "no version '4'"),
    ("POST", "/invocations", {"Content-Type": "text/html"}, b"x", 415, "text/html"),
    ("POST", "/invocations", {"Content-Type": "text/csv; charset=latin-1"}, b"x", 415, "utf-8"),
    ("POST", "/invocations", JSON, b"{", 400, "not valid JSON"),
    ("POST", "/invocations", JSON, b"[" * 99999, 400, "nested too deeply"),
    ("POST", "/invocations", JSON, b"[1]", 400, "must be a JSON object"),
    ("POST", "/invocations", JSON, b'{"data": []}', 400, "exactly one of"),
    ("POST", "/invocations", JSON, b'{"inputs": [], "instances": []}', 400, "exactly one of"),
    ("POST", "/invocations", JSON, b'{"inputs": [], "params": 3}', 400, "'params' must be an object"),
    ("POST", "/invocations", JSON, b'{"dataframe_records": [{"a": 1}]}', 400, "missing inputs"),
    ("POST", "/invocations", JSON, b'{"dataframe_split": {"data": [["a", 1, 1, 1]]}}', 400, "missing inputs"),
    ("POST", "/invocations", JSON, b'{"dataframe_split": 3}', 400, "must be a dictionary"),
    ("POST", "/invocations", {"Content-Type": "text/csv"}, b"", 400, "empty"),
    ("POST", "/invocations", {"Content-Type": "text/csv"}, b"a\n\xff", 400, "cannot be read"),
    ("POST", "/invocations", JSON, b" " * 100001, 413, "100000 bytes"),
    ("POST", "/v2/models/iris/infer", JSON, b"{}", 400, "'inputs' must be an array"),
    ("POST", "/v2/models/iris/infer", {"Content-Type": "application/octet-stream"}, b"x", 415, "application/json"),
    ("POST", "/v2/models/iris/infer", {**JSON, "Inference-Header-Content-Length": "2"}, b"{}x", 415, "binary"),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "status", "text"), REFUSALS)
def test_what_is_wrong_is_said_in_the_protocols_form(
    server: Server, method: str, path: str, headers: dict[str, str], body: bytes | None, status: int, text: str
) -> None:
    answer = server.call(path, body, method=method, headers=headers)
    content = answer.json()
    assert answer.status == status
    assert set(content) == ({"error"} if path.startswith("/v2") else {"error_code", "message"})
    message = content.get("error", content.get("message"))
    assert text in message
    assert "Traceback" not in message


def test_a_body_of_the_limit_is_read(server: Server) -> None:
    answer = server.call("/invocations", b" " * 100000, headers=JSON)
    assert "not valid JSON" in answer.json()["message"]


@pytest.mark.parametrize(
    ("head", "status", "field"),
    [
        (b"GARBAGE\r\n\r\n", 400, "message"),
        (b"POST /v2/x HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400, "error"),
        (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", 413, "message"),
        (b"GET /x HTTP/1.1\r\nX: " + b"x" * 300_000, 431, "message"),
    ],
)
def test_what_is_no_request_is_answered_in_json(server: Server, head: bytes, status: int, field: str) -> None:
    with socket.create_connection(("127.0.0.1", server.state["port"]), timeout=60) as connection:
        connection.sendall(head)
        answer = http.client.HTTPResponse(connection)
        with answer:
            answer.begin()
            assert answer.status == status
            assert field in json.load(answer)


def test_metrics_count_by_route_and_status(server: Server) -> None:
    for _ in range(3):
        server.call("/version")
    answer = server.call("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if not line.startswith("#"))
    count = lines['modelyard_serving_requests_total{route="/version",status="200"}']
    assert int(count) >= 3
    assert lines['modelyard_serving_request_duration_seconds_bucket{route="/version",le="+Inf"}'] == count
    assert lines['modelyard_serving_model_info{model="iris",version="3"}'] == "1"
    assert lines["modelyard_serving_ready"] == "1"


def test_probes_that_went_well_leave_no_line(server: Server) -> None:
    assert server.call("/health/ready").status == 200
    server.call("/after-the-probe")
    assert "after-the-probe" in server.stdout
    assert not [line for line in server.stdout.splitlines() if '"/health/ready", "status": 200' in line]


def test_every_request_is_one_line_of_json_without_its_query(server: Server) -> None:
    server.call("/seen-once?secret=1")
    line = next(line for line in server.stdout.splitlines() if "seen-once" in line)
    content = json.loads(line)
    assert (content["method"], content["path"], content["status"]) == ("GET", "/seen-once", 404)
    assert content["duration_ms"] >= 0
    assert set(content) == {"method", "path", "status", "duration_ms"}


def test_a_second_start_of_the_same_replica_gives_way(server: Server, models: Path, tmp_path: Path) -> None:
    before = server.state
    with serving(models / "iris", tmp_path, "--directory", str(server.directory)) as second:
        assert second.exit_code() == 75
        assert f"held by pid {server.process.pid}" in second.stderr
    assert server.state == before
    assert server.call("/health/ready").status == 200


def test_the_folder_is_the_only_thing_written(server: Server) -> None:
    written = {path.name for path in server.directory.iterdir()}
    assert written == {"replica.json", "replica.lock", "stdout", "stderr"}
