"""Writes checkpoints of old versions of rsl_rl: tests/data/rsl_rl/<version>-<network>.pt.

    python tests/data/make_rsl_rl_checkpoints.py VERSION        (with that version of rsl-rl-lib on PYTHONPATH)

Each is of a policy trained for two iterations by that version's own runner. Its `infos` hold a short sequence of
observations and the actions that the policy, as that version computes it, takes on them.
"""

import importlib.metadata
import sys
import tempfile
from pathlib import Path

import torch
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

OUTPUT = Path(__file__).parent / "rsl_rl"
NUM_ENVS, NUM_STEPS, SIZES, NUM_ACTIONS = 4, 6, {"policy": 5, "critic": 7}, 2
HIDDEN, RNN = [8, 6], {"rnn_hidden_dim": 4, "rnn_num_layers": 1}


class Env:
    """Random observations; pays for small actions."""

    num_envs, num_actions, num_obs, num_privileged_obs = NUM_ENVS, NUM_ACTIONS, SIZES["policy"], SIZES["critic"]
    max_episode_length, device, cfg = 10, "cpu", {}

    def __init__(self, major):
        self.major = major
        self.episode_length_buf = torch.zeros(NUM_ENVS, dtype=torch.long)

    def observe(self):
        return {name: 2 * torch.randn(NUM_ENVS, size) + 0.5 for name, size in SIZES.items()}

    def get_observations(self):
        obs = self.observe()
        if self.major == 2:
            return obs["policy"], {"observations": obs}
        return TensorDict(obs, batch_size=[NUM_ENVS])

    def step(self, actions):
        reward, done = -actions.square().sum(-1), torch.rand(NUM_ENVS) < 0.2
        extras = {"time_outs": torch.zeros(NUM_ENVS), "observations": self.observe()}
        if self.major == 2:
            return extras["observations"]["policy"], reward, done.long(), extras
        return TensorDict(extras["observations"], batch_size=[NUM_ENVS]), reward, done.long(), extras


def old_cfg(network, std_type):
    """Of versions 2 and 3."""
    recurrent = network in ("lstm", "gru")
    policy = {
        "class_name": "ActorCriticRecurrent" if recurrent else "ActorCritic",
        "init_noise_std": 0.7,
        "noise_std_type": std_type,
        "actor_hidden_dims": HIDDEN,
        "critic_hidden_dims": HIDDEN,
        "activation": "elu",
    }
    policy |= ({"rnn_type": network} | RNN) if recurrent else {}
    policy |= {"state_dependent_std": True} if network == "state_dependent" else {}
    return {
        "policy": policy,
        "empirical_normalization": True,
        "obs_groups": {"policy": ["policy"], "critic": ["critic"]},
    }


def new_cfg(major, network, std_type):
    """Of versions 4 and 5."""
    recurrent = network in ("lstm", "gru")
    model = {
        "class_name": "RNNModel" if recurrent else "MLPModel",
        "hidden_dims": HIDDEN,
        "activation": "elu",
        "obs_normalization": True,
    }
    model |= ({"rnn_type": network} | RNN) if recurrent else {}
    if major == 4:
        noise = {"stochastic": True, "init_noise_std": 0.7, "noise_std_type": std_type}
        noise |= {"state_dependent_std": network == "state_dependent"}
    else:
        name = "HeteroscedasticGaussianDistribution" if network == "state_dependent" else "GaussianDistribution"
        noise = {"distribution_cfg": {"class_name": name, "init_std": 0.7, "std_type": std_type}}
    return {"actor": model | noise, "critic": model, "obs_groups": {"actor": ["policy"], "critic": ["critic"]}}


def main(version):
    major = int(version.split(".")[0])
    assert importlib.metadata.version("rsl-rl-lib") == version
    networks = {"2.3.3": ["mlp"], "3.0.1": ["mlp", "gru"], "3.3.0": ["lstm", "state_dependent"]}
    for network in networks.get(version, ["mlp", "lstm"]):
        torch.manual_seed(7)
        std_type = "log" if network in ("lstm", "state_dependent") else "scalar"
        cfg = old_cfg(network, std_type) if major < 4 else new_cfg(major, network, std_type)
        cfg |= {"num_steps_per_env": NUM_STEPS, "save_interval": 100, "logger": "tensorboard"}
        cfg["algorithm"] = {"class_name": "PPO", "learning_rate": 3e-3, "schedule": "fixed", "num_mini_batches": 2}
        env = Env(major)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as log_dir:
            runner = OnPolicyRunner(env, cfg, log_dir=log_dir, device="cpu")
            runner.learn(2)
        policy = runner.get_inference_policy()
        obs = [env.observe()["policy"] for _ in range(3)]
        runner.alg.policy.reset() if major < 4 else policy.reset()
        with torch.inference_mode():
            wrapped = obs if major == 2 else [TensorDict({"policy": x}, batch_size=[NUM_ENVS]) for x in obs]
            actions = torch.stack([policy(x).clone() for x in wrapped])
        runner.save(OUTPUT / f"{version}-{network}.pt", infos={"obs": torch.stack(obs), "actions": actions})


if __name__ == "__main__":
    main(sys.argv[1])
