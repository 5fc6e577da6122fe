"""`python -m modelyard.serving`: start one model server."""

from __future__ import annotations

import os
import sys

from modelyard.serving.config import read_config
from modelyard.serving.server import serve

if __name__ == "__main__":
    sys.exit(serve(read_config(sys.argv[1:], os.environ)))
