"""Balancing with a weak motor."""

import gymnasium as gym

from sample_project.tasks.balance_direct.config.cartpole import agents

gym.register(
    id="SampleProject-Balance-Cartpole-Direct",
    entry_point="isaaclab_tasks.core.cartpole.cartpole_direct_env:CartpoleEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.env_cfg:BalanceEnvCfg",
        "fleetfoot_cfg_entry_point": f"{agents.__name__}.fleetfoot_ppo_cfg:ppo",
    },
)
