"""The front end over HTTP: the REST API, the MLflow wire, predictions, health, and the pages."""
