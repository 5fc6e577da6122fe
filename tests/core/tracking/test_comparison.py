"""Runs side by side: each value where it belongs, differences found, and the best marked."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies

from modelyard.core.tracking.comparison import Comparison, compare
from modelyard.core.tracking.entities import (
    Dataset,
    DatasetInput,
    MetricSummary,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    Tag,
)


def run(
    run_id: str,
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    datasets: Any = (),
    **more: Any,
) -> Run:
    info = {"run_name": run_id, "experiment_id": "0", "user_id": "ada", "status": "FINISHED", "artifact_uri": ""}
    return Run(
        RunInfo(run_id=run_id, **{**info, "lifecycle_stage": "active", **more}),
        RunData([], [Param(*pair) for pair in (params or {}).items()], [Tag(*pair) for pair in (tags or {}).items()]),
        RunInputs([DatasetInput(Dataset(*names, "", ""), tags) for names, tags in datasets], []),
        RunOutputs([]),
    )


def summary(last: Any, least: Any = None, greatest: Any = None, key: str = "m") -> MetricSummary:
    return MetricSummary(key, last, 1, 1, least, None, greatest, None, 1)


def rows(part: list[Any]) -> dict[str, tuple[bool, list[Any]]]:
    return {row.key: (row.differs, row.values) for row in part}


def test_values_stand_in_the_order_of_the_runs_and_what_differs_comes_first() -> None:
    made = compare(
        [run("a", {"z": "1", "b": "2"}, {"t": "x"}), run("b", {"z": "3", "b": "2", "only": ""}, {"t": "x"})], {}
    )
    assert made.run_ids == ["a", "b"]
    assert [row.key for row in made.params] == ["only", "z", "b"]
    assert rows(made.params) == {"only": (True, [None, ""]), "z": (True, ["1", "3"]), "b": (False, ["2", "2"])}
    assert rows(made.tags) == {"t": (False, ["x", "x"])}
    assert rows(made.attributes)["run_name"] == (True, ["a", "b"])
    assert rows(made.attributes)["status"] == (False, ["FINISHED", "FINISHED"])


def test_one_run_differs_from_nothing() -> None:
    made = compare([run("a", {"p": "1"})], {"a": [summary(1.0)]}, {"m": "max"})
    assert rows(made.params) == {"p": (False, ["1"])}
    assert made.metrics[0].best == {"last": ["a"], "max": []}


def test_the_best_is_marked_by_direction() -> None:
    runs = [run(name) for name in "abcd"]
    summaries = {
        "a": [summary(0.5, 0.1, 0.9)],
        "b": [summary(0.7, 0.2, 0.8)],
        "c": [summary("NaN", None, None)],
        "d": [summary(0.7, 0.1, "Infinity"), summary(1.0, key="n")],
    }

    def best(**directions: str) -> dict[str, dict[str, list[str]]]:
        return {row.key: row.best for row in compare(runs, summaries, directions).metrics}

    assert best(m="max") == {"m": {"last": ["b", "d"], "max": ["d"]}, "n": {}}
    assert best(m="min", n="max") == {"m": {"last": ["a"], "min": ["a", "d"]}, "n": {"last": ["d"], "max": []}}
    assert best(absent="max") == {"m": {}, "n": {}}
    made = compare(runs, summaries)
    assert [row.values[3] is not None for row in made.metrics] == [True, True]
    assert made.metrics[1].values[:3] == [None, None, None]


def test_datasets_are_told_apart_by_digest_and_use() -> None:
    train, test = [Tag("mlflow.data.context", "train")], [Tag("mlflow.data.context", "test")]
    made = compare(
        [
            run("a", datasets=[(("d", "1"), train), (("e", "1"), train)]),
            run("b", datasets=[(("d", "1"), test), (("d", "1"), train), (("e", "1"), train)]),
        ],
        {},
    )
    assert [(row.name, row.digest, row.differs, row.values) for row in made.datasets] == [
        ("d", "1", True, [["train"], ["test", "train"]]),
        ("e", "1", False, [["train"], ["train"]]),
    ]


PARAMS = strategies.dictionaries(strategies.sampled_from("abc"), strategies.sampled_from("12"))


@given(params=strategies.lists(PARAMS, min_size=1, max_size=5))
def test_nothing_is_lost_and_nothing_made_up(params: list[dict[str, str]]) -> None:
    made: Comparison = compare([run(str(index), given) for index, given in enumerate(params)], {})
    back: list[dict[str, str]] = [{} for _ in params]
    for row in made.params:
        assert row.differs == (len(set(row.values)) > 1)
        for index, value in enumerate(row.values):
            if value is not None:
                back[index][row.key] = value
    assert back == params
    assert [row.differs for row in made.params] == sorted((row.differs for row in made.params), reverse=True)
