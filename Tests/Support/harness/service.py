"""HTTP servers of the tests' own, each on a thread, for the services that a router talks to."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(ThreadingHTTPServer):
    """Serves from the start until it is closed; that a peer breaks off is nobody's failure."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler, address="127.0.0.1", port=0):
        super().__init__((address, port), handler)
        self.url = f"http://{address}:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def close(self):
        self.shutdown()
        self.server_close()


class ServiceHandler(BaseHTTPRequestHandler):
    """Keeps connections, and says nothing on the console."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True
