"""The contract of `Tracker`. Give the fixtures `tracker`, `project_id` and `other_project_id`, of two new projects."""

# ruff: noqa: D102, S101 - these are tests: their names say what they promise

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import msgspec
import pytest

from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, InvalidTransition, NotFound
from modelyard.core.interfaces import Provider, Tracker
from modelyard.core.testing.metrics import MetricContract
from modelyard.core.testing.provider import ProviderContract
from modelyard.core.testing.tracker_cases import (
    EXPERIMENT_SEARCHES,
    MODEL_SEARCHES,
    NAN_MODEL_SEARCHES,
    NO_RUN,
    NONSENSE,
    RUN_ORDERS,
    RUN_SEARCHES,
    TEXTS,
)
from modelyard.core.tracking.entities import (
    Dataset,
    DatasetInput,
    DatasetSummary,
    LoggedModelQuery,
    Metric,
    MetricOrder,
    ModelInput,
    ModelOutput,
    NewLoggedModel,
    NewRun,
    Param,
    Query,
    Tag,
)


class TrackerContract(MetricContract, ProviderContract):
    """Experiments, runs and logged models, as MLflow's clients know them."""

    kind = "tracker"

    counts_within_projects: ClassVar[bool] = True
    """Whether ids of experiments count within the project; else they are numbers of what stands behind the tracker."""

    keeps_nan_of_models: ClassVar[bool] = True
    """Whether NaN measured on a logged model is kept there; else it comes back as 0. A run's own NaN is always kept."""

    @pytest.fixture
    def tracker(self) -> Tracker:
        raise NotImplementedError("Give a fixture named tracker that returns a working tracker.")

    @pytest.fixture
    def project_id(self) -> int:
        raise NotImplementedError("Give a fixture named project_id: a project with nothing but its default experiment.")

    @pytest.fixture
    def other_project_id(self) -> int:
        raise NotImplementedError("Give a fixture named other_project_id: another such project.")

    @pytest.fixture
    def other_tracker(self, tracker: Tracker) -> Tracker:
        """The tracker of the other project: give another one where a connection serves one project only."""
        return tracker

    @pytest.fixture
    def provider(self, tracker: Tracker) -> Provider:
        return tracker

    @pytest.fixture
    def run_id(self, tracker: Tracker, project_id: int) -> str:
        return self.new_run(tracker, project_id)

    @staticmethod
    def found(tracker: Tracker, project_id: int, filter: str = "", **more: Any) -> list[str]:  # noqa: A002
        query = Query(filter=filter, **{"experiment_ids": ["0"], **more})
        return [run.info.run_id for run in tracker.search_runs(project_id, query).items]

    # --- Experiments -------------------------------------------------------------------------------------------------

    def test_a_project_begins_with_the_default_experiment(self, tracker: Tracker, project_id: int) -> None:
        assert tracker.get_experiment(project_id, "0").name == "Default"

    def test_experiments_are_found_by_id_and_name(self, tracker: Tracker, project_id: int) -> None:
        made = tracker.create_experiment(project_id, name="Ä b", tags={"k": "v"})

        assert tracker.get_experiment(project_id, made.experiment_id) == made
        assert tracker.get_experiment_by_name(project_id, "Ä b") == made
        assert made.tags == [Tag("k", "v")]
        with pytest.raises(NotFound):
            tracker.get_experiment_by_name(project_id, "ä b")

    def test_a_taken_name_is_refused_also_that_of_a_deleted_one(self, tracker: Tracker, project_id: int) -> None:
        made = tracker.create_experiment(project_id, name="a")
        with pytest.raises(AlreadyExists):
            tracker.create_experiment(project_id, name="a")
        tracker.set_experiment_lifecycle(project_id, made.experiment_id, "deleted")
        with pytest.raises(AlreadyExists):
            tracker.create_experiment(project_id, name="a")
        with pytest.raises(AlreadyExists):
            tracker.rename_experiment(project_id, "0", "a")
        assert tracker.get_experiment(project_id, "0").name == "Default"

    def test_renaming_says_what_was(self, tracker: Tracker, project_id: int) -> None:
        made = tracker.create_experiment(project_id, name="a")
        change = tracker.rename_experiment(project_id, made.experiment_id, "b")

        assert (change.before.name, change.after.name) == ("a", "b")

    def test_deleting_and_restoring_takes_the_runs_along(self, tracker: Tracker, project_id: int) -> None:
        experiment_id = tracker.create_experiment(project_id, name="a").experiment_id
        run_id = self.new_run(tracker, project_id, experiment_id)
        tracker.set_experiment_lifecycle(project_id, experiment_id, "deleted")

        assert tracker.get_run(project_id, run_id).info.lifecycle_stage == "deleted"
        with pytest.raises(Conflict):
            self.new_run(tracker, project_id, experiment_id)
        with pytest.raises(Conflict):
            tracker.set_experiment_tag(project_id, experiment_id, Tag("k", "v"))
        with pytest.raises(InvalidTransition):
            tracker.rename_experiment(project_id, experiment_id, "b")
        with pytest.raises(NotFound):
            tracker.set_experiment_lifecycle(project_id, experiment_id, "deleted")
        tracker.set_experiment_lifecycle(project_id, experiment_id, "active")
        assert tracker.get_run(project_id, run_id).info.lifecycle_stage == "active"

    def test_experiment_tags_are_set_changed_and_removed(self, tracker: Tracker, project_id: int) -> None:
        tracker.set_experiment_tag(project_id, "0", Tag("k", "1"))
        tracker.set_experiment_tag(project_id, "0", Tag("k", "2"))
        assert tracker.get_experiment(project_id, "0").tags == [Tag("k", "2")]
        tracker.delete_experiment_tag(project_id, "0", "k")
        assert tracker.get_experiment(project_id, "0").tags == []
        with pytest.raises(NotFound):
            tracker.delete_experiment_tag(project_id, "0", "k")

    def test_experiments_are_searched(self, tracker: Tracker, project_id: int) -> None:
        for name, tags in (("a", {"k": "1"}), ("b", {"k": "2"}), ("c", {})):
            tracker.create_experiment(project_id, name=name, tags=tags)
        for text, names in EXPERIMENT_SEARCHES:
            page = tracker.search_experiments(project_id, Query(filter=text, order_by=["experiment_id DESC"]))

            assert [experiment.name for experiment in page.items] == names, text
            assert page.next_page_token is None

    # --- Runs --------------------------------------------------------------------------------------------------------

    def test_a_run_begins_running_and_has_a_name(self, tracker: Tracker, project_id: int) -> None:
        run = tracker.create_run(
            project_id, NewRun(experiment_id="0", user_id="ada", start_time_ms=5, name="first", tags=[Tag("a", "b")])
        )

        assert tracker.get_run(project_id, run.info.run_id) == run
        assert (run.info.status, run.info.start_time_ms, run.info.end_time_ms) == ("RUNNING", 5, None)
        assert (run.info.run_name, run.info.user_id, run.info.experiment_id) == ("first", "ada", "0")
        assert {tag.key: tag.value for tag in run.data.tags} == {"a": "b", "mlflow.runName": "first"}
        assert run.info.run_id in run.info.artifact_uri

    def test_a_run_without_a_name_gets_one(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        assert tracker.get_run(project_id, run_id).info.run_name

    def test_updating_changes_what_is_given(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        change = tracker.update_run(project_id, run_id, status="FAILED", end_time_ms=9)
        assert (change.before.status, change.after.status, change.after.end_time_ms) == ("RUNNING", "FAILED", 9)
        change = tracker.update_run(project_id, run_id, name="other")
        assert (change.after.status, change.after.run_name) == ("FAILED", "other")
        run = tracker.get_run(project_id, run_id)
        assert run.info == change.after
        assert Tag("mlflow.runName", "other") in run.data.tags

    def test_a_deleted_run_takes_nothing_until_it_is_restored(
        self, tracker: Tracker, project_id: int, run_id: str
    ) -> None:
        change = tracker.set_run_lifecycle(project_id, run_id, "deleted")
        assert (change.before.lifecycle_stage, change.after.lifecycle_stage) == ("active", "deleted")
        for refused in (
            lambda: tracker.log_batch(project_id, run_id, metrics=[Metric("m", 1.0, 1, 0)]),
            lambda: tracker.update_run(project_id, run_id, status="FINISHED"),
            lambda: tracker.delete_run_tag(project_id, run_id, "mlflow.runName"),
            lambda: tracker.log_inputs(project_id, run_id),
            lambda: tracker.log_outputs(project_id, run_id, []),
        ):
            with pytest.raises(Conflict):
                refused()
        assert self.found(tracker, project_id) == []
        assert self.found(tracker, project_id, lifecycle_stages=["deleted"]) == [run_id]
        tracker.set_run_lifecycle(project_id, run_id, "active")
        tracker.log_batch(project_id, run_id, metrics=[Metric("m", 1.0, 1, 0)])
        assert self.found(tracker, project_id) == [run_id]

    def test_what_is_not_there_is_not_found(self, tracker: Tracker, project_id: int) -> None:
        for missing in (
            lambda: tracker.get_experiment(project_id, "77"),
            lambda: tracker.get_run(project_id, NO_RUN),
            lambda: tracker.update_run(project_id, NO_RUN, status="FINISHED"),
            lambda: tracker.log_batch(project_id, NO_RUN, params={"a": "b"}),
            lambda: tracker.metric_history(project_id, NO_RUN, "m"),
            lambda: tracker.set_run_lifecycle(project_id, NO_RUN, "deleted"),
            lambda: tracker.get_logged_model(project_id, "m-" + NO_RUN),
            lambda: tracker.finalize_logged_model(project_id, "m-" + NO_RUN, "READY"),
            lambda: self.new_run(tracker, project_id, "77"),
        ):
            with pytest.raises(NotFound):
                missing()

    def test_another_project_has_nothing_of_this_one(
        self, tracker: Tracker, other_tracker: Tracker, project_id: int, other_project_id: int, run_id: str
    ) -> None:
        experiment_id = tracker.create_experiment(project_id, name="mine").experiment_id
        model_id = tracker.create_logged_model(project_id, NewLoggedModel(experiment_id="0")).info.model_id
        for foreign in (
            lambda: other_tracker.get_experiment(other_project_id, experiment_id),
            lambda: other_tracker.get_experiment_by_name(other_project_id, "mine"),
            lambda: other_tracker.get_run(other_project_id, run_id),
            lambda: other_tracker.log_batch(other_project_id, run_id, tags={"a": "b"}),
            lambda: other_tracker.update_run(other_project_id, run_id, name="theirs"),
            lambda: other_tracker.set_run_lifecycle(other_project_id, run_id, "deleted"),
            lambda: other_tracker.metric_history(other_project_id, run_id, "m"),
            lambda: other_tracker.get_logged_model(other_project_id, model_id),
            lambda: other_tracker.delete_logged_model(other_project_id, model_id),
        ):
            with pytest.raises(NotFound):
                foreign()
        foreign_run = self.new_run(other_tracker, other_project_id)
        with pytest.raises(NotFound):
            other_tracker.log_outputs(other_project_id, foreign_run, [ModelOutput(model_id, 0)])
        assert self.found(other_tracker, other_project_id, experiment_ids=["0", experiment_id]) == [foreign_run]
        query = LoggedModelQuery(experiment_ids=["0"])
        assert other_tracker.search_logged_models(other_project_id, query).items == []

    # --- What is logged ----------------------------------------------------------------------------------------------

    def test_texts_come_back_as_they_went(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        values = {f"k{number}": text for number, text in enumerate(TEXTS)}
        tracker.log_batch(project_id, run_id, params=values, tags=values)
        run = tracker.get_run(project_id, run_id)

        assert {param.key: param.value for param in run.data.params} == values
        assert {tag.key: tag.value for tag in run.data.tags if tag.key in values} == values

    def test_a_param_stays_as_it_is(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        tracker.log_batch(project_id, run_id, params={"a": "1"})
        tracker.log_batch(project_id, run_id, params={"a": "1", "b": "2"})
        with pytest.raises(Conflict, match="a"):
            tracker.log_batch(project_id, run_id, params={"a": "2", "c": "3"}, tags={"t": "1"})

        run = tracker.get_run(project_id, run_id)
        assert run.data.params == [Param("a", "1"), Param("b", "2")]

    def test_a_refused_batch_leaves_nothing(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        tracker.log_batch(project_id, run_id, params={"a": "1"})
        before = tracker.get_run(project_id, run_id)
        for metrics, params in (
            ([Metric("m", 1.0, 1, 0)], {"a": "2"}),
            ([Metric("m", 1.0, 1, 0, model_id="m-" + NO_RUN)], {"b": "2"}),
        ):
            with pytest.raises((Conflict, NotFound)):
                tracker.log_batch(project_id, run_id, metrics=metrics, params=params, tags={"t": "1"})

        assert tracker.get_run(project_id, run_id) == before
        assert tracker.metric_history(project_id, run_id, "m").items == []

    def test_tags_change_and_go(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        tracker.log_batch(project_id, run_id, tags={"a": "1", "b": "2"})
        tracker.log_batch(project_id, run_id, tags={"a": "3"})
        tracker.delete_run_tag(project_id, run_id, "b")
        with pytest.raises(NotFound):
            tracker.delete_run_tag(project_id, run_id, "b")

        tags = {tag.key: tag.value for tag in tracker.get_run(project_id, run_id).data.tags}
        assert tags["a"] == "3"
        assert "b" not in tags

    def test_the_tag_of_the_name_is_the_name(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        tracker.log_batch(project_id, run_id, tags={"mlflow.runName": "renamed"})

        assert tracker.get_run(project_id, run_id).info.run_name == "renamed"

    def test_inputs_and_outputs(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        model_id = tracker.create_logged_model(project_id, NewLoggedModel(experiment_id="0")).info.model_id
        given = DatasetInput(Dataset("d", "x1", "local", "{}", schema="s"), [Tag("mlflow.data.context", "train")])
        for _ in range(2):
            tracker.log_inputs(project_id, run_id, datasets=[given], models=[ModelInput(model_id)])
            tracker.log_outputs(project_id, run_id, [ModelOutput(model_id, 3)])

        run = tracker.get_run(project_id, run_id)
        assert run.inputs.dataset_inputs == [given]
        assert run.inputs.model_inputs == [ModelInput(model_id)]
        assert run.outputs.model_outputs == [ModelOutput(model_id, 3)]

    def test_datasets_of_experiments_are_named_once(self, tracker: Tracker, project_id: int) -> None:
        other = tracker.create_experiment(project_id, name="other").experiment_id
        for number, experiment_id in enumerate(["0", "0", other]):
            run_id = self.new_run(tracker, project_id, experiment_id)
            used = [
                DatasetInput(Dataset("b", "x1", "local", "{}"), [Tag("mlflow.data.context", f"c{number % 2}")]),
                DatasetInput(Dataset("a", "x2", "local", "{}"), []),
            ]
            tracker.log_inputs(project_id, run_id, datasets=used)
        first = [
            DatasetSummary("0", "a", "x2"),
            DatasetSummary("0", "b", "x1", "c0"),
            DatasetSummary("0", "b", "x1", "c1"),
        ]
        second = [DatasetSummary(other, "a", "x2"), DatasetSummary(other, "b", "x1", "c0")]

        for summaries in (tracker.dataset_summaries, partial(Tracker.dataset_summaries, tracker)):
            assert summaries(project_id, ["0"], max_results=9) == first
            assert summaries(project_id, ["0"], max_results=2) == first[:2]
            assert set(summaries(project_id, ["0", other], max_results=9)) == {*first, *second}
            assert summaries(project_id, ["77"], max_results=9) == []

    # --- Searching runs ----------------------------------------------------------------------------------------------

    @pytest.fixture
    def five(self, tracker: Tracker, project_id: int) -> list[str]:
        """Five runs: what is odd about each is in the cases below."""
        runs = [self.new_run(tracker, project_id, start=number, name=f"run{number}") for number in range(5)]
        metrics: Sequence[float | None] = (1.0, 2.5, math.nan, None, -math.inf)
        for number, (run_id, value) in enumerate(zip(runs, metrics, strict=True)):
            logged = [] if value is None else [Metric("m", value, 1, 0), Metric("a/b c", float(number), 1, 0)]
            params = {} if number == 3 else {"p": ["abc", "ABC", "a%c", "", "ABD"][number]}
            tracker.log_batch(project_id, run_id, metrics=logged, params=params, tags={"n": str(number)})
        tracker.update_run(project_id, runs[0], status="FINISHED", end_time_ms=50)
        dataset = DatasetInput(Dataset("iris", "d1", "local", "{}"), [Tag("mlflow.data.context", "train")])
        tracker.log_inputs(project_id, runs[1], datasets=[dataset])
        return runs

    def test_runs_are_searched(self, tracker: Tracker, project_id: int, five: list[str]) -> None:
        for text, numbers in RUN_SEARCHES:
            found = self.found(tracker, project_id, text, order_by=["start_time ASC"])

            assert [five.index(run_id) for run_id in found] == numbers, text

    def test_runs_are_counted(self, tracker: Tracker, project_id: int, five: list[str]) -> None:
        for text, numbers in RUN_SEARCHES:
            query = Query(filter=text, experiment_ids=["0"], max_results=1)
            assert tracker.count_runs(project_id, query) == len(numbers), text
        with pytest.raises(InvalidInput):
            tracker.count_runs(project_id, Query(filter="nonsense !", experiment_ids=["0"]))

    def test_runs_are_found_by_lists_of_ids(self, tracker: Tracker, project_id: int, five: list[str]) -> None:
        assert self.found(tracker, project_id, f"run_id IN ('{five[0]}', '{five[3]}')") == [five[3], five[0]]
        assert self.found(tracker, project_id, f"run_id NOT IN ('{five[0]}', '{five[3]}')") == [
            five[4],
            five[2],
            five[1],
        ]

    def test_runs_are_ordered(self, tracker: Tracker, project_id: int, five: list[str]) -> None:
        for order_by, numbers in RUN_ORDERS:
            found = self.found(tracker, project_id, order_by=order_by)

            assert [five.index(run_id) for run_id in found] == numbers, order_by

    def test_pages_of_runs_hold_each_run_once(self, tracker: Tracker, project_id: int, five: list[str]) -> None:
        seen: list[str] = []
        query = Query(experiment_ids=["0"], order_by=["metrics.m DESC"], max_results=2)
        sizes = []
        while True:
            page = tracker.search_runs(project_id, query)
            sizes.append(len(page.items))
            seen += [run.info.run_id for run in page.items]
            if page.next_page_token is None:
                break
            query.page_token = page.next_page_token

        assert sizes == [2, 2, 1]
        assert sorted(seen) == sorted(five)

    def test_a_token_of_another_search_is_refused(self, tracker: Tracker, project_id: int, five: list[str]) -> None:
        page = tracker.search_runs(project_id, Query(experiment_ids=["0"], max_results=2))
        for token in (page.next_page_token, "no token", "bm8="):
            with pytest.raises(InvalidInput):
                tracker.search_runs(project_id, Query(experiment_ids=["0"], filter="metrics.m > 1", page_token=token))

    def test_no_experiments_have_no_runs(self, tracker: Tracker, project_id: int, five: list[str]) -> None:
        assert self.found(tracker, project_id, experiment_ids=[]) == []
        assert len(self.found(tracker, project_id, experiment_ids=None)) == len(five)

    # --- Logged models -----------------------------------------------------------------------------------------------

    def test_the_life_of_a_logged_model(self, tracker: Tracker, project_id: int, run_id: str) -> None:
        made = tracker.create_logged_model(
            project_id,
            NewLoggedModel(
                experiment_id="0",
                name="line",
                model_type="linear",
                source_run_id=run_id,
                params=[Param("p", "1")],
                tags=[Tag("t", "1")],
            ),
        )
        model_id = made.info.model_id
        assert (made.info.name, made.info.status, made.info.source_run_id) == ("line", "PENDING", run_id)
        assert model_id in made.info.artifact_uri
        change = tracker.finalize_logged_model(project_id, model_id, "READY")
        assert (change.before.info.status, change.after.info.status) == ("PENDING", "READY")
        tracker.log_model_params(project_id, model_id, {"p": "1", "q": "2"})
        with pytest.raises(Conflict):
            tracker.log_model_params(project_id, model_id, {"q": "3"})
        tagged = tracker.set_model_tags(project_id, model_id, {"t": "2", "u": "3"})
        assert tagged.info.tags == [Tag("t", "2"), Tag("u", "3")]
        tracker.delete_model_tag(project_id, model_id, "u")
        with pytest.raises(NotFound):
            tracker.delete_model_tag(project_id, model_id, "u")
        measured = Metric("m", math.nan, 1, 0, model_id=model_id, dataset_name="d", dataset_digest="v")
        tracker.log_batch(project_id, run_id, metrics=[measured])
        found = tracker.get_logged_model(project_id, model_id)
        assert found.data.params == [Param("p", "1"), Param("q", "2")]
        assert found.data.metrics == [
            msgspec.structs.replace(measured, value="NaN" if self.keeps_nan_of_models else 0.0, run_id=run_id)
        ]
        assert tracker.delete_logged_model(project_id, model_id).info.status == "READY"
        with pytest.raises(NotFound):
            tracker.get_logged_model(project_id, model_id)

    @pytest.fixture
    def models(self, tracker: Tracker, project_id: int, run_id: str) -> list[str]:
        ids = []
        for number, value in enumerate((0.3, 0.1, math.nan, None)):
            model = NewLoggedModel(
                experiment_id="0", name=f"model{number}", params=[Param("p", str(number))], tags=[Tag("t", "x")]
            )
            ids.append(tracker.create_logged_model(project_id, model).info.model_id)
            if value is not None:
                metric = Metric("m", value, 1, 0, model_id=ids[-1], dataset_name="d", dataset_digest=f"v{number}")
                older = Metric("m", 99.0, 0, 0, model_id=ids[-1], dataset_name="e", dataset_digest="v")
                tracker.log_batch(project_id, run_id, metrics=[metric, older])
        return ids

    def test_logged_models_are_searched(self, tracker: Tracker, project_id: int, models: list[str]) -> None:
        decided_by_nan = [
            (query, kept if self.keeps_nan_of_models else zero) for query, kept, zero in NAN_MODEL_SEARCHES
        ]
        for query, numbers in MODEL_SEARCHES + decided_by_nan:
            ordered = {"order_by": [MetricOrder(field_name="name")], **query}
            page = tracker.search_logged_models(project_id, LoggedModelQuery(experiment_ids=["0"], **ordered))

            assert [models.index(model.info.model_id) for model in page.items] == numbers, query

    def test_pages_of_logged_models(self, tracker: Tracker, project_id: int, models: list[str]) -> None:
        query = LoggedModelQuery(experiment_ids=["0"], max_results=3)
        first = tracker.search_logged_models(project_id, query)
        query.page_token = first.next_page_token
        second = tracker.search_logged_models(project_id, query)

        assert second.next_page_token is None
        assert {model.info.model_id for model in first.items + second.items} == set(models)

    def test_a_filter_that_means_nothing_is_refused(self, tracker: Tracker, project_id: int) -> None:
        for text in NONSENSE:
            with pytest.raises(InvalidInput):
                tracker.search_runs(project_id, Query(filter=text, experiment_ids=["0"]))
            with pytest.raises(InvalidInput):
                tracker.search_experiments(project_id, Query(filter=text))
            with pytest.raises(InvalidInput):
                tracker.search_logged_models(project_id, LoggedModelQuery(filter=text, experiment_ids=["0"]))

    def test_names_are_the_projects_own(
        self, tracker: Tracker, other_tracker: Tracker, project_id: int, other_project_id: int
    ) -> None:
        name = f"shared {uuid4().hex}"
        first = tracker.create_experiment(project_id, name=name)
        second = other_tracker.create_experiment(other_project_id, name=name)

        assert first.name == second.name == name
        if self.counts_within_projects:
            assert first.experiment_id == second.experiment_id == "1"
