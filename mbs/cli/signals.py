"""Signals that end a run within seconds, wherever it is: what is finished is kept, and the same command goes on."""

from __future__ import annotations

import os
import signal
import socket
import threading
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

    Signals that have a handler already (submitit requeues on SIGUSR2) are left alone, and so is everything when this is
    not the main thread. Python runs its handlers between two of its own steps only; in the middle of a long product a
    second thread learns of the signal, because the interpreter writes each one to a socket at once.
    """
    main = threading.current_thread() is threading.main_thread()
    numbers = [number for number in SIGNALS if main and signal.getsignal(number) is signal.SIG_DFL]
    if not numbers:
        yield
        return
    reader, writer = socket.socketpair()
    left = threading.Event()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _raise)
    threading.Thread(target=_watch, args=(reader, numbers, grace, left), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        left.set()
        writer.close()


def _raise(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # the first is enough
    raise Interrupted(number)


def _watch(reader: socket.socket, numbers: list[signal.Signals], grace: float, left: threading.Event) -> None:
    with reader:
        while received := reader.recv(1):
            if received[0] in numbers and not left.wait(grace):
                os.write(2, f"{Interrupted(received[0])}\n".encode())
                os._exit(128 + received[0])
