"""What a tracker with something behind it does when that is down."""

# ruff: noqa: D102, S101 - these are tests: their names say what they promise

from __future__ import annotations

from collections.abc import Callable

import pytest

from modelyard.core.errors import PluginUnavailable
from modelyard.core.interfaces import Tracker
from modelyard.core.testing.provider import assert_no_secret
from modelyard.core.testing.tracker_cases import NO_RUN
from modelyard.core.tracking.entities import LoggedModelQuery, Metric, ModelOutput, NewLoggedModel, NewRun, Query, Tag

VERBS: tuple[Callable[[Tracker], object], ...] = (
    lambda tracker: tracker.create_experiment(1, name="a"),
    lambda tracker: tracker.get_experiment(1, "0"),
    lambda tracker: tracker.get_experiment_by_name(1, "Default"),
    lambda tracker: tracker.search_experiments(1, Query()),
    lambda tracker: tracker.rename_experiment(1, "0", "a"),
    lambda tracker: tracker.set_experiment_lifecycle(1, "0", "deleted"),
    lambda tracker: tracker.set_experiment_tag(1, "0", Tag("k", "v")),
    lambda tracker: tracker.delete_experiment_tag(1, "0", "k"),
    lambda tracker: tracker.create_run(1, NewRun(experiment_id="0", user_id="ada", start_time_ms=1)),
    lambda tracker: tracker.get_run(1, NO_RUN),
    lambda tracker: tracker.search_runs(1, Query()),
    lambda tracker: tracker.count_runs(1, Query()),
    lambda tracker: tracker.update_run(1, NO_RUN, status="FINISHED"),
    lambda tracker: tracker.set_run_lifecycle(1, NO_RUN, "deleted"),
    lambda tracker: tracker.log_batch(1, NO_RUN, metrics=[Metric("m", 1.0, 1, 0)]),
    lambda tracker: tracker.delete_run_tag(1, NO_RUN, "k"),
    lambda tracker: tracker.log_inputs(1, NO_RUN),
    lambda tracker: tracker.log_outputs(1, NO_RUN, [ModelOutput("m-1", 0)]),
    lambda tracker: tracker.metric_history(1, NO_RUN, "m"),
    lambda tracker: tracker.sample_metric(1, [NO_RUN], "m", max_points=4),
    lambda tracker: tracker.metric_summaries(1, [NO_RUN]),
    lambda tracker: tracker.create_logged_model(1, NewLoggedModel(experiment_id="0")),
    lambda tracker: tracker.get_logged_model(1, "m-1"),
    lambda tracker: tracker.search_logged_models(1, LoggedModelQuery(experiment_ids=["0"])),
    lambda tracker: tracker.finalize_logged_model(1, "m-1", "READY"),
    lambda tracker: tracker.delete_logged_model(1, "m-1"),
    lambda tracker: tracker.log_model_params(1, "m-1", {"a": "b"}),
    lambda tracker: tracker.set_model_tags(1, "m-1", {"a": "b"}),
    lambda tracker: tracker.delete_model_tag(1, "m-1", "a"),
)


class TrackerOutageContract:
    """For a tracker with something behind it: give the fixture `unreachable_tracker`, whose back end is down."""

    @pytest.fixture
    def unreachable_tracker(self) -> Tracker:
        raise NotImplementedError("Give a fixture named unreachable_tracker.")

    def test_every_verb_says_that_it_is_unavailable_and_no_secret(self, unreachable_tracker: Tracker) -> None:
        for verb in VERBS:
            with pytest.raises(PluginUnavailable) as caught:
                verb(unreachable_tracker)
            assert_no_secret(unreachable_tracker, str(caught.value))

    def test_its_health_says_so_without_raising(self, unreachable_tracker: Tracker) -> None:
        health = unreachable_tracker.health()

        assert health.ok is False
        assert_no_secret(unreachable_tracker, health.message)
