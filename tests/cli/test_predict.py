from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.answers import DEPLOYMENT
from tests.cli.conftest import AsJson, Ok, Run
from tests.fake_api import PROJECT, FakeApi


class TestPredict:
    PATH = "/serve/acme/churn/live/invocations"
    INFER = "/serve/acme/churn/live/v2/models/risk/infer"
    NAME = "acme/churn/live"

    @pytest.fixture(autouse=True)
    def answers(self, signed_in: FakeApi) -> None:
        signed_in.put("POST", self.PATH, {"predictions": [0, 1]})
        signed_in.put("GET", f"{PROJECT}/deployments/live", DEPLOYMENT)
        outputs = [
            {"name": "label", "shape": [2], "datatype": "INT64", "data": [0, 1]},
            {"name": "p", "shape": [2, 2], "datatype": "FP64", "data": [0.1, 0.9, 0.8, 0.2]},
        ]
        signed_in.put("POST", self.INFER, {"model_name": "risk", "outputs": outputs})

    def test_csv_is_sent_as_it_is(self, signed_in: FakeApi, ok: Ok) -> None:
        Path("rows.csv").write_text("a,b\n1,x\n")
        assert ok("predict", self.NAME, "--data", "rows.csv").splitlines() == ["PREDICTION", "0", "1"]
        assert (signed_in.last.body, signed_in.last.headers["Content-Type"]) == (b"a,b\n1,x\n", "text/csv")

    @pytest.mark.parametrize(
        ("stdin", "body"),
        [('[{"a": 1}]', {"dataframe_records": [{"a": 1}]}), (' {"inputs": [[1]]}', {"inputs": [[1]]})],
    )
    def test_json_from_stdin(self, signed_in: FakeApi, as_json: AsJson, stdin: str, body: Any) -> None:
        assert as_json("predict", self.NAME, "--data", "-", stdin=stdin) == {"predictions": [0, 1]}
        assert signed_in.last.json == body

    def test_csv_from_stdin(self, signed_in: FakeApi, ok: Ok) -> None:
        ok("predict", self.NAME, "--data", "-", stdin=b"a\n1\n")
        assert signed_in.last.body == b"a\n1\n"

    @pytest.mark.parametrize(
        ("answer", "lines"),
        [
            ({"predictions": [{"label": "a", "p": 0.5}]}, ["LABEL  P", "a      0.5"]),
            ({"predictions": [[0.1, 0.9]]}, ["PREDICTION", "0.1, 0.9"]),
            ({"predictions": {"deep": 1}}, ["{", '  "predictions": {', '    "deep": 1', "  }", "}"]),
        ],
    )
    def test_tables(self, signed_in: FakeApi, ok: Ok, answer: Any, lines: list[str]) -> None:
        signed_in.put("POST", self.PATH, answer)
        assert ok("predict", self.NAME, "--data", "-", stdin="[[1]]").splitlines() == lines

    def test_v2_makes_a_tensor_of_each_column(self, signed_in: FakeApi, ok: Ok) -> None:
        Path("rows.csv").write_text("n,x,s\n1,0.5,a\n2,,\n")
        lines = ok("predict", self.NAME, "--data", "rows.csv", "--protocol", "v2").splitlines()
        assert lines == ["LABEL  P", "0      0.1, 0.9", "1      0.8, 0.2"]
        assert signed_in.last.json["inputs"] == [
            {"name": "n", "shape": [2], "datatype": "INT64", "data": [1, 2]},
            {"name": "x", "shape": [2], "datatype": "FP64", "data": [0.5, None]},
            {"name": "s", "shape": [2], "datatype": "BYTES", "data": ["a", None]},
        ]

    @pytest.mark.parametrize(
        ("stdin", "inputs"),
        [
            ('[{"b": true}]', [{"name": "b", "shape": [1], "datatype": "BOOL", "data": [True]}]),
            ('{"inputs": []}', []),
        ],
    )
    def test_v2_of_json(self, signed_in: FakeApi, ok: Ok, stdin: str, inputs: Any) -> None:
        ok("predict", self.NAME, "--data", "-", "--protocol", "v2", stdin=stdin)
        assert signed_in.last.json["inputs"] == inputs

    def test_nonsense_ends_with_2(self, run: Run) -> None:
        assert run("predict", "live", "--data", "-").exit_code == 2
        assert run("predict", self.NAME, "--data", "-", "--format", "json", stdin="no").exit_code == 2
        assert run("predict", self.NAME, "--data", "-", "--protocol", "v2", stdin="[[1]]").exit_code == 2

    def test_a_file_that_is_not_there(self, run: Run) -> None:
        result = run("predict", self.NAME, "--data", "absent.csv")
        assert result.exit_code == 1
        assert "No such file or directory: absent.csv" in result.stderr

    def test_a_deployment_that_is_not_ready_ends_with_7(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.problem("POST", self.PATH, 503, "unavailable", "No replica is ready.")
        result = run("predict", self.NAME, "--data", "-", stdin="[[1]]")
        assert result.exit_code == 7
        assert "No replica is ready" in result.stderr
