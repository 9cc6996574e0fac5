"""Every pruner against a naive rendering, and errors against their definition."""

from __future__ import annotations

from typing import cast

import naive
import pytest
import torch
from conftest import CONFIGS, random_model
from pruning import HALF, compressed, masks_of, rows
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from mbs.compression.method import Pruner
from mbs.compression.pruners.magnitude import Magnitude
from mbs.compression.pruners.sparsegpt import SparseGPT
from mbs.compression.pruners.wanda import Wanda
from mbs.compression.sparsity import NOfM, Sparsity, Unstructured

PAIRS: list[tuple[Pruner, Sparsity, naive.Rule]] = [
    (Magnitude(), HALF, naive.magnitude(HALF)),
    (Magnitude(per="row"), HALF, naive.magnitude(HALF, "row")),
    (Magnitude(), NOfM(2, 4), naive.magnitude(NOfM(2, 4))),
    (Wanda(), Unstructured(0.6), naive.wanda(Unstructured(0.6))),
    (Wanda(variant=True), HALF, naive.wanda(HALF, variant=True)),
    (Wanda(), NOfM(4, 8), naive.wanda(NOfM(4, 8))),
    (SparseGPT(), HALF, naive.sparsegpt(HALF, 128)),
    (SparseGPT(block=20), Unstructured(0.7), naive.sparsegpt(Unstructured(0.7), 20)),
    (SparseGPT(block=24, damping=0.1), NOfM(2, 4), naive.sparsegpt(NOfM(2, 4), 24, 0.1)),
    (SparseGPT(), NOfM(3, 16), naive.sparsegpt(NOfM(3, 16), 128)),
]


@pytest.mark.parametrize(("pruner", "sparsity", "rule"), PAIRS, ids=[f"{p}-{s.name}" for p, s, _ in PAIRS])
@pytest.mark.parametrize("architecture", CONFIGS)
def test_every_pruner_equals_the_naive_one(
    architecture: str, pruner: Pruner, sparsity: Sparsity, rule: naive.Rule
) -> None:
    ours, theirs = random_model(architecture), naive.double(random_model(architecture))
    masks = masks_of(compressed(ours, pruner, sparsity))
    expected = naive.prune(theirs, architecture, torch.from_numpy(rows().tokens), rule, masks)
    assert masks.keys() == expected.keys()
    for name in masks:
        assert torch.equal(masks[name], expected[name]), name
    for (name, W), new in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        # Rounding, by processor, comes to 1.4e-5 of the largest weight; damping wrong by one percent, to 0.5.
        assert torch.allclose(W.double(), new.double(), rtol=1e-4, atol=5e-5 * float(new.abs().max())), name
        assert not (torch.signbit(W) & (W == 0)).any()


@pytest.mark.parametrize("architecture", CONFIGS)
def test_errors_are_those_of_the_definition(architecture: str) -> None:
    """METHODS: `tr(dW G dW^T) / tr(W G W^T)`, and its diagonal form per language, for the first block."""
    model, before = random_model(architecture), naive.double(random_model(architecture))
    reports = {report.name: report for report in compressed(model, SparseGPT(), HALF)}
    block = naive.BLOCK_LISTS.get(architecture, "model.layers") + ".0."
    inputs: dict[str, list[Tensor]] = {}
    for name in reports:
        if name.startswith(block):

            def keep(module: nn.Module, args: tuple[Tensor, ...], name: str = name) -> None:
                inputs.setdefault(name, []).append(args[0].flatten(0, -2).double())

            before.get_submodule(name).register_forward_pre_hook(keep)
    with torch.no_grad():
        for row in rows().tokens:
            before(torch.from_numpy(row)[None], use_cache=False)
    assert inputs
    for name, X in inputs.items():
        W, new = (cast(Tensor, m.get_submodule(name).weight).detach().double() for m in (before, model))
        if isinstance(model.get_submodule(name), Conv1D):
            W, new = W.t(), new.t()
        x = torch.cat(X)
        error = ((W - new) @ x.t()).square().sum() / (W @ x.t()).square().sum()
        assert reports[name].error == pytest.approx(float(error), rel=1e-4)
        for language, own in (("en", torch.cat(X[:3])), ("sw", torch.cat(X[3:]))):
            s = own.square().sum(dim=0)
            diagonal = ((W - new).square() @ s).sum() / (W.square() @ s).sum()
            assert reports[name].errors[language] == pytest.approx(float(diagonal), rel=1e-4)
        assert reports[name].notes["damping"] == 0.01
        assert reports[name].notes["condition"] > 1


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("architecture", ["bloom", "gpt2", "llama"])
def test_weights_are_rounded_before_the_block_hands_on(architecture: str, stored: torch.dtype) -> None:
    ours, theirs = (random_model(architecture).to(stored).float() for _ in range(2))  # type: ignore[arg-type]
    masks = masks_of(compressed(ours, SparseGPT(), HALF, stored))
    tokens = torch.from_numpy(rows().tokens)
    expected = naive.prune(naive.double(theirs), architecture, tokens, naive.sparsegpt(HALF, 128), masks, stored)
    for name, mask in masks.items():
        assert torch.equal(mask, expected[name]), name
        W = cast(Tensor, ours.get_submodule(name).weight)
        assert torch.equal(W, W.to(stored).float())
