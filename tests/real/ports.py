"""Loopback ports, waiting, and child processes that never outlive the tests."""

import atexit
import socket
import subprocess
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, seconds=60):
    """Looks again and again until `condition()` is true."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def accepts(port):
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def start(command, log, **options):
    """A child process whose output goes to `log`; ended when the tests end."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(log, "ab"), stderr=subprocess.STDOUT, **options)

    def end():
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    atexit.register(end)
    return child
