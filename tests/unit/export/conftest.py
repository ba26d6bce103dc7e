import pytest
import torch

from fleetfoot.models.actor_critic import Actor
from fleetfoot.models.build import build_actor
from fleetfoot.models.config import ActorCfg, MlpCfg


@pytest.fixture
def actor(generator) -> Actor:
    """Two groups of observations, a normaliser that has seen something, three actions."""
    cfg = ActorCfg(network=MlpCfg(hidden_dims=(16, 8)), obs_normalization=True)
    actor = build_actor(cfg, ("policy", "command"), {"policy": (4,), "command": (2,)}, 3)
    for parameter in actor.parameters():
        torch.nn.init.uniform_(parameter, -0.5, 0.5, generator=generator)
    seen = 5 * torch.randn(200, 6, generator=generator) + torch.arange(6.0)
    actor.inputs.normalizer.update(seen)
    return actor


@pytest.fixture
def plain_actor() -> Actor:
    """Without a normaliser."""
    return build_actor(ActorCfg(network=MlpCfg(hidden_dims=(8,))), ("policy",), {"policy": (4,)}, 2)
