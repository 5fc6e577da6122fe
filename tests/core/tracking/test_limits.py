"""What may be logged, at the very limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking import limits
from modelyard.core.tracking.entities import Dataset, DatasetInput, Metric, Param, Tag
from modelyard.core.tracking.names import random_name


def dataset(**changed: Any) -> DatasetInput:
    values = {"name": "n", "digest": "d", "source_type": "s", "source": "s", "schema": None, "profile": None, **changed}
    return DatasetInput(Dataset(**values), [])


@pytest.mark.parametrize(
    "taken",
    [
        lambda: limits.check_key("k", "a" * 250),
        lambda: limits.check_key("k", "a/b.c-d e:f_ünï漢"),
        lambda: limits.check_experiment_name("x" * 500),
        lambda: limits.check_batch([None] * 800, [None] * 100, [None] * 100),  # type: ignore[list-item]
        lambda: limits.check_metrics([Metric("m", 1.0, 2**63 - 1, -(2**63))]),
        lambda: limits.check_params([Param("a", "1"), Param("a", "1")]),
        lambda: limits.check_experiment_tags([Tag("a", "x" * 20_000)]),
        lambda: limits.check_dataset_inputs([dataset(digest="d" * 36, name="n" * 500)]),
        lambda: limits.check_artifact_location("s3://bucket/a b/"),
        lambda: limits.check_max_results(50_000),
        lambda: limits.parse_experiment_id("0"),
        lambda: limits.check_model_name("a b-c_d"),
    ],
)
def test_what_is_taken(taken: Callable[[], object]) -> None:
    taken()


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        (lambda: limits.check_key("k", "a" * 251), "250"),
        (lambda: limits.check_key("k", ""), "'k'"),
        (lambda: limits.check_key("k", "a,b"), "'a,b'"),
        (lambda: limits.check_key("k", "../a"), "'../a'"),
        (lambda: limits.check_key("k", "/a"), "'/a'"),
        (lambda: limits.check_key("k", "a//b"), "'a//b'"),
        (lambda: limits.check_key("k", "."), "'.'"),
        (lambda: limits.check_experiment_name("x" * 501), "500"),
        (lambda: limits.check_experiment_name("  "), "empty"),
        (lambda: limits.check_batch([None] * 1001, [], []), "at most 1000 metrics"),  # type: ignore[list-item]
        (lambda: limits.check_batch([], [None] * 101, []), "at most 100 params"),  # type: ignore[list-item]
        (lambda: limits.check_batch([], [], [None] * 101), "at most 100 tags"),  # type: ignore[list-item]
        (lambda: limits.check_batch([None] * 1000, [None], []), "1000 metrics, params, and tags"),  # type: ignore[list-item]
        (lambda: limits.check_metrics([Metric("m", 1.0, -1, 0)]), "timestamp"),
        (lambda: limits.check_metrics([Metric("m", 1.0, 2**63, 0)]), "timestamp"),
        (lambda: limits.check_metrics([Metric("m", 1.0, 0, 2**63)]), "step"),
        (lambda: limits.check_params([Param("a", "1"), Param("a", "2")]), "'a'"),
        (lambda: limits.check_experiment_tags([Tag("a", "x" * 20_001)]), "20000"),
        (lambda: limits.check_dataset_inputs([dataset(digest="d" * 37)]), "36"),
        (lambda: limits.check_dataset_inputs([dataset(name="n" * 501)]), "500"),
        (lambda: limits.check_dataset_inputs([dataset()] * 1001), "1000"),
        (lambda: limits.check_artifact_location("mlflow-artifacts:/"), "location"),
        (lambda: limits.check_artifact_location("s3://b/../c"), "location"),
        (lambda: limits.check_artifact_location("s3://b?x=1"), "location"),
        (lambda: limits.check_artifact_location("s3://" + "b" * 2048), "2048"),
        (lambda: limits.check_max_results(0), "max_results"),
        (lambda: limits.check_max_results(50_001), "50000"),
        (lambda: limits.parse_experiment_id("-1"), "'-1'"),
        (lambda: limits.parse_experiment_id("²"), "'²'"),
        (lambda: limits.parse_experiment_id("9" * 19), "number"),
        (lambda: limits.check_model_name("a/b"), "'a/b'"),
    ],
)
def test_what_is_refused_names_the_limit(refused: Callable[[], object], named: str) -> None:
    with pytest.raises(InvalidInput) as error:
        refused()
    assert named in str(error.value)


def test_long_values_of_params_and_tags_are_cut() -> None:
    assert limits.check_params([Param("p", "x" * 6001)]) == {"p": "x" * 6000}
    assert limits.check_tags([Tag("t", "x" * 8001)]) == {"t": "x" * 8000}


def test_names_made_up_can_be_said() -> None:
    adjective, noun, number = random_name().split("-")
    assert adjective.isalpha()
    assert noun.isalpha()
    assert number.isdigit()
