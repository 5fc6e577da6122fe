"""The model registry: models, versions, stages, aliases."""
