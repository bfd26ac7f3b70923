"""Counted in memory that both workers share; each has a thread with a timer."""
import fcntl
import mmap
import os
import struct
import threading
import time

counts = mmap.mmap(-1, 4096)
state = {"ticks": 0}


def tick():
    while True:
        time.sleep(0.05)
        state["ticks"] += 1


def begin():
    threading.Thread(target=tick, daemon=True).start()


lock = open("lock", "w")


def application(environ, start_response):
    if environ["PATH_INFO"] == "/":
        fcntl.lockf(lock, fcntl.LOCK_EX)
        struct.pack_into("q", counts, 0, struct.unpack_from("q", counts, 0)[0] + 1)
        fcntl.lockf(lock, fcntl.LOCK_UN)
    text = "visits %d ticks %d worker %d\n" % (struct.unpack_from("q", counts, 0)[0], state["ticks"], os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
