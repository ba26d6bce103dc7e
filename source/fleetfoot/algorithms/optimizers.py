"""What turns gradients into steps: torch's own with torch's defaults, each of which can leave a step out on the device.

They take the protocol of `torch.amp`: a step does nothing where `found_inf`, `[]`, is 1. Those of torch that are fused
do; its RMSprop does not, and would read the learning rate back to the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, assert_never, final

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from fleetfoot.algorithms.config import OptimizerName

__all__ = ["RmsProp", "make_optimizer"]


def make_optimizer(
    name: OptimizerName, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], learning_rate: Tensor | float
) -> Optimizer:
    """The optimiser of a name.

    Args:
        name: Which one.
        parameters: What it moves, or groups of that with rates of their own.
        learning_rate: Of those that have none of their own; a tensor is read anew in every step, on its device.
    """
    match name:
        case "adam":
            return Adam(parameters, lr=learning_rate, fused=True)
        case "adamw":
            return AdamW(parameters, lr=learning_rate, fused=True)
        case "sgd":
            return SGD(parameters, lr=learning_rate, fused=True)
        case "rmsprop":
            return RmsProp(parameters, learning_rate)
        case _:
            assert_never(name)


@final
class RmsProp(Optimizer):
    """`v <- a v + (1 - a) g^2`, `p <- p - r g / (sqrt(v) + eps)` with `a = 0.99`, `eps = 1e-8` (Tieleman, Hinton 2012).

    Its state is that of `torch.optim.RMSprop`.

    Args:
        parameters: As of `make_optimizer`.
        learning_rate: `r`.
    """

    found_inf: Tensor | None = None
    """1 where a step is to be left out, else 0, `[]`; None for none."""

    def __init__(self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], learning_rate: Tensor | float) -> None:
        super().__init__(parameters, {"lr": learning_rate, "alpha": 0.99, "eps": 1e-8})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] (torch's returns what a closure says, of which there is none here)
        """Move every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad, group)

    def _move(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state |= {"step": torch.zeros((), device=p.device), "square_avg": torch.zeros_like(p)}
        keep = torch.zeros((), device=p.device) if self.found_inf is None else self.found_inf
        average = state["square_avg"].mul(group["alpha"]).addcmul(gradient, gradient, value=1 - group["alpha"])
        moved = p - group["lr"] * (gradient / (average.sqrt() + group["eps"]))
        is_kept = keep > 0
        state["step"] += 1 - keep
        state["square_avg"].copy_(torch.where(is_kept, state["square_avg"], average))
        p.copy_(torch.where(is_kept, p, moved))
