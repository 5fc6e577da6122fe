"""Models that answer: the wish, its revisions, and what runs."""
