# SPDX-License-Identifier: Apache-2.0
"""Threads, subprocess, http.server, fork, multiprocessing, signals in Python."""

import hashlib
import http.server
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = hashlib.sha256(body).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    right = 0
    for i in range(50):
        body = bytes([i]) * 600
        answer = urllib.request.urlopen("http://127.0.0.1:%d/" % server.server_port, body).read()
        right += answer.decode() == hashlib.sha256(body).hexdigest()
    server.shutdown()
    thread.join()
    print("right answers", right)


def square(value):
    return value * value


def main():
    print(os.path.basename(os.readlink("/proc/self/exe")) == os.path.basename(os.path.realpath(sys.executable)))
    serve()
    print(subprocess.run(["/bin/sh", "-c", "cat; exit 3"], input=b"piped", capture_output=True))
    print(subprocess.check_output("echo $((6 * 7)) | tr 4 5", shell=True))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(square, range(10)))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(abs, [-1, -2]))
    pid = os.fork()
    if pid == 0:
        os._exit(9)
    print("forked child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    got = []
    signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    print("signal", got == [signal.SIGUSR1])
    sys.exit(5)


if __name__ == "__main__":
    main()
