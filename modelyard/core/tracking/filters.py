"""MLflow's filter language: ``metrics.loss < 0.2 AND params.`batch size` = '32' AND tags.owner IS NOT NULL``.

A filter is comparisons joined by AND. A name is ``entity.key`` or an attribute alone; keys with other characters stand
in backticks or double quotes. Text stands in quotes (a doubled quote is one quote), numbers are bare, a list is
``('a', 'b')``. `Vocabulary` says which names and comparisons one kind of search has; there is one for each. A refusal
says at which character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from modelyard.core.errors import InvalidInput

NUMERIC = frozenset({"=", "!=", ">", ">=", "<", "<="})
TEXT = frozenset({"=", "!=", "LIKE", "ILIKE"})
LISTED = TEXT | {"IN", "NOT IN"}
NULLABLE = TEXT | {"IS NULL", "IS NOT NULL"}
ORDERED = frozenset({">", ">=", "<", "<="})
MAX_FILTER_LENGTH = 200_000
MAX_COMPARISONS = 100
MAX_ORDER_KEYS = 20
MAX_PATTERN_LENGTH = 5_000

Value = str | int | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition.

    `entity` is one of the vocabulary's; `value` is None for IS NULL and its opposite.
    """

    entity: str
    key: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key to sort by."""

    entity: str
    key: str
    ascending: bool = True


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The names of one kind of search.

    `entities` gives each prefix its entity, `operators` each entity its comparisons; attributes that are numbers or
    texts are listed apart, and `aliases` gives other names for them. What is of a `mixed` entity is a number where it
    is compared by order, else a text. `order_by` are the attributes to sort by, and `order_entities` other entities.
    """

    entities: Mapping[str, str]
    operators: Mapping[str, frozenset[str]]
    numbers: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    mixed: frozenset[str] = frozenset()
    dataset_keys: frozenset[str] = frozenset({"name", "digest", "context"})
    aliases: Mapping[str, str] = field(default_factory=dict)
    order_by: frozenset[str] = frozenset()
    order_entities: frozenset[str] = frozenset()

    def name(self, prefix: str | None, key: str, where: str, *, attributes: frozenset[str]) -> tuple[str, str]:
        """Return (entity, key) for a name as written, or refuse it."""
        entity = "attribute" if prefix is None else self.entities.get(prefix)
        if entity is None:
            raise InvalidInput(f"Invalid entity type {prefix!r} {where}. Valid ones are {_listed(self.entities)}.")
        if entity == "attribute":
            key = self.aliases.get(key, key)
            if key not in attributes:
                raise InvalidInput(f"Invalid attribute key {key!r} {where}. Valid keys are {_listed(attributes)}.")
        if entity == "dataset" and key not in self.dataset_keys:
            raise InvalidInput(f"Invalid dataset key {key!r} {where}. Valid keys are {_listed(self.dataset_keys)}.")
        return entity, key

    def is_number(self, entity: str, key: str) -> bool:
        """Say whether what the name stands for is compared as a number."""
        return entity == "metric" or (entity == "attribute" and key in self.numbers)

    def allowed(self, entity: str, key: str) -> frozenset[str]:
        """Return the comparisons that the name has."""
        return NUMERIC if self.is_number(entity, key) else self.operators[entity]


_ATTRIBUTE = dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute")
_TAG = dict.fromkeys(("tag", "tags"), "tag")
_PARAM = dict.fromkeys(("param", "params", "parameter", "parameters"), "param")
_METRIC = dict.fromkeys(("metric", "metrics"), "metric")

RUNS = Vocabulary(
    entities={**_ATTRIBUTE, **_TAG, **_PARAM, **_METRIC, **dict.fromkeys(("dataset", "datasets"), "dataset")},
    operators={"attribute": LISTED, "tag": NULLABLE, "param": NULLABLE, "metric": NUMERIC, "dataset": LISTED},
    numbers=frozenset({"start_time", "end_time"}),
    texts=frozenset({"run_id", "run_name", "user_id", "status", "artifact_uri"}),
    aliases={"created": "start_time", "Created": "start_time"}
    | dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
    order_by=frozenset({"start_time", "end_time", "run_id", "run_name", "user_id", "status", "artifact_uri"}),
    order_entities=frozenset({"metric", "param", "tag"}),
)
EXPERIMENTS = Vocabulary(
    entities={"attribute": "attribute", **_TAG},
    operators={"attribute": LISTED, "tag": NULLABLE},
    numbers=frozenset({"creation_time", "last_update_time"}),
    texts=frozenset({"name", "experiment_id"}),
    order_by=frozenset({"name", "experiment_id", "creation_time", "last_update_time"}),
)
LOGGED_MODELS = Vocabulary(
    entities={"attributes": "attribute", **_TAG, **_PARAM, **_METRIC},
    operators={"attribute": LISTED, "tag": LISTED, "param": LISTED, "metric": NUMERIC},
    numbers=frozenset({"creation_timestamp", "last_updated_timestamp"}),
    texts=frozenset({"name", "model_id", "model_type", "status", "source_run_id"}),
    aliases={
        "creation_time": "creation_timestamp",
        "creation_timestamp_ms": "creation_timestamp",
        "last_updated_time": "last_updated_timestamp",
        "last_updated_timestamp_ms": "last_updated_timestamp",
    },
    order_by=frozenset(
        {"name", "model_id", "model_type", "status", "source_run_id", "creation_timestamp", "last_updated_timestamp"}
    ),
    order_entities=frozenset({"metric"}),
)
REGISTERED_MODELS = Vocabulary(
    entities={"attribute": "attribute", **_TAG},
    operators={"attribute": LISTED, "tag": TEXT},
    texts=frozenset({"name"}),
    aliases={"timestamp": "last_updated_timestamp"},
    order_by=frozenset({"name", "creation_timestamp", "last_updated_timestamp"}),
)
MODEL_VERSIONS = Vocabulary(
    entities={"attribute": "attribute", **_TAG},
    operators={"attribute": LISTED, "tag": TEXT},
    numbers=frozenset({"version_number"}),
    texts=frozenset({"name", "run_id", "source_path"}),
    order_by=frozenset({"name", "version_number", "creation_timestamp", "last_updated_timestamp"}),
)
TRACES = Vocabulary(
    entities={
        **dict.fromkeys(("attribute", "attributes", "trace"), "attribute"),
        **_TAG,
        **dict.fromkeys(("metadata", "request_metadata"), "metadata"),
        **{name: name for name in ("span", "feedback", "expectation", "issue")},
    },
    operators={
        "attribute": LISTED | NULLABLE,
        "tag": NULLABLE,
        "metadata": NULLABLE,
        "span": LISTED,
        "feedback": NULLABLE | ORDERED,
        "expectation": NULLABLE | ORDERED,
        "issue": frozenset({"="}),
    },
    numbers=frozenset({"timestamp_ms", "execution_time_ms", "end_time_ms"}),
    texts=frozenset({"request_id", "status", "client_request_id", "name", "run_id", "prompt", "text"}),
    mixed=frozenset({"feedback", "expectation"}),
    aliases={
        "timestamp": "timestamp_ms",
        "execution_time": "execution_time_ms",
        "end_time": "end_time_ms",
        "trace_id": "request_id",
    },
    order_by=frozenset(
        {"experiment_id", "timestamp_ms", "execution_time_ms", "end_time_ms", "status", "request_id", "name", "run_id"}
    ),
    order_entities=frozenset({"tag", "metadata"}),
)
TRACE_METRICS = Vocabulary(
    entities={name: name for name in ("trace", "span", "assessment")},
    operators=dict.fromkeys(("trace", "span", "assessment"), frozenset({"="})),
)


def parse_filter(text: str, vocabulary: Vocabulary) -> list[Comparison]:
    """Return the comparisons that all must hold; an empty filter has none."""
    if len(text) > MAX_FILTER_LENGTH:
        raise InvalidInput(f"The filter has {len(text)} characters; at most {MAX_FILTER_LENGTH} are read.")
    found = list(_Parser(text, vocabulary).comparisons())
    if len(found) > MAX_COMPARISONS:
        raise InvalidInput(f"The filter has {len(found)} comparisons; at most {MAX_COMPARISONS} are taken.")
    return found


def parse_order_by(clauses: Sequence[str], vocabulary: Vocabulary) -> list[OrderKey]:
    """Return the keys to sort by, first one first; refuses one that comes twice."""
    if len(clauses) > MAX_ORDER_KEYS:
        raise InvalidInput(f"`order_by` has {len(clauses)} keys; at most {MAX_ORDER_KEYS} are taken.")
    keys: list[OrderKey] = []
    for clause in clauses:
        key = _Parser(clause, vocabulary, what="order_by").order_key()
        if any((key.entity, key.key) == (other.entity, other.key) for other in keys):
            raise InvalidInput(f"`order_by` contains duplicate fields: {list(clauses)}.")
        keys.append(key)
    return keys


_NAME_KINDS = ("word", "quoted", "text")


class _Token(NamedTuple):
    kind: str
    text: str
    position: int
    end: int


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:''|[^'])*'|"(?:""|[^"])*")
    | (?P<quoted>`(?:``|[^`])+`)
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<operator><=|>=|!=|<>|==|=|<|>)
    | (?P<mark>[(),])
    | (?P<word>[^\s=!<>'"`(),]+)
    )""",
    re.VERBOSE,
)


def _tokens(text: str, what: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise InvalidInput(
                f"Invalid {what} {text!r}: cannot read {text[start : start + 20]!r} at character {start}."
            )
        kind = match.lastgroup
        tokens.append(_Token(kind, match.group(kind), match.start(kind), match.end()))
        position = match.end()
    return tokens


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str, vocabulary: Vocabulary, *, what: str = "filter") -> None:
        self._text = text
        self._what = what
        self._vocabulary = vocabulary
        self._tokens = _tokens(text, what)
        self._next = 0

    def comparisons(self) -> Iterable[Comparison]:
        if not self._tokens:
            return
        yield self._comparison()
        while self._peek() is not None:
            self._keyword("AND")
            yield self._comparison()

    def order_key(self) -> OrderKey:
        vocabulary = self._vocabulary
        prefix, key, position = self._name()
        entity, key = vocabulary.name(prefix, key, f"at character {position}", attributes=vocabulary.order_by)
        if entity not in vocabulary.order_entities | {"attribute"}:
            raise self._refusal(f"{entity}s cannot be ordered by", position)
        direction = "ASC" if self._peek() is None else self._keyword("ASC", "DESC")
        if (left := self._peek()) is not None:
            raise self._refusal(f"{left.text!r} is left over", left.position)
        return OrderKey(entity, key, direction == "ASC")

    def _comparison(self) -> Comparison:
        prefix, key, position = self._name()
        vocabulary = self._vocabulary
        attributes = vocabulary.numbers | vocabulary.texts
        entity, key = vocabulary.name(prefix, key, f"at character {position}", attributes=attributes)
        operator, where = self._operator()
        if operator not in vocabulary.allowed(entity, key):
            allowed = _listed(vocabulary.allowed(entity, key))
            raise self._refusal(f"Invalid comparator {operator!r} for {entity} {key!r}, not one of {allowed},", where)
        return Comparison(entity, key, operator, self._value(entity, key, operator))

    def _name(self) -> tuple[str | None, str, int]:
        """Read a name, which may be quoted in parts: what stands before its first bare dot is the prefix."""
        first = token = self._take("a name", *_NAME_KINDS)
        prefix, key = _split(token, None, "")
        while (token_after := self._peek()) is not None and token_after.position == token.end:
            if token_after.kind not in _NAME_KINDS:
                break
            token = self._take("a name", *_NAME_KINDS)
            prefix, key = _split(token, prefix, key)
        if not key:
            raise self._refusal("expected a key", token.end)
        return prefix, key, first.position

    def _operator(self) -> tuple[str, int]:
        token = self._take("a comparison", "operator", "word")
        if token.kind == "operator":
            return {"<>": "!=", "==": "="}.get(token.text, token.text), token.position
        word = token.text.upper()
        if word == "NOT":
            self._keyword("IN")
            return "NOT IN", token.position
        if word == "IS":
            if self._keyword("NULL", "NOT") == "NULL":
                return "IS NULL", token.position
            self._keyword("NULL")
            return "IS NOT NULL", token.position
        if word not in {"LIKE", "ILIKE", "IN"}:
            raise self._refusal(f"expected a comparison, found {token.text!r}", token.position)
        return word, token.position

    def _value(self, entity: str, key: str, operator: str) -> Value:
        if operator in {"IS NULL", "IS NOT NULL"}:
            return None
        if operator in {"IN", "NOT IN"}:
            return self._list()
        in_order = operator in ORDERED and entity in self._vocabulary.mixed
        if in_order or self._vocabulary.is_number(entity, key):
            token = self._take(f"a number to compare {entity} {key!r} with", "number")
            whole = entity == "attribute" and re.fullmatch(r"[+-]?\d{1,18}", token.text)
            return int(token.text) if whole else float(token.text)
        token = self._take(f"a quoted text to compare {entity} {key!r} with", "text")
        if operator in {"LIKE", "ILIKE"} and len(token.text) > MAX_PATTERN_LENGTH:
            raise self._refusal(f"a pattern may have at most {MAX_PATTERN_LENGTH} characters", token.position)
        return _plain(token)

    def _list(self) -> tuple[str, ...]:
        self._mark("(")
        items = [_plain(self._take("a quoted text in the list", "text"))]
        while self._mark(",", ")").text == ",":
            if (token := self._peek()) is not None and token.text == ")" and token.kind == "mark":
                continue
            items.append(_plain(self._take("a quoted text in the list", "text")))
        return tuple(items)

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, expected: str, *kinds: str) -> _Token:
        token = self._peek()
        if token is None:
            raise self._refusal(f"expected {expected}", len(self._text))
        if token.kind not in kinds:
            raise self._refusal(f"expected {expected}, found {token.text!r}", token.position)
        self._next += 1
        return token

    def _mark(self, *marks: str) -> _Token:
        token = self._take(f"{' or '.join(marks)}", "mark")
        if token.text not in marks:
            raise self._refusal(f"expected {' or '.join(marks)}, found {token.text!r}", token.position)
        return token

    def _keyword(self, *words: str) -> str:
        token = self._take(" or ".join(words), "word")
        if token.text.upper() not in words:
            raise self._refusal(f"expected {' or '.join(words)}, found {token.text!r}", token.position)
        return token.text.upper()

    def _refusal(self, why: str, position: int) -> InvalidInput:
        return InvalidInput(f"Invalid {self._what} {self._text[:500]!r}: {why} at character {position}.")


def _split(token: _Token, prefix: str | None, key: str) -> tuple[str | None, str]:
    """Add a part to a name, dividing it at its first bare dot."""
    if token.kind == "word" and prefix is None and "." in token.text:
        head, _, tail = token.text.partition(".")
        return key + head, tail
    return prefix, key + _plain(token)


def _plain(token: _Token) -> str:
    """Return what a token says, without its quotes."""
    if token.kind not in {"text", "quoted"}:
        return token.text
    mark = token.text[0]
    return token.text[1:-1].replace(mark * 2, mark)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
