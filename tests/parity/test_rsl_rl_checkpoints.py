"""Checkpoints of rsl_rl compute the same here, and ours the same there.

Those of old versions were written by these versions (tests/data/make_rsl_rl_checkpoints.py) and carry observations with
the actions that were taken on them; 5.5.1 is installed.
"""

import contextlib
import copy
import io
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rsl_rl.models import MLPModel, RNNModel
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.compat.adoption import adopt, learned_by
from fleetfoot.compat.checkpoint_file import read_checkpoint_file, write_checkpoint_file
from fleetfoot.compat.train_cfg import translate_train_cfg
from fleetfoot.compat.weights import load_rsl_rl_checkpoint, save_rsl_rl_checkpoint
from fleetfoot.core.vec_env import ActionSpec, StepResult
from fleetfoot.runners.policy import InferencePolicy

DATA = Path(__file__).parents[1] / "data" / "rsl_rl"
N, A = 4, 2
SPEC = {"policy": (5,), "critic": (7,), "image": (2, 9, 10)}
SAME = {"rtol": 1e-6, "atol": 1e-6}


class TheirEnv:
    """An environment as rsl_rl has it; and as much of ours as building an algorithm asks for."""

    num_envs, num_actions, max_episode_length, device, cfg = N, A, 10, torch.device("cpu"), {}
    observation_spec, action_spec, step_dt = SPEC, ActionSpec(size=A), 0.02
    unwrapped = SimpleNamespace(step_dt=step_dt)

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


NETWORKS = ("mlp", "log std", "fixed std", "state_dependent", "beta", "lstm", "gru", "cnn", "shared cnn", "curious")


def train_cfg(network="mlp", std_type="scalar"):
    """A config of theirs for one of the networks."""
    distribution = {"class_name": "GaussianDistribution", "init_std": 0.7, "std_type": std_type}
    match network:
        case "log std":
            distribution["std_type"] = "log"
        case "fixed std":
            distribution["learn_std"] = False
        case "state_dependent":
            distribution["class_name"] = "HeteroscedasticGaussianDistribution"
        case "beta":
            distribution = {"class_name": "BetaDistribution", "action_range": [-2.0, 1.0]}
    model = {"class_name": "MLPModel", "hidden_dims": [8, 6], "activation": "elu", "obs_normalization": True}
    groups = {"actor": ["policy"], "critic": ["critic"]}
    algorithm = {"class_name": "PPO", "learning_rate": 3e-3, "schedule": "fixed", "num_mini_batches": 2}
    if network in ("lstm", "gru"):
        model |= {"class_name": "RNNModel", "rnn_type": network, "rnn_hidden_dim": 4, "rnn_num_layers": 1}
    if "cnn" in network:
        cnn = {"output_channels": [3, 4], "kernel_size": 3, "norm": ["batch", "layer"], "max_pool": [False, True]}
        model |= {"class_name": "CNNModel", "cnn_cfg": cnn}
        groups = {name: [*flat, "image"] for name, flat in groups.items()}
        algorithm["share_cnn_encoders"] = network == "shared cnn"
    if network == "curious":
        rnd = {"num_outputs": 3, "predictor_hidden_dims": [5], "target_hidden_dims": [6], "learning_rate": 2e-3}
        algorithm["rnd_cfg"] = rnd | {"weight": 1.0, "state_normalization": True, "reward_normalization": True}
        groups["rnd_state"] = ["critic"]
    return {
        "num_steps_per_env": 6,
        "save_interval": 100,
        "obs_groups": groups,
        "algorithm": algorithm,
        "actor": model | {"distribution_cfg": distribution},
        "critic": model,
    }


def their_runner(env, cfg) -> OnPolicyRunner:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "optimizer contains a parameter group with duplicate parameters")
        return OnPolicyRunner(env, copy.deepcopy(cfg))


def their_training(runner, num_iterations) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        runner.learn(num_iterations)


def our_algorithm(env, cfg):
    ours = translate_train_cfg(cfg, report=lambda note: None)
    return ours, build_algorithm(env, ours, env.device)


def train(algorithm, env):
    """One update of ours."""
    obs = env.observe()
    for _ in range(6):
        obs, reward, done, _ = env.step(algorithm.act(obs))
        cut = torch.zeros(N, dtype=torch.bool)
        algorithm.record(StepResult(obs=obs, reward=reward, terminated=done.bool(), truncated=cut, final_obs=obs))
    algorithm.update(obs)


def their_modes(runner, observations) -> list[torch.Tensor]:
    """Their actions on a sequence of observations, from the beginning of an episode."""
    policy = runner.get_inference_policy()
    policy.reset()
    with torch.inference_mode():
        return [policy(TensorDict(obs, batch_size=[N])) for obs in observations]


def our_modes(algorithm, observations) -> list[torch.Tensor]:
    policy = InferencePolicy(algorithm.actor, "cpu")
    return [policy(obs) for obs in observations]


def their_values(runner, observations) -> list[torch.Tensor]:
    critic = runner.alg.critic
    critic.reset()
    with torch.inference_mode():
        return [critic.eval()(TensorDict(obs, batch_size=[N]))[:, 0] for obs in observations]


def our_values(algorithm, observations) -> list[torch.Tensor]:
    critic = copy.deepcopy(algorithm.critic).eval()
    values, state = [], critic.memory.initial_state(N, "cpu")
    with torch.no_grad():
        for obs in observations:
            value, state = critic.step(obs, state)
            values.append(value)
    return values


def assert_alike(theirs, algorithm, env) -> None:
    """They act and judge alike."""
    observations = [env.observe() for _ in range(3)]
    torch.testing.assert_close(our_modes(algorithm, observations), their_modes(theirs, observations), **SAME)
    torch.testing.assert_close(our_values(algorithm, observations), their_values(theirs, observations), **SAME)


def moments_of(runner) -> dict[str, dict[str, torch.Tensor]]:
    """What their optimisers remember, by the name of the parameter; what is shared is the actor's."""
    models = {"critic": runner.alg.critic, "actor": runner.alg.actor}
    names = {p: f"{name}.{key}" for name, model in models.items() for key, p in model.named_parameters()}
    found = {name: runner.alg.optimizer.state[p] for p, name in names.items() if p in runner.alg.optimizer.state}
    if runner.alg.rnd:
        own = runner.alg.rnd.optimizer.state
        found |= {f"rnd.{key}": own[p] for key, p in runner.alg.rnd.named_parameters() if p in own}
    return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0)


OLD = sorted(path.stem for path in DATA.glob("*.pt"))


def old_cfg(name):
    """The config that an old checkpoint was trained with, as it would be today."""
    network = name.partition("-")[2]
    return train_cfg(network, "log" if network in ("lstm", "state_dependent") else "scalar")


@pytest.mark.parametrize("name", OLD)
def test_policies_of_old_versions_act_the_same_here(name, generator):
    learned = load_rsl_rl_checkpoint(DATA / f"{name}.pt")
    ours, algorithm = our_algorithm(TheirEnv(generator), old_cfg(name))
    algorithm.load_state_dict(adopt(algorithm.state_dict(), ours, learned))
    observations = [{"policy": obs} for obs in learned.infos["obs"]]
    torch.testing.assert_close(our_modes(algorithm, observations), list(learned.infos["actions"]), **SAME)
    assert learned.iteration == 2
    assert learned.learning_rate == 3e-3
    assert learned.left_out == ()
    assert len(algorithm.optimizer.state) == len([p for part in algorithm._parts for p in part])


@pytest.mark.parametrize("name", OLD)
def test_checkpoints_of_old_versions_load_in_the_newest(name, tmp_path, generator):
    write_checkpoint_file(tmp_path / "new.pt", read_checkpoint_file(DATA / f"{name}.pt"))
    runner = their_runner(TheirEnv(generator), old_cfg(name))
    infos = runner.load(tmp_path / "new.pt")
    network = name.partition("-")[2]
    assert isinstance(runner.alg.actor, RNNModel if network in ("lstm", "gru") else MLPModel)
    observations = [{"policy": obs} for obs in infos["obs"]]
    torch.testing.assert_close(their_modes(runner, observations), list(infos["actions"]), **SAME)
    assert runner.current_learning_iteration == 1
    trained = [*runner.alg.actor.parameters(), *runner.alg.critic.parameters()]
    assert len(moments_of(runner)) == len(trained)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_training_there_goes_on_here(network, tmp_path, generator):
    env, cfg = TheirEnv(generator), train_cfg(network)
    theirs = their_runner(env, cfg)
    their_training(theirs, 2)
    theirs.save(tmp_path / "theirs.pt", infos={"step": 48})
    learned = load_rsl_rl_checkpoint(tmp_path / "theirs.pt")
    ours, algorithm = our_algorithm(env, cfg)
    algorithm.load_state_dict(adopt(algorithm.state_dict(), ours, learned))
    assert_alike(theirs, algorithm, env)
    names = {p: f"actor.{key}" for key, p in algorithm.actor.named_parameters()}
    names = {p: f"critic.{key}" for key, p in algorithm.critic.named_parameters()} | names
    if network == "curious":
        own = algorithm.extensions.by_name["rnd"]
        names |= {p: f"rnd.{key}" for key, p in own.networks.named_parameters()}
        x = env.observe()["critic"]
        theirs_is = theirs.alg.rnd.predictor(theirs.alg.rnd.state_normalizer(x)) - theirs.alg.rnd.target(
            theirs.alg.rnd.state_normalizer(x)
        )
        torch.testing.assert_close(own.networks({"critic": x}), theirs_is, **SAME)
        torch.testing.assert_close(own.networks.sums.var, theirs.alg.rnd.reward_normalizer.emp_norm._var)
        assert own._steps == 2 * 6
    state = {names[p]: moments for p, moments in algorithm.optimizer.state.items()}
    assert_moments_alike(state, moments_of(theirs))
    assert (learned.iteration, learned.infos) == (2, {"step": 48})
    train(algorithm, env)


def assert_moments_alike(ours, theirs) -> None:
    """The same for every parameter, in whatever order the two have them: told apart by their sizes and sums."""

    def key(moments):
        return tuple(moments["exp_avg"].shape), moments["exp_avg"].double().sum().item()

    assert len(ours) == len(theirs)
    for one, other in zip(sorted(ours.values(), key=key), sorted(theirs.values(), key=key), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_training_here_goes_on_there(network, tmp_path, generator):
    env, cfg = TheirEnv(generator), train_cfg(network)
    ours, algorithm = our_algorithm(env, cfg)
    for _ in range(3):
        train(algorithm, env)
    learned = learned_by(algorithm.state_dict(), ours, iteration=3, infos={"note": "from here"})
    save_rsl_rl_checkpoint(tmp_path / "ours.pt", learned, ours)
    theirs = their_runner(env, cfg)
    assert theirs.load(tmp_path / "ours.pt") == {"note": "from here"}
    assert_alike(theirs, algorithm, env)
    assert theirs.current_learning_iteration == 2
    assert theirs.alg.learning_rate == pytest.approx(3e-3)
    normalizer = algorithm.actor.inputs.normalizer
    torch.testing.assert_close(theirs.alg.actor.obs_normalizer.mean, normalizer.mean)
    torch.testing.assert_close(theirs.alg.actor.obs_normalizer.std, normalizer.var.sqrt())
    assert theirs.alg.actor.obs_normalizer.count == normalizer.count == 3 * 6 * N
    if network == "curious":
        own = algorithm.extensions.by_name["rnd"].networks
        torch.testing.assert_close(theirs.alg.rnd.state_normalizer.std, own.inputs.normalizer.var.sqrt())
        torch.testing.assert_close(theirs.alg.rnd.predictor[0].weight, own.predictor.layers[0].weight)
        assert theirs.alg.rnd.optimizer.param_groups[0]["lr"] == pytest.approx(2e-3)
    assert_moments_alike(dict(enumerate(algorithm.optimizer.state.values())), moments_of(theirs))
    their_training(theirs, 1)


@pytest.mark.parametrize("network", NETWORKS)
def test_there_and_back_nothing_is_lost(network, tmp_path, generator):
    env, cfg = TheirEnv(generator), train_cfg(network)
    ours, algorithm = our_algorithm(env, cfg)
    train(algorithm, env)
    before = learned_by(algorithm.state_dict(), ours, iteration=1)
    save_rsl_rl_checkpoint(tmp_path / "there.pt", before, ours)
    after = load_rsl_rl_checkpoint(tmp_path / "there.pt")
    assert before.networks.keys() == after.networks.keys()
    for name in before.networks:
        assert_same(dict(before.networks[name]), dict(after.networks[name]))
    assert before.moments.keys() == after.moments.keys()
    for name in before.moments:
        assert_same(before.moments[name], after.moments[name])
    assert (after.iteration, after.learning_rate) == (1, pytest.approx(3e-3))
    assert after.shares_encoders == before.shares_encoders == (network == "shared cnn")


def test_a_critic_in_units_of_the_returns_is_one_without_there_and_back(tmp_path, generator):
    """PopArt: what the outputs are scaled by goes into the last layer."""
    env, cfg = TheirEnv(generator), train_cfg()
    ours = translate_train_cfg(cfg)
    ours = replace(ours, critic=replace(ours.critic, value_normalization=True))
    algorithm = build_algorithm(env, ours, env.device)
    for _ in range(2):
        train(algorithm, env)
    assert algorithm.critic.scale.std.item() != pytest.approx(1.0, abs=0.1)
    learned = learned_by(algorithm.state_dict(), ours, iteration=2)
    save_rsl_rl_checkpoint(tmp_path / "ours.pt", learned, ours)
    theirs = their_runner(env, cfg)
    theirs.load(tmp_path / "ours.pt")
    assert_alike(theirs, algorithm, env)
    assert all(name.startswith("actor.") for name in moments_of(theirs))
    their_training(theirs, 1)
    theirs.save(tmp_path / "theirs.pt")
    back = adopt(algorithm.state_dict(), ours, load_rsl_rl_checkpoint(tmp_path / "theirs.pt"))
    std = algorithm.critic.scale.std.clone()
    algorithm.load_state_dict(back)
    assert torch.equal(algorithm.critic.scale.std, std)
    assert_alike(theirs, algorithm, env)
