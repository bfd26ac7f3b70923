import random
import secrets
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()
state = {"visits": 0, "ticks": 0}


def tick():
    while True:
        time.sleep(0.05)
        state["ticks"] += 1


def draws():
    return "\n".join([str(random.random()), str(uuid.uuid4()), secrets.token_hex(8)])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with lock:
            if self.path == "/":
                state["visits"] += 1
            text = draws() if self.path == "/draws" else "visits %(visits)d ticks %(ticks)d\n" % state
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


threading.Thread(target=tick, daemon=True).start()
ThreadingHTTPServer(("", 3000), Handler).serve_forever()
