"""A script for rsl_rl 5.5.1 runs with fleetfoot by another import: the same files, tags and numbers."""

import contextlib
import copy
import importlib
import io
import re
import warnings
from types import SimpleNamespace

import pytest
import torch
from rsl_rl.env import VecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensordict import TensorDict
from torch.distributions import Normal

T, N, A, STEP_DT = 8, 6, 2, 0.05
THEIRS, OURS = "rsl_rl.runners", "fleetfoot.compat.rsl_rl"
SAME = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture(autouse=True)
def _torch_validates_as_before():
    """rsl_rl switches the validation of every distribution in the process off."""
    yield
    Normal.set_default_validate_args(True)


class TinyEnv(VecEnv):
    """Points in the plane that want to be at the origin, and are lost if they go too far."""

    num_envs, num_actions, max_episode_length, device, cfg = N, A, 6, "cpu", {"name": "tiny"}

    def __init__(self):
        self.unwrapped = SimpleNamespace(step_dt=STEP_DT)
        self.generator = torch.Generator().manual_seed(11)
        self.episode_length_buf = torch.zeros(N, dtype=torch.long)
        self.at = torch.zeros(N, 2)
        self.last = torch.zeros(N, A)
        self.extras = {"log": {}}
        self.begin(torch.ones(N, dtype=torch.bool))

    def begin(self, where):
        self.at[where] = torch.randn(N, 2, generator=self.generator)[where]
        self.last[where] = 0.0
        self.episode_length_buf[where] = 0

    def get_observations(self):
        policy = torch.cat((self.at, self.last), dim=-1)
        image = policy[:, :, None, None] * torch.linspace(-1, 1, 30).view(5, 6)
        groups = {"policy": policy, "critic": torch.cat((policy, self.at.square()), dim=-1), "image": image}
        return TensorDict(groups | {"unused": self.at.double()}, batch_size=[N])

    def step(self, actions):
        self.episode_length_buf += 1
        self.at += 0.3 * actions + 0.05 * torch.randn(N, 2, generator=self.generator)
        self.last.copy_(actions)
        rewards = 1.0 - self.at.square().sum(-1) - 0.01 * actions.square().sum(-1)
        lost, time_outs = self.at.norm(dim=-1) > 2.5, self.episode_length_buf >= self.max_episode_length
        done = lost | time_outs
        if done.any():
            self.extras["log"] = {
                "distance": self.at.norm(dim=-1)[done].mean(),
                "Term/lost": lost.float().mean().item(),
            }
            self.begin(done)
        return self.get_observations(), rewards, done.long(), {"time_outs": time_outs & ~lost, **self.extras}


def mirrored(env, obs, actions):
    """What is left is right: the x axis turns."""
    turn = torch.tensor([-1.0, 1.0])
    if obs is not None:
        policy, critic = obs["policy"] * turn.repeat(2), obs["critic"].clone()
        critic[:, :4] *= turn.repeat(2)
        obs = torch.cat((obs, obs))
        obs["policy"][len(policy) :], obs["critic"][len(policy) :] = policy, critic
    return obs, None if actions is None else torch.cat((actions, actions * turn))


CURIOUS = {"num_outputs": 3, "predictor_hidden_dims": [5], "target_hidden_dims": [6], "weight": 4.0}
ALGORITHMS = {
    "symmetric": {"symmetry_cfg": {"data_augmentation_func": mirrored, "use_data_augmentation": True}},
    "mirror loss": {
        "symmetry_cfg": {
            "data_augmentation_func": f"{__name__}:mirrored",
            "use_mirror_loss": True,
            "mirror_loss_coeff": 0.5,
        }
    },
    "curious": {
        "rnd_cfg": CURIOUS
        | {
            "state_normalization": True,
            "reward_normalization": True,
            "weight_schedule": {"mode": "linear", "initial_step": 2, "final_step": 12, "final_value": 0.05},
        }
    },
}
NETWORKS = ("mlp", "lstm", "gru", "cnn", *ALGORITHMS)


def make_cfg(network="mlp"):
    model = {"class_name": "MLPModel", "hidden_dims": [8, 6], "activation": "elu", "obs_normalization": True}
    groups = {"actor": ["policy"], "critic": ["critic"], "rnd_state": ["policy"]}
    if network in ("lstm", "gru"):
        model |= {"class_name": "RNNModel", "rnn_type": network, "rnn_hidden_dim": 4, "rnn_num_layers": 1}
    if network == "cnn":
        cnn = {"output_channels": [3], "kernel_size": 3, "padding": "zeros"}
        model |= {"class_name": "CNNModel", "cnn_cfg": cnn}
        groups |= {"actor": ["policy", "image"], "critic": ["image", "critic"]}
    algorithm = {"class_name": "PPO", "learning_rate": 3e-3, "num_mini_batches": 2, "num_learning_epochs": 3}
    return {
        "seed": 4,
        "num_steps_per_env": T,
        "save_interval": 2,
        "run_name": "a name with spaces",
        "of_the_script": True,
        "obs_groups": groups,
        "algorithm": algorithm | ALGORITHMS.get(network, {}),
        "actor": model | {"distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 0.7}},
        "critic": model,
    }


@contextlib.contextmanager
def quiet():
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def make_runner(module, env, cfg, log_dir=None):
    """The runner that a script imports from there."""
    runner_class = importlib.import_module(module).OnPolicyRunner
    with quiet():
        return runner_class(env, copy.deepcopy(cfg), log_dir=log_dir, device="cpu")


def script(module, folder):
    """A script as it is written for rsl_rl, but for where the runner comes from."""
    torch.manual_seed(3)
    env = TinyEnv()
    runner = make_runner(module, env, make_cfg(), log_dir=str(folder))
    runner.add_git_repo_to_log(__file__)
    with quiet():
        runner.learn(num_learning_iterations=4, init_at_random_ep_len=True)
        runner.learn(num_learning_iterations=2)
    policy = runner.get_inference_policy(device=env.device)
    obs = env.get_observations()
    with torch.inference_mode():
        for _ in range(3):
            obs, _, dones, _ = env.step(policy(obs))
            policy.reset(dones)
    runner.save(str(folder / "last.pt"), infos={"note": [1, "two"]})
    return runner


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder that the script leaves, with rsl_rl and with fleetfoot."""
    folders = {}
    for module in (THEIRS, OURS):
        folders[module] = tmp_path_factory.mktemp(module.replace(".", "_"))
        runner = script(module, folders[module])
        assert runner.logger.log_dir == str(folders[module])
        assert runner.current_learning_iteration == 4
        assert runner.logger.tot_timesteps == 6 * T * N
    return folders


def scalars(folder):
    """Tag to (step, value) of each record."""
    loaded = EventAccumulator(str(folder))
    loaded.Reload()
    # By time: files are read in the order of their names, in which the 10th of a process comes before the 9th.
    found = {tag: sorted(loaded.Scalars(tag), key=lambda e: e.wall_time) for tag in loaded.Tags()["scalars"]}
    return {tag: [(e.step, e.value) for e in events] for tag, events in found.items()}


def test_the_same_files(both):
    def names(folder):
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        found = {re.sub(r"^events\.out\.tfevents\..*", "events", name) for name in found}
        return {re.sub(r"^git/.*\.diff$", "git/*.diff", name) for name in found}

    files = {"events", "git/*.diff", "last.pt", *(f"model_{i}.pt" for i in (0, 2, 3, 4))}
    assert names(both[OURS]) == names(both[THEIRS]) == files


def test_the_same_tags_and_iterations_and_more(both):
    theirs, ours = scalars(both[THEIRS]), scalars(both[OURS])
    assert theirs.keys() <= ours.keys()
    assert {"Episode/distance", "Term/lost", "Train/mean_reward", "Perf/total_fps", "Policy/mean_std"} <= theirs.keys()
    for tag, records in theirs.items():
        if not tag.endswith("/time"):
            assert [step for step, _ in records] == [step for step, _ in ours[tag]], tag
    assert "Policy/kl" in ours


def test_the_same_form_of_checkpoint(both):
    theirs, ours = (torch.load(both[module] / "last.pt", weights_only=True) for module in (THEIRS, OURS))
    assert list(theirs) == list(ours)
    assert theirs["iter"] == ours["iter"] == 4
    assert theirs["infos"] == ours["infos"] == {"note": [1, "two"]}
    for network in ("actor_state_dict", "critic_state_dict"):
        assert list(theirs[network]) == list(ours[network])
        assert [x.shape for x in theirs[network].values()] == [x.shape for x in ours[network].values()]


@pytest.mark.parametrize(("writer", "reader"), [(THEIRS, OURS), (OURS, THEIRS)])
def test_a_checkpoint_of_one_loads_in_the_other(both, writer, reader):
    env, path = TinyEnv(), str(both[writer] / "last.pt")
    one, other = (make_runner(module, env, make_cfg()) for module in (writer, reader))
    assert one.load(path) == other.load(path) == {"note": [1, "two"]}
    assert one.current_learning_iteration == other.current_learning_iteration == 4
    obs = env.get_observations()
    with torch.inference_mode():
        torch.testing.assert_close(one.get_inference_policy()(obs), other.get_inference_policy()(obs), **SAME)
    with quiet():
        other.learn(1)


def test_parts_of_a_checkpoint(both):
    env, path = TinyEnv(), str(both[THEIRS] / "last.pt")
    saved = torch.load(path, weights_only=True)
    runner = make_runner(OURS, env, make_cfg())
    before = copy.deepcopy(runner.alg.critic.state_dict())
    runner.load(path, load_cfg={"actor": True}, map_location="cpu")
    last = saved["actor_state_dict"]["mlp.4.weight"]
    assert torch.equal(runner.alg.actor.network.layers[4].weight, last)
    assert all(torch.equal(x, before[key]) for key, x in runner.alg.critic.state_dict().items())
    assert (runner.current_learning_iteration, len(runner.alg.optimizer.state)) == (0, 0)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_first_iteration_has_the_same_numbers(network, tmp_path, monkeypatch):
    """From the same weights and the same noise: returns, what is logged, and the weights after it."""
    cfg = make_cfg(network)
    torch.manual_seed(5)
    theirs = make_runner(THEIRS, TinyEnv(), cfg, tmp_path / "theirs")
    ours = make_runner(OURS, TinyEnv(), cfg, tmp_path / "ours")
    theirs.save(tmp_path / "start.pt")
    ours.load(tmp_path / "start.pt")
    returns = []
    evaluate = ours.alg._evaluate
    monkeypatch.setattr(ours.alg, "_evaluate", lambda obs: returns.append(evaluate(obs)) or returns[0])
    ours.alg._exploration.set_state(torch.get_rng_state())  # they draw from torch's own generator
    order = torch.randperm(T * N, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(torch, "randperm", lambda *_, **__: order)
    for runner in (theirs, ours):
        with quiet():
            runner.learn(1)
    storage = theirs.alg.storage
    torch.testing.assert_close(ours.alg.buffer.actions, storage.actions, **SAME)
    torch.testing.assert_close(returns[0].returns.view(T, N), storage.returns[..., 0], **SAME)
    assert storage.returns.std() > 0.1
    theirs.save(tmp_path / "theirs.pt")
    ours.save(tmp_path / "ours.pt")
    one, other = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("theirs", "ours"))
    for name in (key for key in one if key.endswith("_state_dict") and "optimizer" not in key):
        assert one[name].keys() == other[name].keys()
        for key in one[name]:
            torch.testing.assert_close(one[name][key], other[name][key], rtol=1e-4, atol=1e-5, msg=f"{name} {key}")
    said, said_here = scalars(tmp_path / "theirs"), scalars(tmp_path / "ours")
    for tag in said:
        if not tag.startswith("Perf/") and tag not in (*_OTHER_MEANING[""], *_OTHER_MEANING.get(network, ())):
            assert said[tag][0] == pytest.approx(said_here[tag][0], rel=1e-3, abs=1e-5), tag


_OTHER_MEANING = {
    # there of the last mini-batch, here of the rollout
    "": ("Policy/mean_std",),
    # there the bonus counts as a reward of the episode, and episodes that went on do too
    "curious": (
        "Train/mean_reward",
        "Train/mean_reward/time",
        "Rnd/mean_extrinsic_reward",
        "Rnd/mean_intrinsic_reward",
    ),
    # here only what is learned from is computed
    "symmetric": ("Loss/symmetry",),
}
