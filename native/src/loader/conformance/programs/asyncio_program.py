# SPDX-License-Identifier: Apache-2.0
"""asyncio: streams, subprocesses, threads, signals; multiprocessing by fork, spawn and forkserver; many threads."""

import asyncio
import concurrent.futures
import hashlib
import multiprocessing
import os
import queue
import signal
import socket
import threading


async def answer(reader, writer):
    while True:
        line = await reader.readline()
        if not line:
            break
        writer.write(hashlib.sha256(line).hexdigest().encode() + b"\n")
        await writer.drain()
    writer.close()


async def ask(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    right = 0
    for i in range(10):
        line = b"%d %d\n" % (number, i)
        writer.write(line)
        right += (await reader.readline()).decode().strip() == hashlib.sha256(line).hexdigest()
    writer.close()
    await writer.wait_closed()
    return right


async def run_program(number):
    program = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", "read line; echo $line; exit %d" % number, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await program.communicate(b"to %d\n" % number)
    return output == b"to %d\n" % number and program.returncode == number


async def run_loop():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print("right answers", sum(await asyncio.gather(*(ask(port, i) for i in range(100)))))
    server.close()
    print("programs", all(await asyncio.gather(*(run_program(i) for i in range(8)))))
    loop = asyncio.get_running_loop()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sums = await asyncio.gather(*(loop.run_in_executor(pool, sum, range(i * 1000)) for i in range(20)))
    print("threads", sums == [sum(range(i * 1000)) for i in range(20)])
    got = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await got.wait()
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.01)
    except asyncio.TimeoutError:
        print("timed out")


def work(tasks, results, lock, total):
    for number in iter(tasks.get, None):
        with lock:
            total.value += number
        results.put(number * number)


def share_work(method):
    context = multiprocessing.get_context(method)
    tasks, results = context.Queue(), context.Queue()
    lock, total = context.Lock(), context.Value("i", 0)
    workers = [context.Process(target=work, args=(tasks, results, lock, total)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for number in range(100):
        tasks.put(number)
    for _ in workers:
        tasks.put(None)
    squares = sorted(results.get() for _ in range(100))
    for worker in workers:
        worker.join()
    print(method, squares[-1], total.value, [worker.exitcode for worker in workers])


def send_descriptors():
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        reading, writing = os.pipe()
        os.write(writing, b"through a passed pipe")
        socket.send_fds(there, [b"x"], [reading])
        os._exit(0)
    _, fds, _, _ = socket.recv_fds(here, 1, 1)
    os.waitpid(pid, 0)
    print(os.read(fds[0], 100))


def run_threads():
    passed = queue.Queue(maxsize=5)
    sums = []

    def take():
        sums.append(sum(iter(passed.get, None)))

    threads = [threading.Thread(target=take) for _ in range(50)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        passed.put(number)
    for _ in threads:
        passed.put(None)
    for thread in threads:
        thread.join()
    print("queue", sum(sums))


def main():
    asyncio.run(run_loop())
    run_threads()
    for method in ("fork", "spawn", "forkserver"):
        share_work(method)
    send_descriptors()


if __name__ == "__main__":
    main()
