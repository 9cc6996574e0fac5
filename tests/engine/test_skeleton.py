"""The walk gives the model's own logits for every architecture, and refuses what it cannot take apart."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from conftest import CONFIGS, VOCABULARY, random_model
from torch import Tensor, nn
from transformers import (
    BertConfig,
    MixtralConfig,
    PreTrainedModel,
    Qwen3MoeConfig,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from mbs.engine.blocks import MemoryBlocks
from mbs.engine.skeleton import Skeleton
from mbs.engine.walk import Batch, Hidden
from mbs.errors import MbsError

LONG = 40  # longer than every sliding window in CONFIGS


def walked(skeleton: Skeleton, ids: Tensor) -> Tensor:
    blocks = MemoryBlocks(skeleton)
    hidden = Hidden(skeleton, [Batch(ids[:1], (0,)), Batch(ids[1:], (1, 2))])
    for k in range(len(blocks)):
        with torch.no_grad():
            hidden.advance(blocks.load(k))
    return torch.cat([skeleton.leave(h) for h in hidden.h])


@pytest.mark.parametrize("architecture", CONFIGS)
def test_walk_equals_model(architecture: str) -> None:
    model = random_model(architecture)
    skeleton = Skeleton(model)
    ids = torch.randint(4, VOCABULARY, (3, LONG), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = torch.cat([model(ids[:1], use_cache=False).logits, model(ids[1:], use_cache=False).logits])
    assert len(skeleton.chain) == model.config.num_hidden_layers
    assert torch.equal(walked(skeleton, ids), expected)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_blocks_reach_every_linear_once_and_share_sites(architecture: str) -> None:
    model = random_model(architecture)
    blocks = MemoryBlocks(Skeleton(model))
    names = [linear.name for k in range(len(blocks)) for linear in blocks.load(k).linears]
    assert len(names) == len(set(names))
    block = blocks.load(0)
    weights = sum(p.numel() for p in block.module.parameters() if p.ndim == 2)
    assert sum(linear.W.numel() for linear in block.linears) == weights
    sizes = sorted(len(site.linears) for site in block.sites)
    expected = {"bloom": [1, 1, 1, 1], "gpt2": [1, 1, 1, 1], "opt": [1, 1, 1, 3], "xglm": [1, 1, 1, 3]}
    assert sizes == expected.get(architecture, [1, 1, 2, 3])


def test_reusing_the_first_blocks_arguments_would_be_wrong() -> None:
    """The reason for recording each block's own arguments: in Gemma 3 they differ, and the logits would move."""
    model = random_model("gemma3")
    skeleton = Skeleton(model)
    ids = torch.randint(4, VOCABULARY, (1, LONG), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        h, arguments = skeleton.enter(ids)
        for call in skeleton.chain:
            h = arguments[0].call(call.module, h)
        assert (skeleton.leave(h) - model(ids).logits).abs().max() > 1e-3


def test_arguments_are_shared_between_batches() -> None:
    skeleton = Skeleton(random_model("bloom"))
    ids = torch.randint(4, VOCABULARY, (2, LONG))
    _, first = skeleton.enter(ids)
    _, second = skeleton.enter(ids.flip(1), like=first)
    tensors = [value for value in second[0].named.values() if isinstance(value, Tensor)]
    assert tensors
    assert all(any(value is old for old in first[0].named.values()) for value in tensors)


def test_a_single_block_is_found() -> None:
    config = CONFIGS["llama"]()
    config.num_hidden_layers = 1
    assert len(Skeleton(AutoModelForCausalLM.from_config(config).eval()).chain) == 1


def test_forward_methods_are_put_back() -> None:
    model = random_model("bloom")
    skeleton = Skeleton(model)
    skeleton.enter(torch.arange(1, 5)[None])
    assert all("forward" not in vars(call.module) for call in skeleton.chain)


def test_encoder_decoder_is_refused() -> None:
    config = T5Config(vocab_size=50, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=4)
    with pytest.raises(MbsError, match="decoder-only"):
        Skeleton(T5ForConditionalGeneration(config))


def test_a_model_that_looks_ahead_is_refused() -> None:
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32)
    with pytest.raises(MbsError, match="looks at later tokens"):
        Skeleton(AutoModelForCausalLM.from_config(config).eval())


def test_experts_in_3d_tensors_are_refused() -> None:
    common: dict[str, Any] = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
              "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip
    for config in (
        Qwen3MoeConfig(**common, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16),
        MixtralConfig(**common),
    ):
        model = AutoModelForCausalLM.from_config(config).eval()
        with pytest.raises(MbsError, match="not in linear layers"):
            MemoryBlocks(Skeleton(model))


def blocks_of(model: PreTrainedModel) -> nn.ModuleList:
    return cast(nn.ModuleList, model.get_submodule("transformer.h"))


def test_blocks_outside_the_chain_are_refused() -> None:
    """A model that works on the state between blocks would otherwise lose its first blocks from sight."""
    model = random_model("bloom")
    blocks_of(model)[1].register_forward_pre_hook(lambda module, args: (args[0] * 0.5, *args[1:]))
    with pytest.raises(MbsError, match="1 of 3"):
        Skeleton(model)


def test_a_block_that_depends_on_more_than_its_input_is_refused() -> None:
    model = random_model("bloom")
    embedded: list[Tensor] = []
    model.get_submodule("transformer.word_embeddings").register_forward_hook(
        lambda module, args, output: embedded.append(output)
    )
    blocks_of(model)[1].register_forward_hook(lambda module, args, output: (output[0] + embedded[-1], *output[1:]))
    with pytest.raises(MbsError, match="block by block"):
        Skeleton(model)
