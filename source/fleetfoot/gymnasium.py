"""Our tasks as vector environments of Gymnasium, registered by importing this: Gymnasium knows no other way.

    import gymnasium, fleetfoot.gymnasium
    envs = gymnasium.make_vec("fleetfoot/Anymal-Flat-v0", num_envs=64)

or in one, `gymnasium.make_vec("fleetfoot.gymnasium:fleetfoot/Anymal-Flat-v0", num_envs=64)`. Neither torch nor a
simulator is imported before one of them is made. `fleetfoot.tasks.gym.vector.make_vector_env` says what else
`make_vec` takes.
"""

from __future__ import annotations

import gymnasium

from fleetfoot.tasks.registry import task_names

__all__ = ["ids"]

_ENTRY_POINT = "fleetfoot.tasks.gym.vector:make_vector_env"


def ids() -> list[str]:
    """The id of every task."""
    return [f"fleetfoot/{name}-v0" for name in task_names()]


def _register() -> None:
    for name, task_id in zip(task_names(), ids(), strict=True):
        if task_id not in gymnasium.registry:
            gymnasium.register(id=task_id, vector_entry_point=_ENTRY_POINT, kwargs={"task": name})


_register()
