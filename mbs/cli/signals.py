"""Signals that end a run within seconds, wherever it is: what is finished is kept, and the same command goes on."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR2)
GRACE = 3.0  # seconds for the main thread to leave a computation that no signal can interrupt
AGAIN = "the same command goes on from the last finished block and language"


class Interrupted(BaseException):
    """A signal asked the run to stop; not an Exception, so that nothing on the way takes it for a failed step."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(f"mbs: stopped by {self.signal.name}; {AGAIN}")


@contextmanager
def interruptible(grace: float = GRACE) -> Iterator[None]:
    """Raise Interrupted in the main thread on SIGTERM and SIGUSR2, and end the process where that takes too long.

    Signals that someone else handles already (submitit requeues on SIGUSR2) are left alone, and so is everything when
    this is not the main thread. Between Python's steps a signal is an exception; in the middle of a long product the
    watching thread hears of it all the same, as the interpreter writes each signal to a socket at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    for number in ours:
        signal.signal(number, _raise)
    watcher = threading.Thread(target=_watch, args=(heard, set(ours), grace), daemon=True, name="mbs-signals")
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        told.close()
        watcher.join(timeout=grace)
        heard.close()


def _raise(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # the first is enough
    raise Interrupted(number)


def _watch(heard: socket.socket, numbers: set[signal.Signals], grace: float) -> None:
    while seen := heard.recv(1):
        if seen[0] not in numbers:
            continue
        ended = time.monotonic() + grace
        try:
            while (left := ended - time.monotonic()) > 0:
                heard.settimeout(left)
                if not heard.recv(1):
                    return  # the main thread left in time
        except TimeoutError:
            pass
        os.write(2, f"{Interrupted(seen[0])}\n".encode())
        os._exit(128 + seen[0])
