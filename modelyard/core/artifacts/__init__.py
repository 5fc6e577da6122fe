"""Artifacts: the files of projects."""
