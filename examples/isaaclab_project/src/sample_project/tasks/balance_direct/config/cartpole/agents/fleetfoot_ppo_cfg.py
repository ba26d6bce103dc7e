"""The agent, as a config of fleetfoot: every field can be set on the command line, `agent.algorithm.gamma=0.98`."""

from fleetfoot.algorithms.config import AdaptiveKlCfg, PpoCfg
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.config import ObsGroupsCfg, OnPolicyRunnerCfg

NETWORK = MlpCfg(hidden_dims=(32, 32), activation="elu")


def ppo():
    return OnPolicyRunnerCfg(
        experiment_name="sample_balance",
        num_steps_per_env=16,
        max_iterations=150,
        obs_groups=ObsGroupsCfg(actor=("policy",), critic=("policy",)),
        algorithm=PpoCfg(entropy_coef=0.005, schedule=AdaptiveKlCfg(desired_kl=0.01)),
        actor=ActorCfg(network=NETWORK, distribution=GaussianCfg(init_std=1.0)),
        critic=CriticCfg(network=NETWORK),
    )
