"""One file for each group of commands; `modelyard.cli.main` names them."""
