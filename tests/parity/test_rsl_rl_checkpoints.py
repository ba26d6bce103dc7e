"""Checkpoints of rsl_rl compute the same here, and ours the same there.

Those of old versions were written by these versions (tests/data/make_rsl_rl_checkpoints.py) and carry observations with
the actions that were taken on them; 5.5.1 is installed.
"""

import contextlib
import io
from pathlib import Path

import pytest
import torch
from rsl_rl.models import MLPModel, RNNModel
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.compat.checkpoint_file import read_checkpoint_file, write_checkpoint_file
from fleetfoot.compat.train_cfg import translate_train_cfg
from fleetfoot.compat.weights import adopt, learned_by, load_rsl_rl_checkpoint, save_rsl_rl_checkpoint
from fleetfoot.core.vec_env import ActionSpec, StepResult
from fleetfoot.errors import CheckpointError

DATA = Path(__file__).parents[1] / "data" / "rsl_rl"
N, A = 4, 2
SPEC = {"policy": (5,), "critic": (7,)}
SAME = {"rtol": 1e-6, "atol": 1e-6}


class TheirEnv:
    """An environment as rsl_rl has it; and as much of ours as building an algorithm asks for."""

    num_envs, num_actions, max_episode_length, device, cfg = N, A, 10, torch.device("cpu"), {}
    observation_spec, action_spec = SPEC, ActionSpec(size=A)

    def __init__(self, generator):
        self._generator = generator
        self.episode_length_buf = torch.zeros(N, dtype=torch.long)

    def observe(self):
        return {name: 2 * torch.randn(N, *shape, generator=self._generator) + 0.5 for name, shape in SPEC.items()}

    def get_observations(self):
        return TensorDict(self.observe(), batch_size=[N])

    def step(self, actions):
        done = torch.rand(N, generator=self._generator) < 0.2
        return self.get_observations(), -actions.square().sum(-1), done.long(), {"time_outs": torch.zeros(N)}


def train_cfg(network="mlp", std_type="scalar", learn_std=True):
    distribution = {"class_name": "GaussianDistribution", "init_std": 0.7, "std_type": std_type, "learn_std": learn_std}
    if network == "state_dependent":
        distribution = {"class_name": "HeteroscedasticGaussianDistribution", "init_std": 0.7, "std_type": std_type}
    model = {"class_name": "MLPModel", "hidden_dims": [8, 6], "activation": "elu", "obs_normalization": True}
    if network in ("lstm", "gru"):
        model |= {"class_name": "RNNModel", "rnn_type": network, "rnn_hidden_dim": 4, "rnn_num_layers": 1}
    return {
        "num_steps_per_env": 6,
        "save_interval": 100,
        "obs_groups": {"actor": ["policy"], "critic": ["critic"]},
        "algorithm": {"class_name": "PPO", "learning_rate": 3e-3, "schedule": "fixed", "num_mini_batches": 2},
        "actor": model | {"distribution_cfg": distribution},
        "critic": model,
    }


def their_runner(env, cfg) -> OnPolicyRunner:
    with contextlib.redirect_stdout(io.StringIO()):
        return OnPolicyRunner(env, cfg)


def our_algorithm(env, cfg):
    ours = translate_train_cfg(cfg)
    return ours, build_algorithm(env, ours, env.device)


def learn(algorithm, env):
    """One update of ours."""
    obs = env.observe()
    for _ in range(6):
        obs, reward, done, _ = env.step(algorithm.act(obs))
        cut = torch.zeros(N, dtype=torch.bool)
        algorithm.record(StepResult(obs=obs, reward=reward, terminated=done.bool(), truncated=cut, final_obs=obs))
    algorithm.update(obs)


def their_mode(runner, obs):
    with torch.inference_mode():
        return runner.get_inference_policy()(TensorDict(obs, batch_size=[N]))


def our_mode(algorithm, obs):
    with torch.no_grad():
        return algorithm.actor.step(obs, ())[0].mode()


def moments_of(runner) -> dict[str, dict[str, torch.Tensor]]:
    """What their optimiser remembers, by the name of the parameter."""
    models = {"actor": runner.alg.actor, "critic": runner.alg.critic}
    named = {f"{name}.{key}": p for name, model in models.items() for key, p in model.named_parameters()}
    return {name: runner.alg.optimizer.state[p] for name, p in named.items() if p in runner.alg.optimizer.state}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["2.3.3-mlp", "3.0.1-mlp", "4.0.1-mlp"])
def test_policies_of_old_versions_act_the_same_here(name, generator):
    learned = load_rsl_rl_checkpoint(DATA / f"{name}.pt")
    _, algorithm = our_algorithm(TheirEnv(generator), train_cfg())
    algorithm.actor.load_state_dict(learned.networks["actor"])
    algorithm.critic.load_state_dict(learned.networks["critic"])
    for obs, actions in zip(learned.infos["obs"], learned.infos["actions"], strict=True):
        torch.testing.assert_close(our_mode(algorithm, {"policy": obs}), actions, **SAME)
    assert learned.iteration == 2
    assert learned.learning_rate == 3e-3
    assert learned.left_out == ()


@pytest.mark.parametrize("name", sorted(path.stem for path in DATA.glob("*.pt")))
def test_checkpoints_of_old_versions_load_in_the_newest(name, tmp_path, generator):
    network = name.partition("-")[2]
    write_checkpoint_file(tmp_path / "new.pt", read_checkpoint_file(DATA / f"{name}.pt"))
    std_type = "log" if network in ("lstm", "state_dependent") else "scalar"
    runner = their_runner(TheirEnv(generator), train_cfg(network, std_type))
    infos = runner.load(tmp_path / "new.pt")
    assert isinstance(runner.alg.actor, RNNModel if network in ("lstm", "gru") else MLPModel)
    for obs, actions in zip(infos["obs"], infos["actions"], strict=True):
        torch.testing.assert_close(their_mode(runner, {"policy": obs}), actions, **SAME)
    assert runner.current_learning_iteration == 1
    trained = dict(runner.alg.actor.named_parameters()) | {
        f"critic.{k}": p for k, p in runner.alg.critic.named_parameters()
    }
    assert len(moments_of(runner)) == len(trained)


@pytest.mark.parametrize("std_type", ["scalar", "log"])
@pytest.mark.parametrize("learn_std", [True, False])
def test_a_training_there_goes_on_here(std_type, learn_std, tmp_path, generator):
    env, cfg = TheirEnv(generator), train_cfg(std_type=std_type, learn_std=learn_std)
    theirs = their_runner(env, cfg)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs.learn(2)
    theirs.save(tmp_path / "theirs.pt", infos={"step": 48})
    learned = load_rsl_rl_checkpoint(tmp_path / "theirs.pt")
    ours, algorithm = our_algorithm(env, cfg)
    algorithm.load_state_dict(adopt(algorithm.state_dict(), ours, learned))
    obs = env.observe()
    torch.testing.assert_close(our_mode(algorithm, obs), their_mode(theirs, obs), **SAME)
    with torch.no_grad():
        values, _ = algorithm.critic.step(obs, ())
        torch.testing.assert_close(values[:, None], theirs.alg.critic(TensorDict(obs, batch_size=[N])), **SAME)
    std = (
        theirs.alg.actor.distribution.std_param if std_type == "scalar" else theirs.alg.actor.distribution.log_std_param
    )
    assert torch.equal(algorithm.actor.head.std_param, std)
    their_moments = moments_of(theirs)
    for name, key in (("critic.mlp.2.weight", "layers.2.weight"), ("critic.mlp.4.bias", "layers.4.bias")):
        parameter = algorithm.critic.network.get_parameter(key)
        assert_same(algorithm.optimizer.state[parameter], their_moments[name])
    assert len(algorithm.optimizer.state) == len(their_moments) == 12 + learn_std
    assert (learned.iteration, learned.infos) == (2, {"step": 48})
    learn(algorithm, env)


@pytest.mark.parametrize("std_type", ["scalar", "log"])
@pytest.mark.parametrize("learn_std", [True, False])
def test_a_training_here_goes_on_there(std_type, learn_std, tmp_path, generator):
    env, cfg = TheirEnv(generator), train_cfg(std_type=std_type, learn_std=learn_std)
    ours, algorithm = our_algorithm(env, cfg)
    for _ in range(3):
        learn(algorithm, env)
    learned = learned_by(algorithm.state_dict(), ours, iteration=3, infos={"note": "from here"})
    save_rsl_rl_checkpoint(tmp_path / "ours.pt", learned, std_type=std_type)
    theirs = their_runner(env, cfg)
    assert theirs.load(tmp_path / "ours.pt") == {"note": "from here"}
    obs = env.observe()
    torch.testing.assert_close(their_mode(theirs, obs), our_mode(algorithm, obs), **SAME)
    assert theirs.current_learning_iteration == 2
    assert theirs.alg.learning_rate == pytest.approx(3e-3)
    normalizer = algorithm.actor.inputs.normalizer
    torch.testing.assert_close(theirs.alg.actor.obs_normalizer.mean, normalizer.mean)
    torch.testing.assert_close(theirs.alg.actor.obs_normalizer.std, normalizer.var.sqrt())
    assert theirs.alg.actor.obs_normalizer.count == normalizer.count == 3 * 6 * N
    assert_same(
        moments_of(theirs)["actor.mlp.2.weight"],
        algorithm.optimizer.state[algorithm.actor.network.get_parameter("layers.2.weight")],
    )
    with contextlib.redirect_stdout(io.StringIO()):
        theirs.learn(1)


def test_there_and_back_nothing_is_lost(tmp_path, generator):
    env, cfg = TheirEnv(generator), train_cfg()
    ours, algorithm = our_algorithm(env, cfg)
    learn(algorithm, env)
    before = learned_by(algorithm.state_dict(), ours, iteration=1)
    save_rsl_rl_checkpoint(tmp_path / "there.pt", before, std_type="scalar")
    after = load_rsl_rl_checkpoint(tmp_path / "there.pt")
    for network in ("actor", "critic"):
        assert_same(dict(before.networks[network]), dict(after.networks[network]))
    assert before.moments.keys() == after.moments.keys()
    for name in before.moments:
        assert_same(before.moments[name], after.moments[name])
    assert (after.iteration, after.learning_rate) == (1, pytest.approx(3e-3))


def test_networks_that_there_are_not_here_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"3\.0\.1-gru\.pt: got a parameter 'rnn\.rnn\.weight_ih_l0'"):
        load_rsl_rl_checkpoint(DATA / "3.0.1-gru.pt")
