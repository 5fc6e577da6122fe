"""The filter language: what is read, what is refused and where, and that nothing but a refusal is ever raised."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.filters import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MAX_FILTER_LENGTH,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    Comparison,
    OrderKey,
    Vocabulary,
    parse_filter,
    parse_order_by,
)

READ: list[tuple[str, list[tuple[str, str, str, object]]]] = [
    ("", []),
    ("   \n\t", []),
    ("metrics.loss < 0.2", [("metric", "loss", "<", 0.2)]),
    ("metric.acc>=1e-3", [("metric", "acc", ">=", 0.001)]),
    ("metrics.`a b/c` != -.5", [("metric", "a b/c", "!=", -0.5)]),
    ('metrics."a.b" = +3', [("metric", "a.b", "=", 3.0)]),
    ("`metrics`.a.b.1 > 1.", [("metric", "a.b.1", ">", 1.0)]),
    ("params.lr = '0.1'", [("param", "lr", "=", "0.1")]),
    ('parameter.lr == "it\'s"', [("param", "lr", "=", "it's")]),
    ("param.x <> 'it''s'", [("param", "x", "!=", "it's")]),
    ("tags.mlflow.source.name LIKE '%.py'", [("tag", "mlflow.source.name", "LIKE", "%.py")]),
    ("tags.`a``b` ilike 'X'", [("tag", "a`b", "ILIKE", "X")]),
    ("tags.my-key is not null", [("tag", "my-key", "IS NOT NULL", None)]),
    ("params.p IS NULL", [("param", "p", "IS NULL", None)]),
    (
        "status = 'RUNNING'AND run.user_id != 'x'",
        [("attribute", "status", "=", "RUNNING"), ("attribute", "user_id", "!=", "x")],
    ),
    ("attr.run_id IN ('a', \"b\",)", [("attribute", "run_id", "IN", ("a", "b"))]),
    ("run_id not in ('a')", [("attribute", "run_id", "NOT IN", ("a",))]),
    ("attributes.`Run Name` = ' AND '", [("attribute", "run_name", "=", " AND ")]),
    ("Created > 12", [("attribute", "start_time", ">", 12)]),
    ("datasets.context = 'train'", [("dataset", "context", "=", "train")]),
    ("tags.`漢字` = 'ünï'", [("tag", "漢字", "=", "ünï")]),
]

REFUSED: list[tuple[str, str]] = [
    ("metrics.loss", "expected a comparison at character 12"),
    ("metrics.loss <", "expected a number to compare metric 'loss' with at character 14"),
    ("metrics.loss < 'a'", "found \"'a'\" at character 15"),
    ("metrics.loss < 1 OR metrics.a > 1", "expected AND, found 'OR' at character 17"),
    ("metrics.loss < 1,", "expected AND, found ',' at character 16"),
    ("metrics.loss < 1 AND", "expected a name at character 20"),
    ("metrics.loss LIKE 'x'", "Invalid comparator 'LIKE' for metric 'loss'"),
    ("metrics.loss IS NULL", "Invalid comparator 'IS NULL'"),
    ("metrics. < 1", "expected a key at character 8"),
    ("params.p = 3", "expected a quoted text"),
    ("params.p = abc", "expected a quoted text"),
    ("params.p > 'a'", "Invalid comparator '>'"),
    ("params.p IN ('a')", "Invalid comparator 'IN'"),
    ("params.p = 'a", 'cannot read "\'a" at character 11'),
    ("params.p BETWEEN 1", "expected a comparison, found 'BETWEEN'"),
    ("params.p IS 'a'", "expected NULL or NOT"),
    ("params.p NOT LIKE 'a'", "expected IN, found 'LIKE'"),
    ("status IN ()", "expected a quoted text in the list"),
    ("status IN ('a' 'b')", "expected , or )"),
    ("status IN ('a'", "expected , or ) at character 14"),
    ("nothing = 'x'", "Invalid attribute key 'nothing' at character 0"),
    ("things.a = 'x'", "Invalid entity type 'things'"),
    ("dataset.size = 'x'", "Invalid dataset key 'size'"),
    ("start_time = 'x'", "expected a number"),
    ("start_time LIKE 'x'", "Invalid comparator"),
    ("tags.`` = 'x'", "cannot read"),
    ("; DROP TABLE run", "Invalid attribute key ';'"),
    ("tags.a = 'x'; DROP TABLE run", "expected AND"),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_what_is_read(text: str, expected: list[tuple[str, str, str, object]]) -> None:
    assert parse_filter(text, RUNS) == [Comparison(*parts) for parts in expected]  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_refused_says_where(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_filter(text, RUNS)
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("vocabulary", "text", "taken"),
    [
        (EXPERIMENTS, "name ILIKE 'a' AND creation_time > 3 AND tags.a IS NULL", True),
        (EXPERIMENTS, "metrics.a > 3", False),
        (EXPERIMENTS, "run_id = 'a'", False),
        (LOGGED_MODELS, "attributes.model_type = 'a' AND metrics.a > 3 AND params.p IN ('x')", True),
        (LOGGED_MODELS, "creation_time > 3 AND source_run_id != 'x'", True),
        (LOGGED_MODELS, "tags.a IS NULL", False),
        (REGISTERED_MODELS, "name LIKE 'a%' AND tags.`mlflow.prompt.is_prompt` = 'true'", True),
        (REGISTERED_MODELS, "name IN ('a', 'b')", True),
        (REGISTERED_MODELS, "run_id = 'a'", False),
        (MODEL_VERSIONS, "name = 'a' AND version_number >= 2 AND run_id IN ('x') AND source_path LIKE '%'", True),
        (MODEL_VERSIONS, "tag.a != 'b'", True),
        (MODEL_VERSIONS, "version_number = '2'", False),
        (MODEL_VERSIONS, "stage = 'a'", False),
    ],
)
def test_each_search_has_its_own_names(vocabulary: Vocabulary, text: str, taken: bool) -> None:
    if taken:
        assert parse_filter(text, vocabulary)
    else:
        with pytest.raises(InvalidInput):
            parse_filter(text, vocabulary)


def test_a_filter_that_is_too_long_is_refused() -> None:
    for text in ("a" * (MAX_FILTER_LENGTH + 1), " AND ".join(["end_time > 1"] * 101)):
        with pytest.raises(InvalidInput, match="at most"):
            parse_filter(text, RUNS)
    with pytest.raises(InvalidInput, match="5000 characters at character 12"):
        parse_filter(f"tags.a LIKE '{'%a' * 2500}'", RUNS)
    with pytest.raises(InvalidInput, match="at most 20"):
        parse_order_by([f"metrics.m{number}" for number in range(21)], RUNS)


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ([], []),
        (["metrics.loss DESC", "start_time"], [OrderKey("metric", "loss", False), OrderKey("attribute", "start_time")]),
        (["attributes.`Run Name` asc"], [OrderKey("attribute", "run_name")]),
        (["created desc"], [OrderKey("attribute", "start_time", False)]),
        (['tags."a b" DESC'], [OrderKey("tag", "a b", False)]),
    ],
)
def test_orders(clauses: list[str], expected: list[OrderKey]) -> None:
    assert parse_order_by(clauses, RUNS) == expected


@pytest.mark.parametrize(
    "clauses", [[""], ["a"], ["metrics.a UP"], ["metrics.a DESC x"], ["start_time", "created"], ["dataset.name"]]
)
def test_orders_that_are_refused(clauses: list[str]) -> None:
    with pytest.raises(InvalidInput):
        parse_order_by(clauses, RUNS)


keys = st.text(min_size=1, max_size=30).filter(lambda key: "`" not in key)
texts = st.text(max_size=30)


@given(key=keys, value=texts, operator=st.sampled_from(["=", "!=", "LIKE", "ilike"]))
def test_any_key_and_text_can_be_written(key: str, value: str, operator: str) -> None:
    quoted = value.replace("'", "''")
    (found,) = parse_filter(f"params.`{key}` {operator} '{quoted}'", RUNS)
    assert found == Comparison("param", key, operator.upper(), value)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_number_can_be_written(value: float) -> None:
    (found,) = parse_filter(f"metrics.m >= {value!r}", RUNS)
    assert found.value == value


@given(text=st.text(alphabet=st.sampled_from("metrics.params aAND=<>!'\"`(),IN1.5LKE\n"), max_size=60))
@example(text="'" * 50)
@example(text="(" * 50)
def test_nothing_but_a_refusal_is_raised(text: str) -> None:
    for vocabulary in (RUNS, EXPERIMENTS, LOGGED_MODELS, REGISTERED_MODELS, MODEL_VERSIONS):
        for parse in (parse_filter, lambda given, names: parse_order_by([given], names)):
            with suppress(InvalidInput):
                parse(text, vocabulary)
