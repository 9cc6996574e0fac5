"""A model minus its decoder blocks: found by running it, not by a list of architectures.

The modules whose outputs feed one another from the embeddings to the head are the blocks. With their forward methods
replaced by recorders the model is still runnable: one cheap call yields the first block's input and every block's own
arguments (they differ between blocks where windows slide), and the same trick runs the model's own head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from mbs.engine.switches import evaluating
from mbs.errors import MbsError

PROBE_TOKENS = 5


@dataclass(frozen=True)
class Call:
    """One call of one module: its first floating-point input, its first output, and the length of a tuple output."""

    name: str
    module: nn.Module
    input: Tensor | None
    output: Tensor | None
    arity: int


@dataclass(frozen=True)
class Arguments:
    """What a block was given besides the hidden state, which stands first."""

    positional: tuple[Any, ...]
    named: dict[str, Any]

    def call(self, module: nn.Module, h: Tensor) -> Tensor:
        """The block's next hidden state."""
        return first_tensor(module(h, *self.positional, **self.named))


def first_tensor(output: object) -> Tensor:
    """The hidden state in what a block returned: the tensor itself, or the first of a tuple."""
    return cast(Tensor, output[0] if isinstance(output, tuple) else output)


def trace(model: nn.Module, ids: Tensor) -> list[Call]:
    """Every module call of one forward pass, in the order of completion."""
    calls: list[Call] = []
    handles: list[RemovableHandle] = []

    def hook(name: str) -> Callable[..., None]:
        def record(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object) -> None:
            floating = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor) and x.is_floating_point()]
            arity = len(output) if isinstance(output, tuple) else 0
            first = output[0] if isinstance(output, tuple) and output else output
            produced = first if isinstance(first, Tensor) else None
            calls.append(Call(name, module, floating[0] if floating else None, produced, arity))

        return record

    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(hook(name), with_kwargs=True))
    try:
        with torch.no_grad():
            model(ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def find_blocks(calls: Sequence[Call]) -> list[Call]:
    """The heaviest chain of sibling modules that hand one hidden state on without changing its shape."""
    siblings: dict[str, list[Call]] = {}
    for call in calls:
        keeps_shape = call.input is not None and call.output is not None and call.input.shape == call.output.shape
        if call.name and keeps_shape:
            siblings.setdefault(call.name.rpartition(".")[0], []).append(call)
    best: list[Call] = []
    for group in siblings.values():
        chain: list[Call] = []
        for call in group:
            chain = [*chain, call] if chain and call.input is chain[-1].output else [call]
            if _matrix_weights(chain) > _matrix_weights(best):
                best = chain
    if not best:
        raise MbsError("no decoder blocks found: no modules hand a hidden state on", "a decoder-only language model")
    return best


def _matrix_weights(chain: Sequence[Call]) -> int:
    return sum(p.numel() for call in chain for p in call.module.parameters() if p.ndim > 1)


class Skeleton:
    """Embeddings, masks, final norm and head of a causal language model, run by the model's own code.

    Raises MbsError for a model that it cannot take apart without changing its logits.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        if getattr(model.config, "is_encoder_decoder", False):
            raise MbsError(f"{type(model).__name__} has an encoder", "a decoder-only causal language model")
        self.model = model
        self.device = next(model.parameters()).device
        self.vocabulary = int(cast(nn.Linear, model.get_output_embeddings()).weight.shape[0])
        ids = torch.arange(1, PROBE_TOKENS + 1, device=self.device)[None] % self.vocabulary
        with evaluating(model):
            self.calls = trace(model, ids)
            self.chain = find_blocks(self.calls)
            self._verify_complete()
            self._verify_logits(ids)

    def enter(self, ids: Tensor, like: Sequence[Arguments] | None = None) -> tuple[Tensor, list[Arguments]]:
        """The first block's input `[B, T, C]` for tokens `[B, T]`, and every block's own arguments.

        Tensors equal to those in `like` (the arguments of another batch) are shared with it, to save memory.
        """
        states: list[Tensor] = []
        arguments: list[Arguments] = []

        def recorder(k: int) -> Callable[..., Any]:
            def record(*args: Any, **kwargs: Any) -> Any:
                named = dict(kwargs)
                h = args[0] if args else named.pop("hidden_states")
                states.append(h)
                arguments.append(Arguments(args[1:], named))
                return self._returned(k, h)

            return record

        with torch.no_grad(), self._replaced(recorder):
            self.model.base_model(ids.to(self.device), use_cache=False)
        if like is not None:
            arguments = [Arguments(*_shared((new.positional, new.named), (old.positional, old.named)))
                         for new, old in zip(arguments, like, strict=True)]  # fmt: skip
        return states[0], arguments

    def leave(self, h: Tensor) -> Tensor:
        """The logits `[B, T, V]` of final states `[B, T, C]`, by the model's own head; T must fit its context."""

        def passing(k: int) -> Callable[..., Any]:
            return lambda *args, **kwargs: self._returned(k, h)

        ids = torch.zeros(h.shape[:2], dtype=torch.long, device=h.device)
        with torch.no_grad(), self._replaced(passing):
            return cast(Tensor, self.model(ids, use_cache=False).logits)

    @contextmanager
    def _replaced(self, forward: Callable[[int], Callable[..., Any]]) -> Iterator[None]:
        """Swap the blocks' forward methods only: the blocks stay in place, so the model still sees their attributes."""
        for k, call in enumerate(self.chain):
            call.module.forward = forward(k)
        try:
            yield
        finally:
            for call in self.chain:
                del call.module.forward

    def _returned(self, k: int, h: Tensor) -> Any:
        """The hidden state in the form in which block k returns it."""
        arity = self.chain[k].arity
        return (h, *[None] * (arity - 1)) if arity else h

    def _verify_complete(self) -> None:
        parent = self.model.get_submodule(self.chain[0].name.rpartition(".")[0])
        if isinstance(parent, nn.ModuleList) and len(parent) != len(self.chain):
            raise MbsError(
                f"{type(self.model).__name__}: {len(parent) - len(self.chain)} of {len(parent)} blocks do not take the"
                " state that the block before them returns",
                "blocks that hand on one hidden state and nothing else",
            )

    def _verify_logits(self, ids: Tensor) -> None:
        h, arguments = self.enter(ids)
        if len(arguments) != len(self.chain):
            raise MbsError(f"{len(self.chain)} blocks found, {len(arguments)} calls seen", "each block called once")
        other_end = torch.cat([ids[:, :-1], (ids[:, -1:] + 1) % self.vocabulary], dim=1)
        with torch.no_grad():
            expected = self.model(ids, use_cache=False).logits
            foreseen = (self.model(other_end, use_cache=False).logits - expected)[:, :-1].abs().max().item()
            for call, argument in zip(self.chain, arguments, strict=True):
                h = argument.call(call.module, h)
            difference = (self.leave(h) - expected).abs().max().item()
        if not foreseen <= 1e-5 * expected.abs().max().item():
            raise MbsError(f"{type(self.model).__name__} looks at later tokens", "a causal language model")
        if not difference <= 1e-4 * expected.abs().max().item():
            raise MbsError(
                f"{type(self.model).__name__} run block by block gives other logits (difference {difference:.2g})",
                "a model whose blocks hand on one hidden state and nothing else",
            )


def _shared(new: Any, old: Any) -> Any:
    """`new` with every tensor that equals its counterpart in `old` replaced by that counterpart."""
    if isinstance(new, Tensor):
        same = isinstance(old, Tensor) and new.shape == old.shape and new.dtype == old.dtype and torch.equal(new, old)
        return old if same else new
    if isinstance(new, dict) and isinstance(old, dict) and new.keys() == old.keys():
        return {key: _shared(value, old[key]) for key, value in new.items()}
    if type(new) is tuple and type(old) is tuple and len(new) == len(old):
        return tuple(_shared(a, b) for a, b in zip(new, old, strict=True))
    return new
