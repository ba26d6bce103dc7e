"""Isaac Lab's cartpole with less force, to be kept up for longer."""

from isaaclab.utils import configclass
from isaaclab_tasks.core.cartpole.cartpole_direct_env_cfg import CartpoleEnvCfg


@configclass
class BalanceEnvCfg(CartpoleEnvCfg):
    episode_length_s = 8.0
    action_scale = 60.0  # [N]
