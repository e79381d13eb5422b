# SPDX-License-Identifier: Apache-2.0
"""aes-python is a function: it answers a POST with the AES-128-CTR encryption of the body, in
lowercase hex. Environment: AES_KEY (32 hex digits), PORT (8080)."""

import os
import re
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

DEFAULT_KEY = "000102030405060708090a0b0c0d0e0f"
COUNTER_BLOCK = bytes(16)
MAX_BODY_BYTES = 64 * 1024 * 1024  # bounds the memory of one request
MAX_LINE_BYTES = 64 * 1024  # of a chunk-size or trailer line


class BadBody(Exception):
    """The body cannot be read; carries the status to answer."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class EncryptHandler(BaseHTTPRequestHandler):
    """One connection: its requests are served one after another on its own thread."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one write

    def do_POST(self):
        try:
            plain = self.read_body()
        except BadBody as bad:
            self.close_connection = True  # the rest of the body was not read
            self.answer(bad.status, f"{bad}\n".encode())
            return
        encryptor = Cipher(AES(self.server.key), CTR(COUNTER_BLOCK)).encryptor()
        self.answer(200, encryptor.update(plain).hex().encode())

    def other_method(self):
        if self.path == "/_/health" and self.command in ("GET", "HEAD"):
            self.answer(200, b"")
            return
        try:
            self.read_body()
        except BadBody:
            self.close_connection = True
        self.answer(405, b"only POST is allowed\n", {"Allow": "POST"})

    def __getattr__(self, name):
        # http.server looks up do_<METHOD>; every method but POST has the same answer.
        if name.startswith("do_"):
            return self.other_method
        raise AttributeError(name)

    def read_body(self):
        coding = self.headers.get("Transfer-Encoding")
        lengths = set(self.headers.get_all("Content-Length", []))
        if coding is not None:
            if lengths or coding.strip().lower() != "chunked":
                raise BadBody(400, "unsupported Transfer-Encoding")
            return self.read_chunks()
        if not lengths:
            return b""
        text = lengths.pop()
        if lengths or not re.fullmatch("[0-9]{1,18}", text):
            raise BadBody(400, "bad Content-Length")
        return self.read_exactly(int(text), MAX_BODY_BYTES)

    def read_chunks(self):
        body = bytearray()
        while True:
            size_text = self.read_line().split(b";")[0].strip()
            if not re.fullmatch(b"[0-9a-fA-F]{1,15}", size_text):
                raise BadBody(400, "bad chunk size")
            size = int(size_text, 16)
            if size == 0:
                break
            body += self.read_exactly(size, MAX_BODY_BYTES - len(body))
            if self.read_line() != b"":
                raise BadBody(400, "bad end of a chunk")
        trailer_bytes = 0
        while line := self.read_line():
            trailer_bytes += len(line)
            if trailer_bytes > MAX_LINE_BYTES:
                raise BadBody(400, "too many trailers")
        return bytes(body)

    def read_line(self):
        line = self.rfile.readline(MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise BadBody(400, "the body ended early, or has a line too long")
        return line.rstrip(b"\r\n")

    def read_exactly(self, size, limit):
        if size > limit:
            raise BadBody(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
        data = self.rfile.read(size)
        if len(data) != size:
            raise BadBody(400, "the body ended early")
        return data

    def answer(self, status, body, headers=None):
        if not self.server.end_request(self):
            self.close_connection = True
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def setup(self):
        super().setup()
        self.server.add_connection(self)

    def finish(self):
        self.server.remove_connection(self)
        super().finish()

    def parse_request(self):
        # The request line has been read: from here on the request is in flight.
        self.server.begin_request(self)
        return super().parse_request()

    def handle_expect_100(self):
        goes_on = super().handle_expect_100()
        self.wfile.flush()  # the client waits for it before it sends the body
        return goes_on

    def log_message(self, *_):
        """No log line for each request."""


class EncryptServer(ThreadingHTTPServer):
    """Knows which connections are idle, so that a drain ends those at once and waits for the others."""

    request_queue_size = 128
    daemon_threads = False  # server_close() joins them: the end of the drain

    def __init__(self, port, key):
        super().__init__(("0.0.0.0", port), EncryptHandler)
        self.key = key
        self._lock = threading.Lock()
        self._in_flight = {}  # connection -> whether a request of it is in flight
        self._draining = False

    def add_connection(self, connection):
        with self._lock:
            self._in_flight[connection] = False
            if self._draining:
                end_input(connection)

    def remove_connection(self, connection):
        with self._lock:
            self._in_flight.pop(connection, None)

    def begin_request(self, connection):
        with self._lock:
            self._in_flight[connection] = True

    def end_request(self, connection):
        """Says whether the connection may take a further request."""
        with self._lock:
            self._in_flight[connection] = False
            return not self._draining

    def drain(self):
        """Takes no new connection and ends the idle ones. Called on a thread other than serve_forever's."""
        with self._lock:
            self._draining = True
            for connection, in_flight in self._in_flight.items():
                if not in_flight:
                    end_input(connection)
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes serve_forever, which then sees the request below
        self.shutdown()

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):  # a client that went away is no error of ours
            super().handle_error(request, client_address)


def end_input(connection):
    """A request that has already arrived is still read and answered; after it the connection ends."""
    try:
        connection.connection.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # the client has ended it


def main():
    key_text = os.environ.get("AES_KEY") or DEFAULT_KEY
    if not re.fullmatch("[0-9a-fA-F]{32}", key_text):
        sys.exit("aes-python: AES_KEY must be 32 hex digits (an AES-128 key)")
    port_text = os.environ.get("PORT") or "8080"
    if not re.fullmatch("[0-9]{1,5}", port_text) or not 1 <= int(port_text) <= 65535:
        sys.exit(f"aes-python: PORT must be a port from 1 to 65535, not '{port_text}'")

    server = EncryptServer(int(port_text), bytes.fromhex(key_text))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.drain).start())
    server.serve_forever(poll_interval=None)  # an idle function does not wake up
    server.server_close()


if __name__ == "__main__":
    main()
