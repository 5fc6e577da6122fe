"""Tracking: experiments, runs and what they log, logged models."""
