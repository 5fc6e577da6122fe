"""What is measured: each function lets one server work for a while and returns its samples, read back and checked."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice, repeat
from typing import Any

from seeding import BATCH, NOW, Run
from servers import Server, Space
from wire import AJAX, Request, Wire, drive, get, post

PAGE = 100
SAMPLED = 320
WRITERS, READERS = 16, 2
DEEP_PAGES = 20


@dataclass
class Sample:
    """One measure of one server in one round: a rate (in `unit`), or how long answers took, or both."""

    measure: str
    unit: str
    rate: float = 0.0
    took: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def log_metric(server: Server, number: int, seconds: float) -> Iterator[Sample]:
    """One client logs one point after the other."""
    space = server.spaces[number % 2]
    wire = Wire(server)
    run_id = wire.create_run(space, start_time=NOW)
    done = drive(server, [points(space, run_id)], seconds)
    wrong = missing(wire, space, run_id, "loss", done.answered[0])
    yield Sample("log_metric, 1 client", "requests/s", done.per_second, done.took, done.errors + wrong)


def points(space: Space, run_id: str) -> Iterator[Request]:
    """Log one point after the other of a metric."""
    for step in count():
        yield post(
            space, "runs/log-metric", run_id=run_id, key="loss", value=step * 0.5, timestamp=NOW + step, step=step
        )


def log_batch(server: Server, number: int, seconds: float) -> Iterator[Sample]:
    """One client, then eight, log 1000 points in a request, of ten metrics; then one logs of a thousand metrics."""
    for clients, keys in ((1, 10), (8, 10), (1, 1000)):
        wire = Wire(server)
        spaces = [server.spaces[(number + client) % 2] for client in range(clients)]
        runs = [wire.create_run(space, start_time=NOW) for space in spaces]
        # What one client sends is encoded before the clock runs: it shares the machine with the server.
        most = int(400 * seconds / clients) + 1
        plans = [list(islice(batches(*each, keys), most)) for each in zip(spaces, runs, strict=True)]
        done = drive(server, plans, seconds)
        steps = BATCH // keys
        wrong = [
            error
            for space, run_id, answered in zip(spaces, runs, done.answered, strict=True)
            for error in missing(wire, space, run_id, "m3", answered * steps)
        ]
        what = f"log_batch of 1000 points of {keys} metrics, {clients} client{'s' * (clients > 1)}"
        yield Sample(what, "points/s", done.per_second * BATCH, done.took, done.errors + wrong)
        wire.close()


def batches(space: Space, run_id: str, keys: int) -> Iterator[Request]:
    """Log a thousand points after the other of so many metrics."""
    each = BATCH // keys
    for first in count(step=each):
        metrics: list[dict[str, Any]] = [
            {"key": f"m{key}", "value": step * 0.001 + key, "timestamp": NOW + step, "step": step}
            for step in range(first, first + each)
            for key in range(keys)
        ]
        yield post(space, "runs/log-batch", run_id=run_id, metrics=metrics)


def create_run(server: Server, number: int, seconds: float) -> Iterator[Sample]:
    """One client creates runs."""
    space = server.spaces[number % 2]
    tags = [{"key": "mlflow.user", "value": "ada"}, {"key": "mlflow.source.name", "value": "train.py"}]
    bodies = (
        post(space, "runs/create", experiment_id=space.experiment_id, start_time=1, run_name=f"r{index}", tags=tags)
        for index in count()
    )
    done = drive(server, [bodies], seconds)
    yield Sample("create_run, 1 client", "requests/s", done.per_second, done.took, done.errors)


def missing(wire: Wire, space: Space, run_id: str, key: str, answered: int) -> list[str]:
    """Say what is wrong with a history of which `answered` steps from 0 on were answered."""
    steps = wire.steps(space, run_id, key)
    if sorted(steps) == list(range(answered)):
        return []
    return [f"{wire.server.name}: {answered} points of {key} were answered, {len(steps)} are there"]


def searches(space: Space, draw: random.Random) -> dict[str, Iterator[Request]]:
    """Return endless searches by kind, each with a filter of its own."""

    def search(order: str, condition: str = "") -> Request:
        more = {"filter": condition} if condition else {}
        return post(
            space, "runs/search", experiment_ids=[space.experiment_id], max_results=PAGE, order_by=[order], **more
        )

    def few() -> str:
        return f"metrics.m{draw.randrange(5)} > {draw.uniform(0.5, 0.99):.4f}"

    newest = "attributes.start_time DESC"
    several = "metrics.m{} > {:.3f} AND metrics.m{} < {:.3f} AND params.p{} = '{}'"

    def comparisons() -> str:
        one, other = draw.sample(range(5), 2)
        return several.format(
            one, draw.random() / 2, other, 0.5 + draw.random() / 2, draw.randrange(5), draw.randrange(10)
        )

    def way() -> str:
        return f"metrics.m{draw.randrange(5)} {draw.choice(('ASC', 'DESC'))}"

    return {
        "newest first": (search(newest) for _ in count()),
        "one comparison": (search(newest, few()) for _ in count()),
        "three comparisons": (search(newest, comparisons()) for _ in count()),
        "by a metric": (search(way()) for _ in count()),
        "a param, by a metric": (
            search(way(), f"params.p{draw.randrange(5)} = '{draw.randrange(10)}'") for _ in count()
        ),
        "tag LIKE, by a metric": (
            search(way(), f"tags.t{draw.randrange(3)} LIKE 'tag {draw.randrange(7)}%'") for _ in count()
        ),
    }


def search(server: Server, number: int, seconds: float, size: int) -> Iterator[Sample]:
    """Search with filters drawn at random, the same for every server."""
    space = server.filled
    for kind, requests in searches(space, random.Random(f"{number}{size}")).items():
        done = drive(server, [requests], seconds)
        yield Sample(f"search {size:,} runs: {kind}", "", 0, done.took, done.errors)
    yield deep_pages(server, space, number, seconds, size)


def deep_pages(server: Server, space: Space, number: int, seconds: float, size: int) -> Sample:
    """Walk twenty pages into an order by a metric, then read pages from there in any order."""
    wire, draw = Wire(server), random.Random(number)
    asked: dict[str, Any] = {"experiment_ids": [space.experiment_id], "max_results": PAGE}
    asked |= {"filter": f"metrics.m1 > {draw.random() / 4:.3f}", "order_by": ["metrics.m2 DESC"]}
    tokens: list[str] = []
    while len(tokens) < DEEP_PAGES:
        page = wire.post(space, "runs/search", **asked, **({"page_token": tokens[-1]} if tokens else {}))
        if not page.get("next_page_token"):
            break
        tokens.append(page["next_page_token"])
    wire.close()
    last = [{"page_token": token} for token in tokens[-5:]] or [{}]
    deep = (post(space, "runs/search", **asked, **draw.choice(last)) for _ in count())
    done = drive(server, [deep], seconds)
    return Sample(f"search {size:,} runs: page {DEEP_PAGES}", "", 0, done.took, done.errors)


def check_searches(server: Server, number: int, size: int) -> list[str]:
    """Say where the first answers of the searches differ from what the filled runs should give."""
    wire, wrong = Wire(server), []
    space = server.filled
    runs = [Run(each) for each in range(size)]
    draw = random.Random(number)
    for _ in range(3):
        key, least = draw.randrange(5), round(draw.uniform(0.5, 0.99), 4)
        kept = [run.name for run in reversed(runs) if run.metrics[f"m{key}"] > least][:PAGE]
        answer = wire.post(
            space,
            "runs/search",
            experiment_ids=[space.experiment_id],
            max_results=PAGE,
            filter=f"metrics.m{key} > {least}",
            order_by=["attributes.start_time DESC"],
        )
        if [run["info"]["run_name"] for run in answer["runs"]] != kept:
            wrong.append(f"{server.name}: metrics.m{key} > {least} finds other runs")
    wire.close()
    return wrong


def history(server: Server, number: int, seconds: float, known: dict[str, dict[int, str]]) -> Iterator[Sample]:
    """Read histories of so many points whole, and sampled as a chart asks for them; `known` has each server's runs."""
    del number  # the same in every round
    space = server.filled
    for size, run_id in known[server.name].items():
        yield whole(server, space, run_id, size, seconds)
        chart = {"run_ids": run_id, "metric_key": "m0", "max_results": SAMPLED}
        sampled = get(space, "metrics/get-history-bulk-interval", AJAX, **chart)
        done = drive(server, [repeat(sampled)], seconds)
        yield Sample(f"history of {size:,} points, sampled", "", 0, done.took, done.errors)


def whole(server: Server, space: Space, run_id: str, size: int, seconds: float) -> Sample:
    """Read a history page by page, as clients do; what the client needs to decode the pages is not counted."""
    sample, wire = Sample(f"history of {size:,} points, whole", ""), Wire(server)
    until = time.perf_counter() + seconds
    while not sample.took or time.perf_counter() < until:
        query, lasted, read = {"run_id": run_id, "metric_key": "m0"}, 0.0, 0
        while True:
            began = time.perf_counter()
            status, data = wire.send(*get(space, "metrics/get-history", **query))
            lasted += time.perf_counter() - began
            page = json.loads(data) if status == 200 else {}
            read += len(page.get("metrics", ()))
            if not page.get("next_page_token"):
                break
            query["page_token"] = page["next_page_token"]
        sample.took.append(lasted)
        if read != size:
            sample.errors.append(f"{server.name}: {read} points of {size}")
    wire.close()
    return sample


def mixed(server: Server, number: int, seconds: float) -> Iterator[Sample]:
    """Sixteen clients log points to runs of both spaces while two search; every answered point is read back."""
    wire, draw = Wire(server), random.Random(number)
    spaces = [server.spaces[client % 2] for client in range(WRITERS)]
    runs = [wire.create_run(space, start_time=1) for space in spaces]
    kinds = [searches(server.filled, draw) for _ in range(READERS)]
    mixes = [(next(kinds[index][kind]) for _ in count() for kind in kinds[index]) for index in range(READERS)]
    with ThreadPoolExecutor(1) as other:
        reading = other.submit(drive, server, mixes, seconds)
        done = drive(server, [points(*pair) for pair in zip(spaces, runs, strict=True)], seconds)
        reads = reading.result()
    wrong = [
        error
        for space, run_id, answered in zip(spaces, runs, done.answered, strict=True)
        for error in missing(wire, space, run_id, "loss", answered)
    ]
    wire.close()
    yield Sample("16 writers and 2 readers: writes", "requests/s", done.per_second, done.took, done.errors + wrong)
    yield Sample("16 writers and 2 readers: searches", "requests/s", reads.per_second, reads.took, reads.errors)


def killed(server: Server, seconds: float) -> tuple[int, list[str]]:
    """Kill the server while sixteen clients log, and start it again.

    Returns how many points were answered, and what is wrong with those that are there. Of each client one point may be
    there that was not answered: the one that was on its way.
    """
    wire = Wire(server)
    spaces = [server.spaces[client % 2] for client in range(WRITERS)]
    runs = [wire.create_run(space, start_time=1) for space in spaces]
    wire.close()
    end = threading.Timer(seconds, server.kill)
    end.start()
    done = drive(server, [points(*pair) for pair in zip(spaces, runs, strict=True)], 10 * seconds)
    end.join()
    server.start()
    wire, wrong = Wire(server), list(done.errors)
    for space, run_id, answered in zip(spaces, runs, done.answered, strict=True):
        steps = sorted(wire.steps(space, run_id, "loss"))
        if steps not in (list(range(answered)), list(range(answered + 1))):
            wrong.append(f"{answered} points were answered, {len(steps)} are there, {len(set(steps))} different ones")
    wire.close()
    return sum(done.answered), wrong
