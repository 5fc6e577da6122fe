"""Which of our events MLflow's webhooks are told of, and by what name."""

from __future__ import annotations

ACTIONS = {
    "registered_model.created": "model.created",
    "model_version.created": "model_version.created",
    "model_version_tag.set": "model_version.tag_set",
    "model_version_tag.deleted": "model_version.tag_deleted",
    "model_version_alias.created": "model_version.alias_set",
    "model_version_alias.deleted": "model_version.alias_deleted",
    "prompt.created": "prompt.created",
    "prompt_version.created": "prompt_version.created",
    "prompt_tag.set": "prompt.tag_set",
    "prompt_tag.deleted": "prompt.tag_deleted",
    "prompt_version_tag.set": "prompt_version.tag_set",
    "prompt_version_tag.deleted": "prompt_version.tag_deleted",
    "prompt_alias.created": "prompt_version.alias_set",
    "prompt_alias.deleted": "prompt_version.alias_deleted",
}
"""The action of ours by ``entity.action`` of MLflow's."""

EVENTS = {action: name for name, action in ACTIONS.items()}
"""MLflow's name by the action of ours."""
