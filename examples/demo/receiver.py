"""A small webhook receiver: writes the body of each POST to a file, one JSON line each, and answers 204."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main() -> None:
    """Listen on a free port of loopback, write the port to `--port-file`, and serve until the end of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--lock-file", type=Path, required=True)
    arguments = parser.parse_args()
    lock = arguments.lock_file.open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(str(os.getpid()))
    lock.flush()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with arguments.out.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"id": self.headers.get("webhook-id"), "body": body}) + "\n")
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the terminal for the tour."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    partial = arguments.port_file.with_suffix(f".{os.getpid()}")
    partial.write_text(str(server.server_port))
    partial.replace(arguments.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
