"""Settings: declared with type, default and description, read from a file, the environment and flags."""
