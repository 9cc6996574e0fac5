"""The compressed model of a run: read from where it was saved, continued after a stop, or made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from mbs.compression.compress import CompressOptions, compress
from mbs.compression.layer_reports import LayerReport, as_arrays, reports_of, sampled
from mbs.engine.blocks import Block, Linear
from mbs.engine.checkpoint import checkpoint_digest, open_model
from mbs.engine.model import BlockwiseModel
from mbs.errors import MbsError
from mbs.run.context import RunContext
from mbs.run.inputs import Inputs
from mbs.storage.cache import Arrays, Store
from mbs.storage.digests import digest


@dataclass
class CompressedModel:
    """Turns `model` into the compressed one, once, when it is first needed.

    `stored` is the dtype in which new weights are saved, `computed` holds what decides a number besides the method and
    the calibration text.
    """

    run: RunContext
    model: BlockwiseModel
    inputs: Inputs
    stored: torch.dtype
    computed: Mapping[str, object]
    _reports: list[LayerReport] | None = field(default=None, init=False)
    _ready: bool = field(default=False, init=False)

    @property
    def decides(self) -> dict[str, object]:
        """Everything that the weights follow from: the model, the text, the method, and how it is computed."""
        config, calibration = self.run.settings.config, self.inputs.calibration
        return {
            **self.computed,
            "calibration": calibration.content_hash if calibration else None,
            "pruner": config.get("pruner"),
            "sparsity": config.get("sparsity"),
            "batch_tokens": self.run.settings.batch_tokens,
            "stored": str(self.stored),
        }

    @property
    def whole_masks(self) -> bool:
        """Whether all of every mask is reported, not a sample."""
        return self.run.settings.save != "none"

    @property
    def reports(self) -> list[LayerReport]:
        """What became of each layer."""
        if self._reports is None:
            self._reports = self._stored_reports()
        if self._reports is None:
            self.prepare()
        assert self._reports is not None
        return self._reports

    def is_known(self) -> bool:
        """Whether it was made before, so that its reports, if not its weights, are in the store."""
        return any(self.run.store.has("layers", self._layers(whole)) for whole in {self.whole_masks, True})

    def forget(self) -> None:
        """Drop its reports and its saved weights from the store, so that it is made again."""
        for whole in (False, True):
            self.run.store.drop("layers", self._layers(whole))
        self.run.store.drop("saved", self.decides)

    def prepare(self) -> None:
        """Put the compressed weights into the model."""
        if not self._ready and not self._read_saved():
            self._compress()
        self._ready = True

    def save(self, folder: Path) -> None:
        """Save it as `folder/model`, and note in the store that it will be in the run's directory."""
        self.prepare()
        self.model.save(folder / "model", self.stored)
        place = {"directory": self.run.folder.path.name, "digest": checkpoint_digest(folder / "model")}
        self.run.store.drop("saved", self.decides)
        self.run.store.stage("saved", self.decides, lambda: {key: np.array(value) for key, value in place.items()})

    def _layers(self, whole: bool) -> dict[str, object]:
        return {**self.decides, "whole_masks": whole}

    def _stored_reports(self) -> list[LayerReport] | None:
        """The reports in the store, with whole masks or samples of them as the run wants them."""
        arrays = self.run.store.read("layers", self._layers(self.whole_masks))
        if arrays is not None or self.whole_masks:
            return None if arrays is None else reports_of(arrays)
        arrays = self.run.store.read("layers", self._layers(True))
        return None if arrays is None else [sampled(report) for report in reports_of(arrays)]

    def _compress(self) -> None:
        settings, log, total = self.run.settings, self.run.log, len(self.model.blocks)
        quick = self.inputs.calibration is None  # made in no time, so that blocks need not be kept
        blocks = StoredBlocks(self.run.folder.blocks, {"compression": digest(self._layers(self.whole_masks))})
        done = sum(blocks.has(k) for k in range(total))
        if done:
            log.note(f"going on: {done} of {total} blocks are finished")
        elif self.is_known():
            log.note("compressing again: the compressed model is not there (save=true keeps it)")
        with tqdm(total=total, desc="blocks", disable=None, leave=False) as bar:

            def progress(block: Block) -> None:
                bar.update()
                log.event(event="block", block=block.index)

            options = CompressOptions(
                settings.batch_tokens, self.whole_masks, self.stored, None if quick else blocks, progress
            )
            reports = compress(self.model, self.inputs.calibration, settings.pruner, settings.sparsity, options)
        arrays = self.run.store.stage("layers", self._layers(self.whole_masks), lambda: as_arrays(reports))
        self._reports = reports_of(arrays)

    def _read_saved(self) -> bool:
        """Read the weights of the saved model, if it is there and unchanged; all of them or none."""
        store = self.run.store
        place, reports = store.read("saved", self.decides), self._stored_reports()
        if place is None or reports is None:
            return False
        folder = self.run.settings.outputs / str(place["directory"]) / "model"
        try:
            if checkpoint_digest(folder, store.digest_of) != str(place["digest"]):
                store.warn(f"{folder} is not what was saved there, and is not used")
                return False
            saved: Any = open_model(folder, str(self.stored).removeprefix("torch."), str(self.model.device))
        except (OSError, MbsError):
            return False
        self.run.log.note(f"taking the compressed model from {folder}")
        for k in range(len(self.model.blocks)):
            for linear in self.model.blocks.load(k).linears:
                linear.W.copy_(Linear(linear.name, saved.get_submodule(linear.name)).W)
        self._reports = reports
        return True


@dataclass(frozen=True)
class StoredBlocks:
    """The finished blocks of one compression, in a store of their own."""

    store: Store
    key: Mapping[str, object]

    def has(self, k: int) -> bool:
        """Whether block k is finished."""
        return self.store.has("block", {**self.key, "block": k})

    def read(self, k: int) -> Arrays | None:
        """Block k, or None where it is missing or damaged."""
        return self.store.read("block", {**self.key, "block": k})

    def make_once(self, k: int, make: Callable[[], Arrays]) -> Arrays:
        """Block k, made by the callable if it is missing."""
        return self.store.stage("block", {**self.key, "block": k}, make)
