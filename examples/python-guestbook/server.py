"""A guestbook in memory: every entry lives in a list of this process and nowhere else."""
import html
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

MAX_BODY_BYTES = 64 * 1024

entries = []
entries_lock = threading.Lock()

PAGE = """<!doctype html><title>Guestbook</title><h1>Guestbook</h1>
<form method="post"><input name="name" placeholder="name"> <input name="text" placeholder="text"> <button>Sign</button></form>
<p>{count} entries</p><ul>{items}</ul>
"""


def render():
    with entries_lock:
        items = "".join(f"<li><b>{html.escape(name)}</b>: {html.escape(text)}</li>" for name, text in entries)
        return PAGE.format(count=len(entries), items=items).encode()


class Guestbook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in (("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, b"ok\n")
        elif self.path == "/":
            self.answer(200, render())
        else:
            self.answer(404, b"no such page\n")

    do_HEAD = do_GET

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY_BYTES:
            self.close_connection = True
            self.answer(413, b"that is too long for a guestbook\n")
            return
        form = parse_qs(self.rfile.read(length).decode("utf-8", "replace"))
        with entries_lock:
            entries.append((form.get("name", ["somebody"])[0], form.get("text", [""])[0]))
        self.answer(303, b"", [("Location", "/")])


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "3000"))
    print(f"listening on port {port}", flush=True)
    ThreadingHTTPServer(("", port), Guestbook).serve_forever()
