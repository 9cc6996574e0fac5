"""The compressed model of a run: taken from where it was saved, gone on with, or made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from mbs.compression.compress import compress_model
from mbs.compression.layer_reports import LayerReport, as_arrays, reports_of, sampled
from mbs.engine.blocks import Block, Blocks, Linear
from mbs.engine.checkpoint import checkpoint_digest, open_model
from mbs.engine.save import save_model
from mbs.engine.skeleton import Skeleton
from mbs.errors import MbsError
from mbs.run.inputs import Inputs
from mbs.run.settings import Settings
from mbs.storage.cache import Arrays, Store
from mbs.storage.digests import digest


@dataclass
class Compression:
    """Turns the model in `blocks` into the compressed one, once, when it is first needed.

    `decides` holds everything that its weights follow from. `note` hears where they come from when they are not made
    from the beginning.
    """

    settings: Settings
    skeleton: Skeleton
    blocks: Blocks
    inputs: Inputs
    stored: torch.dtype
    computed: Mapping[str, object]
    store: Store
    note: Callable[[str], None]
    progress: Callable[[Block], None] = lambda block: None
    _reports: list[LayerReport] | None = field(default=None, init=False)
    _done: bool = field(default=False, init=False)

    @property
    def decides(self) -> dict[str, object]:
        """The model, the text, the method, and how it is computed."""
        config, calibration = self.settings.config, self.inputs.calibration
        return {
            **self.computed,
            "calibration": calibration.content_hash if calibration else None,
            "pruner": config.get("pruner"),
            "sparsity": config.get("sparsity"),
            "batch_tokens": self.settings.batch_tokens,
            "stored": str(self.stored),
        }

    @property
    def whole_masks(self) -> bool:
        """Whether all of every mask is kept, not a sample."""
        return self.settings.save != "none"

    @property
    def leftovers(self) -> list[str]:
        """The files in the store that are of no use when the run is done."""
        return [] if self._quick else [self.store.name("block", self._block(k)) for k in range(len(self.blocks))]

    @property
    def reports(self) -> list[LayerReport]:
        """What became of each layer."""
        if self._reports is None:
            self._reports = self._held_reports()
        if self._reports is None:
            self.ready()
        assert self._reports is not None
        return self._reports

    def known(self) -> bool:
        """Whether it has been made before, so that its reports, if not its weights, are in the store."""
        return any(self.store.has("layers", self._layers(whole)) for whole in {self.whole_masks, True})

    def forget(self) -> None:
        """Make it anew, whatever the store holds."""
        for whole in (False, True):
            self.store.drop("layers", self._layers(whole))
        self.store.drop("saved", self.decides)
        for k in range(len(self.blocks)):
            self.store.drop("block", self._block(k))

    def ready(self) -> None:
        """Have the compressed weights in the model."""
        if self._done:
            return
        if not self._take_saved():
            self._compress()
        self._done = True

    def save(self, folder: Path, directory: str) -> None:
        """Save it as `folder/model`, and remember that it will be in `directory` of the outputs."""
        self.ready()
        save_model(self.skeleton.model, self.inputs.tokenizer, self.inputs.folder, folder / "model", self.stored)
        place = {"directory": directory, "digest": checkpoint_digest(folder / "model")}
        self.store.drop("saved", self.decides)
        self.store.stage("saved", self.decides, lambda: {key: np.array(value) for key, value in place.items()})

    def has(self, k: int) -> bool:
        """Whether block k is finished."""
        return self.store.has("block", self._block(k))

    def held(self, k: int) -> Arrays | None:
        """Finished block k."""
        return self.store.held("block", self._block(k))

    def stage(self, k: int, make: Callable[[], Arrays]) -> Arrays:
        """Finished block k, made by one process at a time."""
        return self.store.stage("block", self._block(k), make)

    def _block(self, k: int) -> dict[str, object]:
        return {"compression": digest(self.decides), "whole_masks": self.whole_masks, "block": k}

    def _layers(self, whole: bool) -> dict[str, object]:
        return {**self.decides, "whole_masks": whole}

    @property
    def _quick(self) -> bool:
        """Whether it is made in no time, without calibration text: then its blocks are not kept on the way."""
        return self.inputs.calibration is None

    def _held_reports(self) -> list[LayerReport] | None:
        """The reports in the store, with whole masks or samples of them as they are wanted."""
        held = self.store.held("layers", self._layers(self.whole_masks))
        if held is not None or self.whole_masks:
            return None if held is None else reports_of(held)
        held = self.store.held("layers", self._layers(True))
        return None if held is None else [sampled(report) for report in reports_of(held)]

    def _compress(self) -> None:
        done = sum(self.has(k) for k in range(len(self.blocks)))
        if done:
            self.note(f"going on: {done} of {len(self.blocks)} blocks are finished")
        elif self.known():
            self.note("compressing again: the compressed model is not there (save=true keeps it)")
        with tqdm(total=len(self.blocks), desc="blocks", disable=None, leave=False) as bar:

            def progress(block: Block) -> None:
                bar.update()
                self.progress(block)

            reports = compress_model(
                self.skeleton,
                self.blocks,
                self.inputs.calibration,
                self.settings.pruner,
                self.settings.sparsity,
                self.settings.batch_tokens,
                whole_masks=self.whole_masks,
                stored=self.stored,
                progress=progress,
                kept=None if self._quick else self,
            )
        layers = self.store.stage("layers", self._layers(self.whole_masks), lambda: as_arrays(reports))
        self._reports = reports_of(layers)

    def _take_saved(self) -> bool:
        """Take the weights of the saved model, if it is there and what it was; nothing is taken in part."""
        held, reports = self.store.held("saved", self.decides), self._held_reports()
        if held is None or reports is None:
            return False
        folder = self.settings.outputs / str(held["directory"]) / "model"
        try:
            if checkpoint_digest(folder, self.store.digest_of) != str(held["digest"]):
                self.store.warn(f"{folder} is not what was saved there, and is not used")
                return False
            saved: Any = open_model(folder, str(self.stored).removeprefix("torch."), str(self.skeleton.device))
        except (OSError, MbsError):
            return False
        self.note(f"taking the compressed model from {folder}")
        for k in range(len(self.blocks)):
            block = self.blocks.load(k)
            for linear in block.linears:
                linear.W.copy_(Linear(linear.name, saved.get_submodule(linear.name)).W)
        self._reports = reports
        return True
