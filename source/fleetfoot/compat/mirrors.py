"""Mirror images of a function that computes them, as rsl_rl asks for: found out by looking at what it does.

`function(env, obs, actions)` puts out what it was given, and after it all of it in the first image, in the second, ….
If an image only changes places and signs, feeding it `1, 2, 3, …` shows which.

Axes: `N` environments, `M` images.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from fleetfoot.compat.vec_env import RslRlVecEnv
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.errors import ConfigError

__all__ = ["find_mirror_images"]

_WHERE = "train_cfg.algorithm.symmetry_cfg.data_augmentation_func"


def find_mirror_images(
    env: RslRlVecEnv, function: str | Callable[..., Any], sizes: Mapping[str, int]
) -> tuple[MirrorImage, ...]:
    """All images that the function makes, the robot itself left out.

    Args:
        env: The environment, handed to the function.
        function: It, or where it is: `module:name` or `module.name`.
        sizes: Flat observation groups and their sizes.

    Raises:
        ConfigError: It cannot be found, or does more than to change places and signs.
    """
    mirror = _resolve(function)
    seen = [_look(env, mirror, sizes, random=random) for random in (False, True)]
    num = len(seen[0]["actions"][1]) // env.num_envs - 1
    images: list[MirrorImage] = []
    for number in range(num + 1):
        rows = slice(number * env.num_envs, (number + 1) * env.num_envs)
        maps = {name: _signed_permutation(name, x[0], y[rows][0]) for name, (x, y) in seen[0].items()}
        for name, (x, y) in seen[1].items():
            _check(name, maps[name], x, y[rows])
        images.append(MirrorImage(name=f"image_{number}", actions=maps.pop("actions"), observations=maps))
    own, *others = images
    for name, found in {**own.observations, "actions": own.actions}.items():
        if found != SignedPermutation.identity(len(found)):
            expected = "what was put in, and after it its images"
            raise ConfigError(_WHERE, got=f"other {name!r} in the first part", expected=expected)
    return tuple(others)


def _resolve(function: str | Callable[..., Any]) -> Callable[..., Any]:
    if not isinstance(function, str):
        return function
    module, _, name = function.rpartition(":" if ":" in function else ".")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(_WHERE, got=f"{function!r} ({error})", expected="a function: module:name") from None
    return found


def _look(
    env: RslRlVecEnv, mirror: Callable[..., Any], sizes: Mapping[str, int], *, random: bool
) -> dict[str, tuple[Tensor, Tensor]]:
    """What goes in `[N, O]` and what comes out `[(1 + M) N, O]`, of each group and of the actions."""
    generator = torch.Generator().manual_seed(0)

    def probe(size: int) -> Tensor:
        rows = torch.randn(env.num_envs, size, generator=generator) if random else torch.arange(1.0, size + 1)
        return rows.expand(env.num_envs, size).to(env.device).clone()

    given: dict[str, Tensor] = {group: probe(size) for group, size in sizes.items()}
    obs: Any = env.get_observations()
    obs = dict(obs) if isinstance(obs, dict) else obs.clone()  # theirs, so that the function sees what it expects
    for group, x in given.items():
        obs[group] = x.clone()
    actions = probe(env.num_actions)
    with torch.no_grad():
        mirrored, mirrored_actions = mirror(env=env, obs=obs, actions=actions.clone())
    return {group: (x, mirrored[group]) for group, x in given.items()} | {"actions": (actions, mirrored_actions)}


def _signed_permutation(name: str, x: Tensor, y: Tensor) -> SignedPermutation:
    """Which one makes `y` of `x = 1, 2, 3, …`, `[O]` both."""
    index = [int(value) - 1 for value in y.abs().round().tolist()]
    if any(not 0 <= i < len(x) for i in index):
        raise _not_a_mirror(name)
    return SignedPermutation(tuple(index), tuple(1.0 if value > 0 else -1.0 for value in y.tolist()))


def _check(name: str, found: SignedPermutation, x: Tensor, y: Tensor) -> None:
    """Whether it is what happens to any numbers, `[N, O]` both."""
    sign = torch.tensor(found.sign, device=x.device)
    if not torch.equal(x[:, list(found.index)] * sign, y):
        raise _not_a_mirror(name)


def _not_a_mirror(name: str) -> ConfigError:
    expected = "one that gives every number another place, or another sign, and does nothing else"
    fix = "Set train_cfg.algorithm.symmetry_cfg to None to learn without."
    return ConfigError(_WHERE, got=f"a function that does more to {name!r}", expected=expected, fix=fix)
