"""A model, saved from this code, that does what tests ask of it."""

import os
import threading
from pathlib import Path

import mlflow.pyfunc
import pandas as pd


def read(fifo: str) -> None:
    """Wait until somebody writes to the named pipe."""
    Path(fifo).read_text(encoding="utf-8")


class Odd(mlflow.pyfunc.PythonModel):
    """`do` is raise, nan, wait (on the pipe in `text`), linger (the same in a thread), exit, or anything else."""

    def predict(self, context, model_input, params=None):
        do, text = model_input["do"].iloc[0], model_input["text"].iloc[0]
        if do == "raise":
            raise RuntimeError(f"no {text} today")
        if do == "exit":
            raise SystemExit(3)
        if do == "wait":
            read(text)
        if do == "linger":
            threading.Thread(target=read, args=(text,)).start()
        number = float("nan") if do == "nan" else 1.5
        size = len(model_input)
        scale = (params or {}).get("scale", 1.0)
        return pd.DataFrame({"number": [number * scale] * size, "text": model_input["text"]})


if os.environ.get("ODD_LOADS_AFTER"):
    read(os.environ["ODD_LOADS_AFTER"])
mlflow.models.set_model(Odd())
