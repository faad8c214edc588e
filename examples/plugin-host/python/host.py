"""The log processor in Python: ``python host.py PLUGINS [PORT]``. See ../src/main.rs for what it does."""

import json
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import sandbar


class Stage:
    def __init__(self, path: Path) -> None:
        settings = path.with_suffix(".json")
        options = json.loads(settings.read_text()) if settings.exists() else {}
        self.stats = {"name": path.stem, "outcomes": Counter(), "cpu_ns": 0, "denials": {}, "problem": None}
        self.plugin = sandbar.Plugin(path, base=path.parent, sandbox="fresh", on_receipt=self.note, **options)
        self.watch = self.plugin.watch(path, lambda error: self.stats.update(problem=error and str(error)))

    def note(self, receipt: sandbar.Receipt) -> None:
        self.stats["outcomes"][receipt.outcome] += 1
        self.stats["cpu_ns"] += receipt.used.get("cpu_ns", 0)
        self.stats["denials"].update((denial["asked"], denial["allow"]) for denial in receipt.denials)


chain = [Stage(path) for path in sorted(Path(sys.argv[1]).glob("*.wasm"))]


def through(record):
    """Lets a record through. What a plugin fails on goes past it as it is."""
    for stage in chain:
        try:
            record = stage.plugin.transform(record)
        except sandbar.PluginError as error:
            print(f"{stage.plugin.name}: {error}", file=sys.stderr)
        if record is None:
            break
    return record


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, json.dumps([stage.stats for stage in chain], indent=2))

    def do_POST(self) -> None:
        lines = self.rfile.read(int(self.headers["content-length"])).splitlines()
        try:
            records = [json.loads(line) for line in lines if line.strip()]
        except ValueError as error:
            return self.answer(400, f"no record: {error}\n")
        left = [record for record in map(through, records) if record is not None]
        self.answer(200, "".join(json.dumps(record) + "\n" for record in left))

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8080), Answer)
print(f"see http://127.0.0.1:{server.server_address[1]}", file=sys.stderr, flush=True)
server.serve_forever()
