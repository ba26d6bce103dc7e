"""Recurrent memories: LSTM and GRU, in which an episode may begin at any step of a sequence.

Sequences are neither split nor padded: every step is one call of torch's cell, fused on GPUs, with the state masked
before it. Shapes are static, and nothing is read back to the host.

Axes: `T` time, `B` batch, `I` input, `L` layers, `H` hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn

from fleetfoot.models.config import GruCfg, LstmCfg
from fleetfoot.models.memory import State, reset_state

__all__ = ["Gru", "Lstm"]

Cell = Callable[[Tensor, State, Sequence[Tensor]], State]
"""One step of one layer: input `[B, I]`, state `[B, H]` each, parameters → next state; its first part is the output."""


@final
class Lstm(nn.Module):
    """Long short-term memory: `c' = f c + i g` and `h' = o tanh(c')`; `h'` is the output.

    The gates are `i, f, o = sigmoid(W x + b + U h + d)` and `g = tanh(W x + b + U h + d)`, each with its own rows of
    `W`, `b`, `U`, `d`. These are the parameters of `torch.nn.LSTM`, by their names there: `rnn.weight_ih_l0`, ….

    Args:
        in_dim: Size of the input `I`.
        cfg: Width `H` and number of layers `L`.
    """

    def __init__(self, in_dim: int, cfg: LstmCfg) -> None:
        super().__init__()
        self.rnn = nn.LSTM(in_dim, cfg.hidden_dim, cfg.num_layers)
        self.out_dim = cfg.hidden_dim
        self.state_names: tuple[str, ...] = ("h", "c")

    def initial_state(self, batch_size: int, device: torch.device | str) -> State:
        """Zeros `[L, B, H]`, twice."""
        shape = (self.rnn.num_layers, batch_size, self.rnn.hidden_size)
        return torch.zeros(shape, device=device), torch.zeros(shape, device=device)

    def forward(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        return _unroll(_lstm_cell, self.rnn.all_weights, x, state, reset)


@final
class Gru(nn.Module):
    """Gated recurrent unit: `h' = (1 - z) n + z h`, which is also the output.

    The gates are `r, z = sigmoid(W x + b + U h + d)` and `n = tanh(W x + b + r (U h + d))`, each with its own rows of
    `W`, `b`, `U`, `d`. These are the parameters of `torch.nn.GRU`, by their names there: `rnn.weight_ih_l0`, ….

    Args:
        in_dim: Size of the input `I`.
        cfg: Width `H` and number of layers `L`.
    """

    def __init__(self, in_dim: int, cfg: GruCfg) -> None:
        super().__init__()
        self.rnn = nn.GRU(in_dim, cfg.hidden_dim, cfg.num_layers)
        self.out_dim = cfg.hidden_dim
        self.state_names: tuple[str, ...] = ("h",)

    def initial_state(self, batch_size: int, device: torch.device | str) -> State:
        """Zeros `[L, B, H]`."""
        return (torch.zeros(self.rnn.num_layers, batch_size, self.rnn.hidden_size, device=device),)

    def forward(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        return _unroll(_gru_cell, self.rnn.all_weights, x, state, reset)


def _lstm_cell(x: Tensor, state: State, parameters: Sequence[Tensor]) -> State:
    return torch.lstm_cell(x, state, *parameters)


def _gru_cell(x: Tensor, state: State, parameters: Sequence[Tensor]) -> State:
    return (torch.gru_cell(x, *state, *parameters),)


def _unroll(
    cell: Cell, layers: Sequence[Sequence[Tensor]], x: Tensor, state: State, reset: Tensor | None
) -> tuple[Tensor, State]:
    """Go through a sequence, one layer after the other.

    Args:
        cell: One step of one layer.
        layers: The parameters of each layer.
        x: `[T, B, I]`.
        state: Before the first step, `[L, B, H]` each.
        reset: Where the state is zeroed before a step, bool `[T, B]`; None for nowhere.

    Returns:
        The output of the last layer `[T, B, H]`, and the state after the last step.
    """
    steps = x.unbind()
    resets = (None,) * len(steps) if reset is None else reset.unbind()
    before = zip(*(part.unbind() for part in state), strict=True)
    after: list[State] = []
    for parameters, carried in zip(layers, before, strict=True):
        outputs: list[Tensor] = []
        for step, done in zip(steps, resets, strict=True):
            kept = carried if done is None else reset_state(carried, done)
            carried = cell(step, kept, parameters)
            outputs.append(carried[0])
        steps = tuple(outputs)
        after.append(carried)
    return torch.stack(steps), tuple(torch.stack(part) for part in zip(*after, strict=True))
