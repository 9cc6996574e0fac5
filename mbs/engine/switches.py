"""Process-wide switches that cost or save time, set for a while and put back."""

from __future__ import annotations

import ctypes
import platform
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from transformers.utils import logging

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # glibc's numbers of these parameters
CEILING = (
    32 * 2**20
)  # the largest block that glibc takes from its heap; its own rule ends there once such a block is freed
KEPT = 512 * 2**20


@contextmanager
def kept_pages() -> Iterator[None]:
    """Keep freed memory instead of giving it back: fresh pages come many times slower than they are filled.

    Afterwards the thresholds are where glibc's own rule arrives, and free memory is given back. Without glibc nothing
    happens.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(MMAP_THRESHOLD, CEILING)
    libc.mallopt(TRIM_THRESHOLD, KEPT)
    try:
        yield
    finally:
        libc.mallopt(TRIM_THRESHOLD, 2 * CEILING)
        libc.malloc_trim(0)


@contextmanager
def no_denormals() -> Iterator[None]:
    """Numbers below 1.2e-38 count as zero: the tail of a softmax is full of them, and processors are slow on them.

    The processor keeps this per thread. The calling thread's is put back; torch's other threads have what the thread
    had that started them, which is this, for good, only if their first work falls in here.
    """
    before = float(torch.full((1,), 1e-39).mul_(1.0)) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread within torch, so that sums are made in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for the whole model; afterwards every module has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Whatever is seeded or drawn meanwhile, the states of random, numpy and torch are afterwards as they were."""
    state, numpy_state = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars of transformers, and of its log lines errors alone."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
