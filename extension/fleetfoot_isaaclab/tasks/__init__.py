"""Tasks offered to Isaac Lab, which imports this module through the entry point `isaaclab.tasks`: that registers them.

`Anymal-Flat` and `Anymal-Rough` are Isaac Lab's own AnymalD environments with the agents of fleetfoot. Nothing of Isaac
Lab's is looked up here: its tasks may be registered after this module was imported.
"""

from __future__ import annotations

import gymnasium

__all__ = []

_ANYMAL = "fleetfoot_isaaclab.tasks.anymal"

for ground in ("flat", "rough"):
    gymnasium.register(
        id=f"Anymal-{ground.capitalize()}",
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={
            "env_cfg_entry_point": f"{_ANYMAL}:{ground}_env",
            "fleetfoot_cfg_entry_point": f"{_ANYMAL}:{ground}_ppo",
            "fleetfoot_with_symmetry_cfg_entry_point": f"{_ANYMAL}:{ground}_ppo_symmetry",
            "fleetfoot_recurrent_cfg_entry_point": f"{_ANYMAL}:{ground}_ppo_recurrent",
            "rsl_rl_cfg_entry_point": f"{_ANYMAL}:{ground}_rsl_rl",
            "rsl_rl_with_symmetry_cfg_entry_point": f"{_ANYMAL}:{ground}_rsl_rl_symmetry",
        },
    )
