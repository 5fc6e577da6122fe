"""Run by the tests in a process of its own: saves the models that they serve into the folder it is given."""

import json
import sys
from pathlib import Path

import mlflow.pyfunc
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

folder = Path(sys.argv[1])

flowers, kinds = load_iris(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=500).fit(flowers, kinds)
mlflow.sklearn.save_model(
    model,
    folder / "iris",
    signature=infer_signature(flowers, model.predict(flowers)),
    pip_requirements=["scikit-learn"],
)
sample = flowers.iloc[::30]
loaded = mlflow.pyfunc.load_model(str(folder / "iris"))
expected = {
    "columns": list(sample.columns),
    "data": sample.values.tolist(),
    "predictions": loaded.predict(sample).tolist(),
}
(folder / "iris.json").write_text(json.dumps(expected), encoding="utf-8")

odd = infer_signature(pd.DataFrame({"do": ["x"], "text": ["x"]}))
odd.outputs = Schema([ColSpec("double", "number"), ColSpec("string", "text")])
odd.params = ParamSchema([ParamSpec("scale", "double", 1.0)])
code = str(Path(__file__).with_name("odd_model.py"))
mlflow.pyfunc.save_model(folder / "odd", python_model=code, signature=odd, pip_requirements=["mlflow"])
