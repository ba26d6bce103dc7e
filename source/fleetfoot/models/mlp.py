"""Multi-layer perceptron."""

from __future__ import annotations

from itertools import pairwise
from typing import final

from torch import Tensor, nn

from fleetfoot.models.config import Activation, MlpCfg

__all__ = ["Mlp", "State", "make_activation"]

State = tuple[Tensor, ...]
"""What a network carries from step to step, `[L, B, H]` each; empty for a feed-forward network."""

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "elu": nn.ELU,
    "selu": nn.SELU,
    "relu": nn.ReLU,
    "celu": nn.CELU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "identity": nn.Identity,
}


def make_activation(name: Activation) -> nn.Module:
    """The module for an activation's name."""
    return _ACTIVATIONS[name]()


@final
class Mlp(nn.Module):
    """`y = W_n f(... f(W_1 x + b_1) ...) + b_n`, initialised as `torch.nn.Linear` does.

    Args:
        in_dim: Size of the input `I`.
        out_dim: Size of the output `O`.
        cfg: Hidden widths and activation.
    """

    def __init__(self, in_dim: int, out_dim: int, cfg: MlpCfg) -> None:
        super().__init__()
        widths = (in_dim, *cfg.hidden_dims)
        hidden = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), make_activation(cfg.activation))]
        self.layers = nn.Sequential(*hidden, nn.Linear(widths[-1], out_dim))

    @property
    def last_layer(self) -> nn.Linear:
        """The layer that puts out `[…, O]`."""
        layer = self.layers[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    def initial_state(self, batch_size: int) -> State:
        """The empty state."""
        return ()

    def forward(self, x: Tensor, state: State = (), reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Map `[…, I]` to `[…, O]`; the state passes through, and there is nothing to reset."""
        return self.layers(x), state
