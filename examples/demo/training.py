"""What a data scientist would write: 20 scikit-learn models, logged by the unmodified MLflow client.

Nothing here knows Modelyard: MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN say where to log.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

EXPERIMENT = "breast cancer"
PENALTIES = (0.0001, 0.01, 1.0, 10.0)
LAYERS = ((4,), (8,), (16,), (32,), (16, 16))
EPOCHS = 40


class Data:
    """The Wisconsin breast cancer data that ship with scikit-learn: 569 patients, 30 measurements each."""

    def __init__(self) -> None:
        frame, target = load_breast_cancer(return_X_y=True, as_frame=True)
        split = train_test_split(frame, target, test_size=0.3, random_state=7, stratify=target)
        self.train_x, self.test_x, self.train_y, self.test_y = split


def configurations() -> list[dict[str, Any]]:
    """Return the 20 sets of parameters to try."""
    grid = itertools.product(PENALTIES, LAYERS)
    return [{"alpha": penalty, "hidden_layer_sizes": layers, "max_iter": EPOCHS} for penalty, layers in grid]


def train_all(data: Data) -> Iterator[tuple[str, float]]:
    """Train and log all; yield each run's name and accuracy when it is logged. The first is logged by autologging."""
    mlflow.set_experiment(EXPERIMENT)
    for number, parameters in enumerate(configurations()):
        name = f"alpha {parameters['alpha']:g} layers {'x'.join(map(str, parameters['hidden_layer_sizes']))}"
        with mlflow.start_run(run_name=name):
            if number == 0:
                mlflow.sklearn.autolog(log_models=False, silent=True)
            model = make_pipeline(StandardScaler(), MLPClassifier(random_state=7, **parameters))
            model.fit(data.train_x, data.train_y)
            if number == 0:
                mlflow.sklearn.autolog(disable=True, silent=True)
            else:
                mlflow.log_params(parameters)
            accuracy = log_run(model, data)
        yield name, accuracy


def log_run(model: Pipeline, data: Data) -> float:
    """Log what one run found: a curve, a summary, tags, a plot, a table, and the model."""
    for epoch, loss in enumerate(model[-1].loss_curve_):
        mlflow.log_metric("training_loss", loss, step=epoch)
    predicted = model.predict(data.test_x)
    accuracy = float(accuracy_score(data.test_y, predicted))
    auc = roc_auc_score(data.test_y, model.predict_proba(data.test_x)[:, 1])
    mlflow.log_metrics({"accuracy": accuracy, "auc": auc})
    mlflow.set_tags({"framework": "scikit-learn", "data": "breast cancer"})
    figure, axes = plt.subplots(figsize=(4, 4))
    ConfusionMatrixDisplay.from_predictions(data.test_y, predicted, ax=axes, colorbar=False)
    mlflow.log_figure(figure, "plots/confusion.png")
    plt.close(figure)
    mlflow.log_table(mistakes(data, predicted), "mistakes.json")
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(data.train_x, model.predict(data.train_x)),
        input_example=data.train_x.head(2),
        skops_trusted_types=["sklearn.neural_network._stochastic_optimizers.AdamOptimizer"],
        pip_requirements=["mlflow-skinny", "scikit-learn", "pandas"],
    )
    return accuracy


def mistakes(data: Data, predicted: Any) -> pd.DataFrame:
    """Return the patients that the model judged wrongly."""
    wrong = predicted != data.test_y.to_numpy()
    table = data.test_x.loc[wrong, ["mean radius", "mean texture"]].copy()
    table["is"], table["predicted"] = data.test_y[wrong], predicted[wrong]
    return table.reset_index(drop=True)


def best_run() -> Any:
    """Search for the best run, as the client does."""
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string="metrics.accuracy > 0.5 and tags.framework = 'scikit-learn'",
        order_by=["metrics.accuracy DESC", "metrics.auc DESC"],
    )
    return found.iloc[0], len(found)
