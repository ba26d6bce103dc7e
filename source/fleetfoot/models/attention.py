"""A memory that keeps the past as it was seen, and looks it up by causal attention.

Axes: `T` time, `B` batch, `I` input, `D` width, `K` steps of context, `S = K - 1 + T` steps that can be looked at.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from fleetfoot.errors import ConfigError
from fleetfoot.models.config import AttentionCfg
from fleetfoot.models.memory import State

__all__ = ["Attention"]


@final
class Attention(nn.Module):
    """Layers of attention, from each step to itself and the `K - 1` before it in its episode.

    The state is what each layer was shown in the last `K - 1` steps, side by side, and a last channel that is 1 where
    there was a step: `[K - 1, B, layers * D + 1]`. A zero state is one in which nothing has been seen. How far back a
    step lies is told by a learned bias, so it does not matter where in a sequence it is.

    Args:
        in_dim: Size of the input `I`.
        cfg: Context `K`, width `D`, heads and layers.
        where: The dotted path of `cfg`, for errors.

    Raises:
        ConfigError: The width is no multiple of the number of heads.
    """

    def __init__(self, in_dim: int, cfg: AttentionCfg, *, where: str = "memory") -> None:
        super().__init__()
        if cfg.hidden_dim % cfg.num_heads:
            expected = f"a multiple of num_heads, which is {cfg.num_heads}"
            raise ConfigError(f"{where}.hidden_dim", got=cfg.hidden_dim, expected=expected)
        self.context = cfg.context
        self.embed = nn.Linear(in_dim, cfg.hidden_dim)
        self.layers = nn.ModuleList(_Layer(cfg) for _ in range(cfg.num_layers))
        self.norm = nn.LayerNorm(cfg.hidden_dim)
        self.out_dim = cfg.hidden_dim
        self.state_names: tuple[str, ...] = ("past",)

    def initial_state(self, batch_size: int, device: torch.device | str) -> State:
        """Zeros `[K - 1, B, layers * D + 1]`."""
        return (torch.zeros(self.context - 1, batch_size, len(self.layers) * self.out_dim + 1, device=device),)

    def forward(self, x: Tensor, state: State, reset: Tensor | None = None) -> tuple[Tensor, State]:
        *past, was_seen = state[0].split([self.out_dim] * len(self.layers) + [1], dim=-1)
        now = torch.zeros_like(x[..., 0], dtype=torch.int64) if reset is None else reset.cumsum(0)
        episode = torch.cat((was_seen[..., 0].long() - 1, now))  # counted from 0 at the state; -1: there was no step
        distance, is_visible = self._look_back(episode)
        x = self.embed(x)
        shown: list[Tensor] = []
        for layer, before in zip(self.layers, past, strict=True):
            shown.append(torch.cat((before, x)))
            x = layer(shown[-1], distance, is_visible)
        seen = torch.cat((*shown, torch.ones_like(shown[0][..., :1])), dim=-1)[1 - self.context :]
        is_over = (episode != episode[-1])[1 - self.context :, :, None]
        return self.norm(x), (seen.masked_fill(is_over, 0.0),)

    def _look_back(self, episode: Tensor) -> tuple[Tensor, Tensor]:
        """Where each step may look.

        Args:
            episode: The number of the episode that a step belongs to, int64 `[S, B]`.

        Returns:
            How many steps back that is, int64 `[T, S]` in `[0, K - 1]`, and whether it may, bool `[B, 1, T, S]`.
        """
        to = torch.arange(episode.shape[0], device=episode.device)
        distance = to[self.context - 1 :, None] - to
        is_near = (distance >= 0) & (distance < self.context)
        by_batch = episode.t()
        is_same = by_batch[:, self.context - 1 :, None] == by_batch[:, None, :]
        return distance.clamp(0, self.context - 1), (is_same & is_near)[:, None]


@final
class _Layer(nn.Module):
    """`y = x + attend(norm(x))`, then `z = y + feed(norm(y))` (Xiong et al. 2020, arXiv:2002.04745).

    Attention is `softmax(q k^T / sqrt(d) + b) v` with a bias `b` of each head for each distance (Raffel et al. 2020,
    arXiv:1910.10683), which begins as a preference for the near past, of another strength in each head (Press et al.
    2022, arXiv:2108.12409).
    """

    def __init__(self, cfg: AttentionCfg) -> None:
        super().__init__()
        width, heads = cfg.hidden_dim, cfg.num_heads
        self.context, self.num_heads = cfg.context, heads
        self.attend_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value, self.attended = (nn.Linear(width, n * width) for n in (1, 2, 1))
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        slope = 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)
        self.bias = nn.Parameter(-slope[:, None] * torch.arange(cfg.context))

    def forward(self, shown: Tensor, distance: Tensor, is_visible: Tensor) -> Tensor:
        """`[T, B, D]` for `[S, B, D]`, of which the last `T` are the steps themselves."""
        x, is_sound = shown[self.context - 1 :], shown.isfinite().all(dim=-1)
        # A step that is NaN spoils those that may look at it, and no other: the weight 0 times NaN would be NaN.
        normed = self.attend_norm(torch.where(is_sound[..., None], shown, 0.0))
        spoils = torch.where(is_sound, 0.0, torch.nan).t()[:, None, None]
        key, value = self.key_value(normed).chunk(2, dim=-1)
        query = self.query(normed[self.context - 1 :])
        bias = torch.where(is_visible, self.bias[:, distance] + spoils, -torch.inf)
        attended = scaled_dot_product_attention(*map(self._by_head, (query, key, value)), attn_mask=bias)
        x = x + self.attended(attended.permute(2, 0, 1, 3).flatten(2))
        return x + self.feed(self.feed_norm(x))

    def _by_head(self, x: Tensor) -> Tensor:
        """`[T, B, D]` as `[B, heads, T, D / heads]`."""
        return x.unflatten(-1, (self.num_heads, -1)).permute(1, 2, 0, 3)
