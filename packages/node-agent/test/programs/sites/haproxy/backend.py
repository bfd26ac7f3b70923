import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        super().setup()
        Handler.connections += 1
        with open("connections-" + sys.argv[1], "w") as file:
            file.write("%d\n" % Handler.connections)

    def do_GET(self):
        text = "visits %s ticks %s backend %s\n" % (self.headers["X-Visits"], self.headers["X-Ticks"], sys.argv[1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
open("listening-" + sys.argv[1], "w").close()
server.serve_forever()
