"""Multiply-accumulate operations and activations of an image, counted while it is restored."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from ..store.records import Operations

_aten = torch.ops.aten
_CONVOLUTIONS = frozenset(
    {
        _aten.convolution,
        _aten._convolution,
        _aten.conv1d,
        _aten.conv2d,
        _aten.conv3d,
        _aten.conv_transpose1d,
        _aten.conv_transpose2d,
        _aten.conv_transpose3d,
    }
)
"""Where gradients are off, convolutions come by their own names."""


def _of_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: object, **names: object) -> int:
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))  # type: ignore[no-untyped-call]


def _of_fused_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, width: int, *rest: object, **names: object
) -> int:
    """Three projections of the inputs, scores and their use over all heads, the projection of the output."""
    inputs = width * width * (2 * query.shape[:2].numel() + key.shape[:2].numel() + value.shape[:2].numel())
    return 2 * (inputs + 2 * query.shape[0] * query.shape[1] * key.shape[1] * width)


_FORMULAS = {
    **flop_registry,
    _aten._scaled_dot_product_flash_attention_for_cpu: _of_attention,
    _aten._native_multi_head_attention: _of_fused_attention,
}
"""Floating-point operations by kernel: torch's, and those that its counter leaves out on a CPU."""
_NOT_KNOWN = frozenset({_aten._transformer_encoder_layer_fwd, _aten.mkldnn_rnn_layer, _aten._cudnn_rnn})
"""Kernels of whole layers, which nobody here has a formula of."""
_COMPOSED = torch._C.DispatchKey.CompositeImplicitAutograd


class _Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types there
    @classmethod
    def _should_skip_dynamo(cls) -> bool:  # else torch's compiler is imported within the measured call
        return False


class OperationCounter(_Mode):  # type: ignore[no-untyped-call]
    """Counts products and what convolutions give in a ``with`` block, and leaves every pixel as it is without.

    torch's own counter takes composed operations apart, whose kernels then round otherwise. Here each is called as it
    came. What it is composed of is counted on tensors without values, once for all calls of the same shapes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds = 0.0
        """That counting itself took."""
        self.convolutions = 0
        self._macs = self._activations = 0
        self._known = True
        self._composed: dict[tuple[object, ...], int] = {}
        self._without: set[tuple[object, ...]] = set()
        """Composed operations that multiply nothing, by the numbers of their tensors' dimensions."""

    def operations(self, width: int, height: int) -> Operations | None:
        """What the block took for LQ of this size; None where nothing was counted, as outside of torch."""
        return Operations(width, height, self._macs, self._activations) if self._known and self._macs else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self._known:
            start = time.perf_counter()
            try:
                self._count(func, args, kwargs or {}, result)
            except Exception:  # the image is worth more than its count
                self._known = False
            self.seconds += time.perf_counter() - start
        return result

    def _count(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        packet = getattr(func, "overloadpacket", None)
        if packet in _NOT_KNOWN:
            self._known = False
        if packet in _CONVOLUTIONS:
            self.convolutions += 1
            self._activations += result.numel()
        formula = _FORMULAS.get(packet)
        if formula is not None:
            self._macs += formula(*args, **kwargs, out_val=result) // 2
        elif isinstance(func, torch._ops.OpOverload) and func.has_kernel_for_dispatch_key(_COMPOSED):
            self._macs += self._of_parts(func, args, kwargs)

    def _of_parts(self, func: Any, args: Any, kwargs: Any) -> int:
        leaves = tree_leaves((args, kwargs))
        dimensions = (func, *(leaf.dim() for leaf in leaves if isinstance(leaf, torch.Tensor)))
        if dimensions in self._without:
            return 0
        shapes = ((*leaf.shape,) if isinstance(leaf, torch.Tensor) else str(leaf) for leaf in leaves)
        signature = (func, *shapes)
        if signature not in self._composed:
            try:
                parts = _counted(func, *tree_map_only(torch.Tensor, _without_values, (args, kwargs)))
            except RuntimeError:  # it needs the values, as where they are copied or become a number
                if func._schema.is_mutable or torch.Tag.nondeterministic_seeded in func.tags:
                    raise
                parts = _counted(func, args, kwargs)
            self._composed[signature] = parts.flops // 2
            if not parts.multiplies:
                self._without.add(dimensions)
        return self._composed[signature]


class _Parts(_Mode):  # type: ignore[no-untyped-call]
    """Takes operations apart and counts the parts."""

    flops = 0
    multiplies = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket in _NOT_KNOWN:
            raise ValueError(f"no formula of {func}")
        formula = _FORMULAS.get(func.overloadpacket)
        if formula is None:
            with self:
                result = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if result is NotImplemented else result
        result = func(*args, **kwargs)
        self.multiplies = True
        self.flops += formula(*args, **kwargs, out_val=result)
        return result


def _counted(func: Any, args: Any, kwargs: Any) -> _Parts:
    parts = _Parts()  # type: ignore[no-untyped-call]
    with parts:
        func(*args, **kwargs)
    return parts


def _without_values(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
