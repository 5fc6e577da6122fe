"""The model server: one process that loads one MLflow model and answers predictions over HTTP.

It stands alone: it imports itself, the standard library and the `serving` extra, so a container image can carry this
folder without the rest of Modelyard. `python -m modelyard.serving --model DIR` starts it.
"""
