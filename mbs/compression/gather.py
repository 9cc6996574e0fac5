"""Statistics of a block's inputs, gathered site by site while the block runs as far as its last site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.hooks import RemovableHandle

from mbs.compression.moments import SiteMoments
from mbs.engine.blocks import Block, Site
from mbs.engine.matmul import DEFAULT
from mbs.engine.walk import Batch, Hidden
from mbs.errors import MbsError


class _SeenAll(Exception):  # noqa: N818 - a signal, no error
    """The last site of the block has been reached; nothing that follows is needed."""


@dataclass(frozen=True)
class Gathering:
    """What to gather: the pruner's needs, the languages, and which of them each calibration row is in.

    `narrow` is how products of bfloat16 numbers are made (see `mbs.engine.matmul`).
    """

    needs: frozenset[str]
    languages: Sequence[str]
    of_row: Sequence[int]
    narrow: str = DEFAULT

    def of(self, block: Block, hidden: Hidden) -> Mapping[str, SiteMoments]:
        """The moments of every site of a block by name; the hidden states stay as they are.

        Raises MbsError, naming block, layer and language, when an activation is not finite.
        """
        gathered = {
            site.name: SiteMoments(self.needs, site.name, len(self.languages), site.width, _device(site), self.narrow)
            for site in block.sites
        }
        for number, batch in enumerate(hidden.batches):
            handles = [self._hook(site, batch, gathered[site.name], site is block.sites[-1]) for site in block.sites]
            try:
                hidden.run(block, number)
            except _SeenAll:
                pass
            finally:
                for handle in handles:
                    handle.remove()
        for name, moments in gathered.items():
            self._check_finite(block, name, moments)
        return gathered

    def _hook(self, site: Site, batch: Batch, moments: SiteMoments, last: bool) -> RemovableHandle:
        languages = [self.of_row[row] for row in batch.rows]

        def add(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
            X = args[0]
            if X.shape.numel() != batch.ids.numel() * site.width:
                raise MbsError(
                    f"{site.name} sees an input of shape {tuple(X.shape)} for tokens {tuple(batch.ids.shape)}",
                    "one input per token (mixtures of experts cannot be calibrated per language)",
                )
            moments.add(X.reshape(*batch.ids.shape, site.width), languages)
            if last:
                raise _SeenAll

        return site.linears[0].module.register_forward_pre_hook(add)

    def _check_finite(self, block: Block, site: str, moments: SiteMoments) -> None:
        finite = moments.sq.isfinite().all(dim=1)
        if not finite.all():
            language = self.languages[int((~finite).nonzero()[0])]
            raise MbsError(
                f"block {block.index}: the input of {site} holds NaN or infinity on text in {language}",
                "finite activations",
                "model.dtype=float32",
            )


def _device(site: Site) -> torch.device:
    return site.linears[0].W.device
