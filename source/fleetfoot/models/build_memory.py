"""A memory's config in, the memory out."""

from __future__ import annotations

from typing import assert_never

from fleetfoot.models.attention import Attention
from fleetfoot.models.config import AttentionCfg, GruCfg, LstmCfg, MemoryCfg
from fleetfoot.models.memory import Memory, NoMemory
from fleetfoot.models.recurrent import Gru, Lstm

__all__ = ["build_memory"]


def build_memory(cfg: MemoryCfg | None, in_dim: int, *, where: str = "memory") -> Memory:
    """The memory for inputs of a size.

    Args:
        cfg: Which one; None for none.
        in_dim: Size of the input `I`.
        where: The dotted path of `cfg`, for errors.

    Raises:
        ConfigError: Its settings contradict each other.
    """
    match cfg:
        case None:
            return NoMemory(in_dim)
        case LstmCfg():
            return Lstm(in_dim, cfg)
        case GruCfg():
            return Gru(in_dim, cfg)
        case AttentionCfg():
            return Attention(in_dim, cfg, where=where)
        case _:
            assert_never(cfg)
