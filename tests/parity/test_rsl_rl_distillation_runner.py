"""A distillation script for rsl_rl 5.5.1 runs with fleetfoot by another import: the same files, tags and numbers."""

import contextlib
import copy
import importlib
import io
import re
import warnings

import pytest
import torch
from rsl_rl.env import VecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensordict import TensorDict

T, N, A = 8, 6, 2
THEIRS, OURS = "rsl_rl.runners", "fleetfoot.compat.rsl_rl"


class TinyEnv(VecEnv):
    """Points in the plane that want to be at the origin; the student does not see how fast they move."""

    num_envs, num_actions, max_episode_length, device, cfg = N, A, 6, "cpu", {"name": "tiny"}

    def __init__(self):
        self.generator = torch.Generator().manual_seed(11)
        self.episode_length_buf = torch.zeros(N, dtype=torch.long)
        self.at, self.speed = torch.randn(2, N, 2, generator=self.generator).unbind()

    def get_observations(self):
        return TensorDict({"policy": self.at.clone(), "full": torch.cat((self.at, self.speed), -1)}, batch_size=[N])

    def step(self, actions):
        self.episode_length_buf += 1
        self.speed = 0.9 * self.speed + 0.1 * actions
        self.at = self.at + 0.1 * self.speed
        time_outs = self.episode_length_buf >= self.max_episode_length
        lost = self.at.norm(dim=-1) > 2.0
        done = lost | time_outs
        self.at[done] = torch.randn(N, 2, generator=self.generator)[done]
        self.speed[done] = 0.0
        self.episode_length_buf[done] = 0
        extras = {"time_outs": time_outs & ~lost, "log": {"distance": self.at.norm(dim=-1).mean()}}
        return self.get_observations(), -self.at.square().sum(-1), done.long(), extras


MODEL = {"class_name": "MLPModel", "hidden_dims": [8, 6], "activation": "elu", "obs_normalization": True}
GRU = {"class_name": "RNNModel", "rnn_type": "gru", "rnn_hidden_dim": 4, "rnn_num_layers": 1}
GAUSSIAN = {"class_name": "GaussianDistribution", "init_std": 0.3}
RUN = {"seed": 4, "num_steps_per_env": T, "save_interval": 2}
KINDS = {
    "mlp": ({}, {"gradient_length": 4}),
    "gru": (GRU, {"gradient_length": 4}),
    "huber, and dropped steps": ({}, {"gradient_length": 5, "loss_type": "huber", "max_grad_norm": 0.1}),
    "gru, and windows over two passes": (GRU, {"gradient_length": 5, "num_learning_epochs": 2}),
}


def teacher_cfg(kind):
    model = MODEL | KINDS[kind][0]
    return RUN | {
        "obs_groups": {"actor": ["full"], "critic": ["full"]},
        "algorithm": {"class_name": "PPO", "num_mini_batches": 2},
        "actor": model | {"distribution_cfg": GAUSSIAN},
        "critic": model,
    }


def student_cfg(kind="mlp"):
    change, algorithm = KINDS[kind]
    model = MODEL | change | {"distribution_cfg": GAUSSIAN}
    return RUN | {
        "obs_groups": {"student": ["policy"], "teacher": ["full"]},
        "algorithm": {"class_name": "Distillation", "learning_rate": 3e-3} | algorithm,
        "student": model,
        "teacher": model,
    }


@contextlib.contextmanager
def quiet():
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def make_runner(module, cfg, log_dir=None, name="DistillationRunner"):
    """The runner that a script imports from there."""
    with quiet():
        return getattr(importlib.import_module(module), name)(TinyEnv(), copy.deepcopy(cfg), log_dir, device="cpu")


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """The checkpoint of a PPO run of rsl_rl for each kind of network."""
    folder = tmp_path_factory.mktemp("teachers")
    torch.manual_seed(1)
    for number, kind in enumerate(KINDS):
        runner = make_runner(THEIRS, teacher_cfg(kind), name="OnPolicyRunner")
        with quiet():
            runner.learn(2)
        runner.save(str(folder / f"{number}.pt"), infos={"by": "PPO"})
    return {kind: str(folder / f"{number}.pt") for number, kind in enumerate(KINDS)}


@pytest.fixture(scope="module")
def both(teachers, tmp_path_factory):
    """The folder of a script's run with either library."""
    folders = {}
    for module in (THEIRS, OURS):
        torch.manual_seed(3)
        folders[module] = folder = tmp_path_factory.mktemp("run")
        runner = make_runner(module, student_cfg(), log_dir=str(folder))
        runner.add_git_repo_to_log(__file__)
        assert runner.load(teachers["mlp"]) == {"by": "PPO"}
        assert runner.current_learning_iteration == 0
        with quiet():
            runner.learn(num_learning_iterations=4, init_at_random_ep_len=True)
            runner.learn(num_learning_iterations=2)
        runner.save(str(folder / "last.pt"), infos={"note": [1, "two"]})
        assert (runner.current_learning_iteration, runner.logger.tot_timesteps) == (4, 6 * T * N)
    return folders


def scalars(folder):
    """Tag to (step, value) of each record."""
    loaded = EventAccumulator(str(folder))
    loaded.Reload()
    # By time: files are read in the order of their names, in which the 10th of a process comes before the 9th.
    found = {tag: sorted(loaded.Scalars(tag), key=lambda e: e.wall_time) for tag in loaded.Tags()["scalars"]}
    return {tag: [(e.step, e.value) for e in events] for tag, events in found.items()}


@pytest.mark.parametrize("module", [THEIRS, OURS])
def test_without_a_teacher_both_refuse_to_begin(module, tmp_path):
    runner = make_runner(module, student_cfg(), log_dir=str(tmp_path / "run"))
    with pytest.raises(ValueError, match="eacher"):
        runner.learn(1)
    assert not (tmp_path / "run").exists()


def test_the_same_files(both):
    def names(folder):
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        found = {re.sub(r"^events\.out\.tfevents\..*", "events", name) for name in found}
        return {re.sub(r"^git/.*\.diff$", "git/*.diff", name) for name in found}

    files = {"events", "git/*.diff", "last.pt", *(f"model_{i}.pt" for i in (0, 2, 3, 4))}
    assert names(both[OURS]) == names(both[THEIRS]) == files


def test_the_same_tags_and_iterations(both):
    theirs, ours = scalars(both[THEIRS]), scalars(both[OURS])
    assert theirs.keys() <= ours.keys()
    assert {"Loss/behavior", "Loss/learning_rate", "Policy/mean_std", "Train/mean_reward"} <= theirs.keys()
    for tag, records in theirs.items():
        if not tag.endswith("/time"):
            assert [step for step, _ in records] == [step for step, _ in ours[tag]], tag


def test_the_same_form_of_checkpoint(both):
    theirs, ours = (torch.load(both[module] / "last.pt", weights_only=True) for module in (THEIRS, OURS))
    assert list(theirs) == list(ours)
    assert (theirs["iter"], theirs["infos"]) == (ours["iter"], ours["infos"]) == (4, {"note": [1, "two"]})
    for network in ("student_state_dict", "teacher_state_dict"):
        assert list(theirs[network]) == list(ours[network])
        assert [x.shape for x in theirs[network].values()] == [x.shape for x in ours[network].values()]


@pytest.mark.parametrize(("writer", "reader"), [(THEIRS, OURS), (OURS, THEIRS)])
def test_a_student_of_one_goes_on_in_the_other(both, writer, reader):
    """No teacher is asked for: the checkpoint has it."""
    path = str(both[writer] / "last.pt")
    one, other = (make_runner(module, student_cfg()) for module in (writer, reader))
    assert one.load(path) == other.load(path) == {"note": [1, "two"]}
    assert one.current_learning_iteration == other.current_learning_iteration == 4
    obs = TinyEnv().get_observations()
    with torch.inference_mode():
        torch.testing.assert_close(one.get_inference_policy()(obs), other.get_inference_policy()(obs))
    with quiet():
        other.learn(1)
    steps = {float(state["step"]) for state in other.alg.optimizer.state.values()}
    assert steps == {7 * T / 4}  # two windows in each of six iterations before, and of one now


def test_parts_of_a_checkpoint(both):
    path = str(both[THEIRS] / "last.pt")
    runner = make_runner(OURS, student_cfg())
    before = copy.deepcopy(runner.alg.student.state_dict())
    runner.load(path, load_cfg={"teacher": True})
    saved = torch.load(path, weights_only=True)["teacher_state_dict"]["mlp.4.weight"]
    assert torch.equal(runner.alg.networks["teacher"].network.layers[4].weight, saved)
    assert all(torch.equal(x, before[key]) for key, x in runner.alg.student.state_dict().items())
    assert (runner.current_learning_iteration, len(runner.alg.optimizer.state)) == (0, 0)
    with quiet():
        runner.learn(1)


@pytest.mark.parametrize("kind", KINDS)
def test_three_iterations_have_the_same_numbers(kind, teachers, tmp_path):
    """From the same weights and the same noise: what is logged, and the student after it."""
    torch.manual_seed(5)
    theirs = make_runner(THEIRS, student_cfg(kind), tmp_path / "theirs")
    ours = make_runner(OURS, student_cfg(kind), tmp_path / "ours")
    theirs.load(teachers[kind])
    theirs.save(str(tmp_path / "start.pt"))
    ours.load(tmp_path / "start.pt")
    before = {key: x.clone() for key, x in theirs.alg.student.state_dict().items()}
    ours.alg._generators["exploration"].set_state(torch.get_rng_state())  # they draw from torch's own generator
    for runner in (theirs, ours):
        with quiet():
            runner.learn(3)
        runner.save(tmp_path / ("theirs.pt" if runner is theirs else "ours.pt"))
    one, other = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("theirs", "ours"))
    for name in ("student_state_dict", "teacher_state_dict"):
        assert one[name].keys() == other[name].keys()
        for key in one[name]:
            torch.testing.assert_close(one[name][key], other[name][key], rtol=1e-4, atol=1e-5, msg=f"{name} {key}")
    assert (one["student_state_dict"]["mlp.0.weight"] - before["mlp.0.weight"]).abs().max() > 1e-3
    said, said_here = scalars(tmp_path / "theirs"), scalars(tmp_path / "ours")
    for tag in said:
        if not tag.startswith("Perf/") and not tag.endswith("/time"):
            for (_, there), (_, here) in zip(said[tag], said_here[tag], strict=True):
                assert there == pytest.approx(here, rel=1e-3, abs=1e-5), tag


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
def test_what_any_optimiser_remembers_comes_along(optimizer, teachers, tmp_path):
    cfg = student_cfg()
    cfg["algorithm"] |= {"optimizer": optimizer, "learning_rate": 1e-3}
    torch.manual_seed(5)
    first, theirs, ours, back = (make_runner(module, cfg) for module in (THEIRS, THEIRS, OURS, THEIRS))
    first.load(teachers["mlp"])
    with quiet():
        first.learn(2)
    first.save(str(tmp_path / "theirs.pt"))
    for runner in (theirs, ours):
        runner.load(str(tmp_path / "theirs.pt"))
    assert theirs.current_learning_iteration == ours.current_learning_iteration == 1
    ours.alg._generators["exploration"].set_state(torch.get_rng_state())
    for runner in (theirs, ours):
        with quiet():
            runner.learn(1)
    ours.save(tmp_path / "ours.pt")
    back.load(str(tmp_path / "ours.pt"))
    for key, x in theirs.alg.student.state_dict().items():
        torch.testing.assert_close(back.alg.student.state_dict()[key], x, rtol=1e-4, atol=1e-6, msg=key)
    one, other = (runner.alg.optimizer.state_dict() for runner in (theirs, back))
    assert one["param_groups"] == other["param_groups"]
    assert one["state"].keys() == other["state"].keys()
    for number, kept in one["state"].items():
        for key, x in kept.items():
            torch.testing.assert_close(other["state"][number][key], x, rtol=1e-3, atol=1e-6)
    with quiet():
        back.learn(1)
