"""The engine against naive renderings, the fast paths against the slow, the numbers against float64."""

from __future__ import annotations

import math
import time
from decimal import Decimal
from typing import Any, cast

import naive
import numpy as np
import pytest
import torch
from conftest import CONFIGS, VOCABULARY, random_model
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from mbs.compression.compress import as_stored, compress_model
from mbs.compression.gram import Gram, invert_, symmetric_product
from mbs.compression.layer_reports import LayerReport
from mbs.compression.method import Pruner, Solution
from mbs.compression.moments import SiteMoments
from mbs.compression.pruners.magnitude import Magnitude
from mbs.compression.pruners.masks import drop_of_each, drop_smallest, select, select_by_topk
from mbs.compression.pruners.sparsegpt import SparseGPT
from mbs.compression.pruners.sparsegpt_columns import sweep_
from mbs.compression.pruners.sparsegpt_published import published
from mbs.compression.pruners.wanda import Wanda
from mbs.compression.sparsity import NOfM, Sparsity, Unstructured
from mbs.data.sampler import CalibrationSet
from mbs.engine.blocks import MemoryBlocks
from mbs.engine.fused import _Alibi, fast
from mbs.engine.matmul import measure, probe, using
from mbs.engine.skeleton import Skeleton
from mbs.engine.switches import kept_pages, no_denormals, one_thread
from mbs.errors import MbsError

CPU = torch.device("cpu")
HALF = Unstructured(0.5)


def rows(count: int = 6, length: int = 24) -> CalibrationSet:
    tokens = np.random.default_rng(3).integers(4, VOCABULARY, (count, length))
    return CalibrationSet(tokens, ("en",) * (count // 2) + ("sw",) * (count - count // 2), (("d",),) * count)


def compressed(
    model: PreTrainedModel, pruner: Pruner, sparsity: Sparsity, stored: torch.dtype | None = None
) -> list[LayerReport]:
    skeleton = Skeleton(model)
    return compress_model(
        skeleton, MemoryBlocks(skeleton), rows(), pruner, sparsity, batch_tokens=48, whole_masks=True, stored=stored
    )


def masks_of(reports: list[LayerReport]) -> dict[str, Tensor]:
    return {
        r.name: torch.from_numpy(np.unpackbits(r.mask, count=math.prod(r.shape)).astype(bool)).view(r.shape)
        for r in reports
    }


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


def published_order(W: Tensor, X: list[Tensor], sparsity: Sparsity, block: int) -> Tensor:
    """The published operations on one layer, for sequences `[T, C]`: the Gram matrix, then the columns."""
    C = W.shape[1]
    H = torch.zeros(C, C)
    for before, sequence in enumerate(X):
        H *= before / (before + 1)
        x = math.sqrt(2 / (before + 1)) * sequence.t().float()
        H += x.matmul(x.t())
    dead = torch.diag(H) == 0
    H[dead, dead] = 1
    W = W.clone().float()
    W[:, dead] = 0
    damp = 0.01 * torch.mean(torch.diag(H))
    diag = torch.arange(C)
    H[diag, diag] += damp
    Hinv = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)
    for first in range(0, C, block):
        last = min(first + block, C)
        W1, H1 = W[:, first:last].clone(), Hinv[first:last, first:last]
        Q1, E1 = torch.zeros_like(W1), torch.zeros_like(W1)
        M1 = torch.zeros_like(W1) == 1
        if isinstance(sparsity, Unstructured):
            S = W1**2 / (torch.diag(H1).reshape((1, -1))) ** 2
            M1 = torch.sort(S.flatten())[0][int(S.numel() * float(sparsity.ratio))] >= S
        for i in range(last - first):
            if isinstance(sparsity, NOfM) and i % sparsity.m == 0:
                S = W1[:, i : i + sparsity.m] ** 2 / (torch.diag(H1)[i : i + sparsity.m].reshape((1, -1))) ** 2
                M1.scatter_(1, i + torch.topk(S, sparsity.m - sparsity.n, dim=1, largest=False)[1], True)
            q = W1[:, i].clone()
            q[M1[:, i]] = 0
            Q1[:, i] = q
            e = (W1[:, i] - q) / H1[i, i]
            W1[:, i:] -= e.unsqueeze(1).matmul(H1[i, i:].unsqueeze(0))
            E1[:, i] = e
        W[:, first:last] = Q1
        W[:, last:] -= E1.matmul(Hinv[first:last, last:])
    return W


@pytest.mark.parametrize("sparsity", [HALF, Unstructured(0.7), NOfM(2, 4)])
@pytest.mark.parametrize("architecture", CONFIGS)
def test_exact_sparsegpt_is_the_published_one_to_the_bit(architecture: str, sparsity: Sparsity) -> None:
    ours, theirs = random_model(architecture), random_model(architecture)
    compressed(ours, SparseGPT(exact=True, block=16), sparsity)
    skeleton = Skeleton(theirs)
    blocks = MemoryBlocks(skeleton)
    entered = [skeleton.enter(torch.from_numpy(row)[None]) for row in rows().tokens]
    states = [h for h, _ in entered]
    with torch.no_grad():
        for k in range(len(blocks)):
            block = blocks.load(k)
            inputs: dict[str, list[Tensor]] = {}
            handles = []
            for linear in block.linears:

                def keep(
                    module: nn.Module, args: tuple[Tensor, ...], name: str = linear.name, into: Any = inputs
                ) -> None:
                    into.setdefault(name, []).append(args[0].flatten(0, -2))

                handles.append(linear.module.register_forward_pre_hook(keep))
            for h, (_, arguments) in zip(states, entered, strict=True):
                arguments[k].call(block.module, h)
            for handle in handles:
                handle.remove()
            for linear in block.linears:
                linear.W.copy_(published_order(linear.W, inputs[linear.name], sparsity, 16))
            states = [arguments[k].call(block.module, h) for h, (_, arguments) in zip(states, entered, strict=True)]
    for (name, W), new in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(W, new), name


def test_exact_refuses_what_the_published_code_cannot_do() -> None:
    W = torch.randn(4, 8)
    with pytest.raises(MbsError, match=r"a multiple of 4.*try pruner\.block=4$"):
        SparseGPT(exact=True, block=6).check(NOfM(2, 4))
    with pytest.raises(MbsError, match=r"try pruner\.variant=false"):
        compressed(random_model("bloom"), Wanda(variant=True), NOfM(2, 4))
    with pytest.raises(MbsError, match=r"try pruner\.damping=0\.1, or pruner\.exact=false"):
        published(W, -torch.eye(8), HALF, 0.01, 128)


@given(
    st.integers(1, 7), st.integers(1, 40), st.integers(1, 48), st.decimals(0, Decimal("0.99"), places=2), st.booleans()
)
def test_sparsegpt_counts_are_exact_even_with_ties(R: int, C: int, block: int, ratio: Decimal, equal: bool) -> None:
    W = torch.ones(R, C) if equal else torch.randn(R, C, generator=torch.Generator().manual_seed(R * C))
    sparsity = Unstructured(str(ratio))
    keep = sweep_(W.t().contiguous(), torch.eye(C), sparsity, block)
    for end in [*range(block, C, block), C]:
        assert int((~keep[:end]).sum()) == int(R * end * ratio)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 20), st.integers(1, 64), st.booleans(), st.data())
def test_sparsegpt_keeps_n_of_m(R: int, groups: int, m: int, block: int, equal: bool, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, m))
    C = groups * m
    generator = torch.Generator().manual_seed(C)
    W = torch.ones(R, C) if equal else torch.randn(R, C, generator=generator)
    V = torch.eye(C) + torch.randn(C, C, generator=generator).tril(-1) / C
    Wt = W.t().contiguous()
    keep = sweep_(Wt, V, NOfM(n, m), block)
    assert (keep.view(groups, m, R).sum(dim=1) == n).all()
    assert (Wt[~keep] == 0).all()


@given(st.integers(1, 12), st.integers(1, 9), st.data())
def test_drop_of_each_is_a_stable_sort(m: int, columns: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, m))
    groups = torch.randint(0, 4, (m, columns), generator=torch.Generator().manual_seed(m * columns)).float()
    order = groups.argsort(dim=0, stable=True)
    expected = torch.ones(m, columns, dtype=torch.bool).scatter_(0, order[:count], torch.zeros(count, columns).bool())
    assert torch.equal(drop_of_each(groups, count), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_selection_by_partition_and_by_topk_agree(dtype: torch.dtype) -> None:
    for score in (torch.randn(5, 301, generator=torch.Generator().manual_seed(0)), torch.ones(5, 301)):
        score = score.to(dtype)
        for count in (1, 150, 301):
            assert torch.equal(select(score, count), select_by_topk(score, count))
            assert int((~drop_smallest(score, count)).sum()) == 5 * count


@pytest.mark.parametrize("shape", [(4, 8), (1, 8)])
def test_solving_leaves_the_old_weights_alone(shape: tuple[int, int]) -> None:
    R, C = shape
    site = SiteMoments(frozenset({"sq", "gram"}), "site", 1, C, CPU, "none")
    site.add(torch.randn(1, 40, C, generator=torch.Generator().manual_seed(0)), [0])
    W = torch.randn(C, R, generator=torch.Generator().manual_seed(1)).t()
    before = W.clone()
    new = SparseGPT().solve(W, site.mix(), HALF).W
    assert torch.equal(W, before)
    assert not (torch.signbit(new) & (new == 0)).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_folded_bias_keeps_its_digits(dtype: torch.dtype) -> None:
    """What query and key features make of it: heads of 128, a steep slope, a length at which float16 ends."""
    B, T, heads, D = 1, 8000, 2, 128
    slopes = torch.tensor([0.84, 0.01])[:, None, None]
    alibi = (slopes * torch.arange(T)).to(dtype)
    qkv = _Alibi()._with_bias(torch.zeros(B, T, heads, 3, D, dtype=dtype), alibi).double()
    folded = (qkv[0, 0, ..., D:] * qkv[1, 0, ..., D:]).sum(-1) / math.sqrt(D)
    assert torch.allclose(folded, alibi[:, 0].double(), rtol=2.0**-15, atol=1e-6)


def test_a_dead_feature_loses_its_weights() -> None:
    X = torch.randn(50, 12, generator=torch.Generator().manual_seed(0))
    X[:, 5] = 0
    W = torch.randn(6, 12, generator=torch.Generator().manual_seed(1))
    site = SiteMoments(frozenset({"sq", "gram"}), "site", 1, 12, CPU, "none")
    site.add(X[None], [0])
    solution = SparseGPT().solve(W, site.mix(), Unstructured(0.25))
    new, mask = naive.sparsegpt(Unstructured(0.25), 128)(W.double(), (X.t() @ X).double(), solution.mask)
    assert torch.equal(solution.mask, mask)
    assert torch.allclose(solution.W.double(), new, atol=1e-5)
    assert (solution.W[:, 5] == 0).all()


def spread(C: int) -> Tensor:
    """Activations with correlated features of very different size."""
    generator = torch.Generator().manual_seed(C)
    mixed = torch.randn(2 * C, C, generator=generator) @ torch.randn(C, C, generator=generator)
    return cast(Tensor, mixed / C**0.5)


@pytest.mark.parametrize("C", [1, 7, 256, 700, 2100])
def test_the_factor_is_that_of_the_inverse(C: int) -> None:
    gram = Gram("site", C, CPU)
    X = spread(C)
    gram.add(X)
    factor = gram.factor(0.01)
    G = X.double().t() @ X.double()
    H = G + 0.01 * G.diagonal().mean() * torch.eye(C)
    U = torch.linalg.cholesky(torch.linalg.inv(H), upper=True)
    assert torch.allclose(factor.V.t().double(), U, atol=1e-4 * float(U.abs().max()))
    assert torch.equal(factor.V, factor.V.tril())
    assert 0.2 * torch.linalg.cond(H) < factor.condition <= 1.001 * torch.linalg.cond(H)
    assert gram.factor(0.01) is factor


def test_lower_triangles_are_enough() -> None:
    X = spread(600)
    gram = Gram("site", 600, CPU)
    gram.add(X)
    G = X.double().t() @ X.double()
    W = torch.randn(9, 600, generator=torch.Generator().manual_seed(0))
    assert gram.energy(W) == pytest.approx(float((W.double() @ G * W).sum()), rel=1e-5)
    assert torch.allclose(symmetric_product(gram.G, W[0]).double(), G @ W[0].double(), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gram_matrices_stay_near_float64(dtype: torch.dtype) -> None:
    """The stated error: 1e-6 of the largest entry after 32 x 1024 tokens."""
    gram = Gram("site", 300, CPU, probe(CPU).narrow)
    exact = torch.zeros(300, 300, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(32):
        X = torch.randn(1024, 300, generator=generator).to(dtype)
        gram.add(X)
        exact += X.double().t() @ X.double()
    difference = (gram.G.double().tril() - exact.tril()).abs().max() / exact.abs().max()
    assert difference < 1e-6
    assert gram.tokens == 32 * 1024


def test_damping_is_raised_by_the_schedule_and_then_refused() -> None:
    gram = Gram("h.0.dense", 2, CPU)
    gram.tokens = 5
    gram.G.copy_(torch.tensor([[1.0, 0.0], [1.05, 1.0]]))
    assert gram.factor(0.01).damping == pytest.approx(0.1)
    gram.G[1, 0] = 30
    with pytest.raises(MbsError, match=r"h\.0\.dense over 5 tokens is not positive definite, even with damping 20"):
        gram.factor(0.02)
    assert not invert_(torch.tensor([[1.0, 0.0], [float("nan"), 1.0]]))


def test_a_refused_matrix_is_named_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mbs.compression.gram.invert_", lambda H: False)
    with pytest.raises(
        MbsError, match=r"^block 0, transformer\.h\.0\.\S+: the Gram matrix of transformer\.h\.0\..*over 144 tokens"
    ):
        compressed(random_model("bloom"), SparseGPT(), HALF)


def test_weights_that_are_not_finite_are_refused() -> None:
    skeleton = Skeleton(random_model("gpt2"))
    blocks = MemoryBlocks(skeleton)
    blocks.load(1).linears[2].W[3, 4] = float("inf")
    with pytest.raises(MbsError, match=r"block 1: transformer\.h\.1\.mlp\.c_fc has weights that are NaN or infinite"):
        compress_model(skeleton, blocks, None, Magnitude(), HALF)


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


@pytest.mark.parametrize("architecture", CONFIGS)
def test_the_fast_paths_give_the_same_logits(architecture: str) -> None:
    model = random_model(architecture)
    ids = torch.randint(4, VOCABULARY, (3, 70), generator=torch.Generator().manual_seed(1))
    padding = torch.ones_like(ids)
    padding[0, :20] = 0
    for arguments in ({}, {"attention_mask": padding}):
        with torch.no_grad():
            slow = model(ids, use_cache=False, **arguments).logits
            with fast(model), fast(model):
                quick = model(ids, use_cache=False, **arguments).logits
            again = model(ids, use_cache=False, **arguments).logits
        seen = padding.bool() if arguments else torch.ones_like(ids).bool()
        assert torch.allclose(slow[seen], quick[seen], atol=2e-6 * float(slow.abs().max()), rtol=0)
        assert torch.equal(slow, again)
    assert not any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_fused_attention_in_half_precision_is_no_worse(dtype: torch.dtype) -> None:
    model = random_model("bloom")
    ids = torch.randint(4, VOCABULARY, (2, 90), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.to(dtype)  # type: ignore[arg-type]
        slow = model(ids, use_cache=False).logits.float()
        with fast(model):
            quick = model(ids, use_cache=False).logits.float()
        exact = model.double()(ids, use_cache=False).logits.float()
    assert (quick - exact).abs().mean() < 1.1 * (slow - exact).abs().mean()


def test_process_wide_flags_are_put_back() -> None:
    tiny, flags = torch.full((1,), 1e-39), cast(Any, torch.backends.mkldnn).matmul
    before, threads = flags.fp32_precision, torch.get_num_threads()

    def stop() -> None:
        with using("bf16"), no_denormals(), one_thread(), kept_pages():
            assert flags.fp32_precision == "bf16"
            assert float(tiny * 1) == 0
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stop()
    assert flags.fp32_precision == before
    assert float(tiny * 1) > 0
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


def test_the_probe_chooses_accurate_products() -> None:
    chosen = probe(CPU)
    A, B = (torch.randn(300, 300, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    with using(chosen.float32):
        assert torch.allclose(A @ B, (A.double() @ B.double()).float(), atol=1e-4)
    A, B = A.bfloat16().float(), B.bfloat16().float()
    with using(chosen.narrow):
        assert torch.allclose(A @ B, (A.double() @ B.double()).float(), atol=1e-4)
    assert all(rate > 0 for rate in chosen.gflops.values())
    assert probe(torch.device("meta")).float32 == "none"


@pytest.mark.guard("mbs/engine/matmul.py", "time.thread_time", "time.perf_counter")
def test_a_busy_machine_chooses_the_same_products(monkeypatch: pytest.MonkeyPatch) -> None:
    flags, original = cast(Any, torch.backends.mkldnn).matmul, torch.mm

    def interrupted(A: Tensor, B: Tensor, *, out: Tensor | None = None) -> Tensor:
        if out is None:
            return original(A, B)
        began = time.thread_time()
        while time.thread_time() - began < 0.002:
            pass
        if flags.fp32_precision == "none":  # other work takes the processor away
            time.sleep(0.02)
        return out

    monkeypatch.setattr(torch, "mm", interrupted)
    chosen = measure()
    assert (chosen.float32, chosen.narrow, chosen.bfloat16) == ("none", "none", False)


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


def test_a_small_weight_that_stays_does_not_become_zero() -> None:
    W = torch.tensor([[2e-8, -2e-8, 0.0, 1.0, -0.0]])
    mask = torch.tensor([[True, True, True, True, False]])
    stored = as_stored(Solution(W, mask), torch.float16)
    assert stored.tolist() == [[2.0**-24, -(2.0**-24), 0.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"damping": 0}, "pruner.damping=0"), ({"damping": True}, "above 0"), ({"block": 0}, "pruner.block=0"),
     ({"exact": "yes"}, "pruner.exact=yes; expected true or false")],
)  # fmt: skip
def test_wrong_settings_are_one_line(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(MbsError, match=words.replace(".", r"\.")):
        SparseGPT(**settings)
    with pytest.raises(MbsError, match=r"pruner\.variant=2"):
        Wanda(variant=2)  # type: ignore[arg-type]
    with pytest.raises(MbsError, match=r"unknown pruner\.per 'rows'.*try 'row'"):
        Magnitude(per="rows")


def test_means_are_gathered_for_a_pruner_that_needs_them() -> None:
    X = torch.randn(2, 37, 5, generator=torch.Generator().manual_seed(0))
    site = SiteMoments(frozenset({"sq", "mean"}), "site", 2, 5, CPU, "none")
    site.add(X, [1, 0])
    assert torch.allclose(site.of(1).mean, X[0].double().mean(dim=0))
    assert torch.allclose(site.mix().mean, X.double().mean(dim=(0, 1)))
    assert site.mix().gram is None
