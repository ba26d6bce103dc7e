from dataclasses import replace

import pytest
import torch

from fleetfoot.algorithms.config import AdaptiveKlCfg, PpoCfg
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.core.vec_env import VecEnv
from fleetfoot.errors import CheckpointError, ConfigError, ContractError, NonFiniteError, OutputError
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner
from fleetfoot.tasks.registry import find_task

SMALL = MlpCfg(hidden_dims=(8,))
CFG = OnPolicyRunnerCfg(
    experiment_name="toy",
    num_steps_per_env=6,
    save_interval=2,
    algorithm=PpoCfg(num_learning_epochs=2, num_mini_batches=2, schedule=AdaptiveKlCfg()),
    actor=ActorCfg(network=SMALL, distribution=GaussianCfg(init_std=0.5), obs_normalization=True),
    critic=CriticCfg(network=SMALL, obs_normalization=True),
)


class Reports:
    """A writer that remembers."""

    def __init__(self):
        self.run, self.written, self.closed = None, [], []

    def start(self, run):
        self.run = run

    def write(self, report):
        self.written.append(report)

    def add_video(self, path, iteration): ...

    def close(self, status):
        self.closed.append(status)


def make_env(num_envs: int = 4) -> ToyEnv:
    return ToyEnv(num_envs, max_episode_length=8, terminate_after=(5,))


def make(tmp_path=None, cfg: OnPolicyRunnerCfg = CFG, env: VecEnv | None = None) -> tuple[OnPolicyRunner, Reports]:
    reports = Reports()
    return OnPolicyRunner(env or make_env(), cfg, tmp_path, writer=reports), reports


def numbers(state, path: str = "") -> dict[str, torch.Tensor]:
    """Every tensor and number of a nested state, by its path."""
    if isinstance(state, torch.Tensor):
        return {path: state}
    if isinstance(state, (bool, int, float)):
        return {path: torch.tensor(state)}
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, (list, tuple)) else ()
    return {name: value for key, each in items for name, value in numbers(each, f"{path}/{key}").items()}


def saved_numbers(runner: OnPolicyRunner, path) -> dict[str, torch.Tensor]:
    """What the runner would save, but for wall clock times."""
    runner.save(path)
    found = numbers(load_checkpoint(path).state)
    del found["/seconds"]
    return found


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    differing = [name for name in one if not torch.equal(one[name], other[name])]
    assert not differing


# --- an exact resume


def make_cartpole() -> VecEnv:
    task = find_task("Cartpole")
    cfg = task.env_cfg()
    return task.make_env(replace(cfg, scene=replace(cfg.scene, num_envs=8)), device="cpu", seed=4)


def cartpole_cfg() -> OnPolicyRunnerCfg:
    cfg = find_task("Cartpole").agents["ppo"]()
    return replace(cfg, actor=replace(cfg.actor, obs_normalization=True))


@pytest.mark.parametrize(("make_one", "make_cfg"), [(make_env, lambda: CFG), (make_cartpole, cartpole_cfg)])
def test_stopping_in_the_middle_changes_no_bit(make_one, make_cfg, tmp_path):
    whole, whole_reports = make(cfg=make_cfg(), env=make_one())
    whole.learn(6, init_at_random_ep_len=True)
    first, _ = make(cfg=make_cfg(), env=make_one())
    first.learn(3, init_at_random_ep_len=True)
    first.save(tmp_path / "middle.pt")
    second, second_reports = make(cfg=make_cfg(), env=make_one())
    second.load(tmp_path / "middle.pt")
    second.learn(3, init_at_random_ep_len=True)
    same(saved_numbers(second, tmp_path / "second.pt"), saved_numbers(whole, tmp_path / "whole.pt"))
    for one, other in zip(second_reports.written, whole_reports.written[3:], strict=True):
        assert {k: v for k, v in one.scalars.items() if not k.startswith("Perf/")} == {
            k: v for k, v in other.scalars.items() if not k.startswith("Perf/")
        }
    for runner in (whole, first, second):
        runner.env.close()


def test_two_calls_are_one_training(tmp_path):
    whole, halves = make()[0], make()[0]
    whole.learn(4)
    halves.learn(2)
    halves.learn(2)
    same(saved_numbers(halves, tmp_path / "halves.pt"), saved_numbers(whole, tmp_path / "whole.pt"))


def test_a_run_follows_from_its_seed(tmp_path):
    runs = []
    for seed in (1, 1, 2):
        runner, _ = make(cfg=replace(CFG, seed=seed))
        runner.learn(2)
        runs.append(saved_numbers(runner, tmp_path / f"{len(runs)}.pt"))
    same(runs[0], runs[1])
    assert not torch.equal(runs[0]["/ranks/0/environment/x"], runs[2]["/ranks/0/environment/x"])


def test_a_runner_that_saved_before_it_began_begins_when_loaded(tmp_path):
    runner, _ = make()
    runner.save(tmp_path / "begin.pt")
    other, _ = make()
    other.load(tmp_path / "begin.pt")
    other.learn(1)
    assert other.iteration == 1


# --- bookkeeping


def test_iterations_and_steps_are_counted_from_the_beginning(tmp_path):
    runner, reports = make()
    runner.learn(3)
    runner.learn(2)
    assert [report.iteration for report in reports.written] == [1, 2, 3, 4, 5]
    assert [report.num_iterations for report in reports.written] == [3, 3, 3, 5, 5]
    assert [report.env_steps for report in reports.written] == [24, 48, 72, 96, 120]
    runner.save(tmp_path / "model.pt")
    other, other_reports = make()
    other.load(tmp_path / "model.pt")
    other.learn(1)
    assert (other.iteration, other.env_steps) == (6, 144)
    assert [report.iteration for report in other_reports.written] == [6]
    assert other.seconds > runner.seconds


def test_a_report_holds_what_was_learned_and_how_long_it_took():
    runner, reports = make()
    runner.learn(2)
    scalars = reports.written[-1].scalars
    assert scalars.keys() >= {
        "Train/mean_reward",
        "Train/mean_episode_length",
        "Loss/value",
        "Loss/surrogate",
        "Loss/learning_rate",
        "Policy/mean_std",
        "Metrics/distance",
        "Perf/total_fps",
        "Perf/collection_time",
        "Perf/learning_time",
    }
    timings = reports.written[-1].timings
    assert scalars["Perf/total_fps"] == pytest.approx(24 / timings.iteration)
    assert not any(tag.startswith("NonFinite/") for tag in scalars)


def test_what_has_no_value_yet_is_absent():
    runner, reports = make(env=ToyEnv(4, max_episode_length=100))
    runner.learn(1)
    assert "Train/mean_reward" not in reports.written[0].scalars


def test_episodes_begin_together_unless_asked_otherwise():
    runner, _ = make(env=ToyEnv(64, max_episode_length=50))
    runner._begin(at_random_times=False)
    assert runner.env.episode_length.unique().tolist() == [0]
    other, _ = make(env=ToyEnv(64, max_episode_length=50))
    other._begin(at_random_times=True)
    assert len(other.env.episode_length.unique()) > 20
    assert other.env.episode_length.max() < 50


def test_the_writer_is_opened_once_and_closed_once(tmp_path):
    runner, reports = make(tmp_path)
    runner.learn(1)
    runner.learn(1)
    runner.close("interrupted")
    runner.close()
    assert reports.closed == ["interrupted"]
    assert reports.run.log_dir == tmp_path
    assert reports.run.num_envs == 4
    assert reports.run.resumed_from is None


def test_a_run_that_goes_on_says_from_where(tmp_path):
    runner, _ = make(tmp_path)
    runner.learn(2)
    other, reports = make(tmp_path)
    other.load(tmp_path / "checkpoints" / "model_2.pt")
    other.learn(1)
    assert reports.run.resumed_from == 2


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    OnPolicyRunner(make_env(), CFG).learn(2)
    assert not list(tmp_path.iterdir())


def test_the_default_writers_write_into_the_folder(tmp_path):
    runner = OnPolicyRunner(make_env(), CFG, tmp_path)
    runner.learn(1)
    runner.close()
    assert (tmp_path / "metrics.jsonl").is_file()
    assert list(tmp_path.glob("events*"))


# --- checkpoints on the way


def checkpoints(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "checkpoints").iterdir())


def test_checkpoints_come_at_the_interval_and_at_the_end(tmp_path):
    runner, _ = make(tmp_path)
    runner.learn(5)
    assert checkpoints(tmp_path) == ["best.pt", "model_2.pt", "model_4.pt", "model_5.pt"]


def test_the_best_is_the_one_of_the_highest_mean_reward(tmp_path):
    runner, _ = make(tmp_path)
    for reward in (1.0, 3.0, 2.0, 2.5):
        runner.learn(1)
        runner.scalars["Train/mean_reward"] = reward
        runner._save_to_run()
    assert load_checkpoint(tmp_path / "checkpoints" / "best.pt").metadata["iteration"] == 2
    assert runner.best_reward == 3.0


def test_a_run_that_goes_on_beats_the_best_of_before_or_leaves_it(tmp_path):
    runner, _ = make(tmp_path)
    runner.learn(2)
    runner.scalars["Train/mean_reward"] = 1000.0
    runner._save_to_run()
    other, _ = make(tmp_path)
    other.load(tmp_path / "checkpoints" / "best.pt")
    other.learn(2)
    assert other.best_reward == 1000.0
    assert load_checkpoint(tmp_path / "checkpoints" / "best.pt").metadata["iteration"] == 2


def test_a_request_to_stop_ends_after_the_iteration_and_saves(tmp_path):
    runner, _ = make(tmp_path)

    class StopsAtThree(Reports):
        def write(self, report):
            super().write(report)
            runner.stop_requested = report.iteration == 3

    runner._writer = StopsAtThree()
    runner.learn(100)
    assert runner.iteration == 3
    assert "model_3.pt" in checkpoints(tmp_path)


def test_a_request_to_stop_before_the_first_iteration_leaves_something_to_go_on_with(tmp_path):
    runner, _ = make(tmp_path)
    runner.stop_requested = True
    runner.learn(100)
    assert checkpoints(tmp_path) == ["model_0.pt"]
    other, _ = make(tmp_path)
    other.load(tmp_path / "checkpoints" / "model_0.pt")
    other.learn(1)
    assert other.iteration == 1


def test_a_checkpoint_says_what_it_is_of(tmp_path):
    runner = OnPolicyRunner(make_env(), CFG, metadata={"task": "Toy", "env": {"a": 1}})
    runner.learn(1)
    runner.save(tmp_path / "model.pt")
    metadata = load_checkpoint(tmp_path / "model.pt").metadata
    assert metadata["task"] == "Toy"
    assert metadata["env"] == {"a": 1}
    assert metadata["agent"]["algorithm"]["num_mini_batches"] == 2
    assert metadata["iteration"] == 1
    assert metadata["observation_spec"] == {"policy": [2], "critic": [3]}
    assert metadata["num_actions"] == 1
    assert metadata["versions"]["torch"] == torch.__version__


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "checkpoints").write_text("a file in the way")
    runner, _ = make(tmp_path)
    with pytest.raises(OutputError, match="checkpoints/model_1.pt"):
        runner.learn(1)


def test_a_disk_that_is_full_on_the_way_costs_a_checkpoint_and_not_the_training(tmp_path):
    said: list[str] = []
    runner = OnPolicyRunner(make_env(), CFG, tmp_path, writer=Reports(), report=said.append)
    in_the_way = tmp_path / "checkpoints"
    in_the_way.write_text("full")

    class MakesRoomAtThree(Reports):
        def write(self, report):
            if report.iteration == 3:
                in_the_way.unlink()

    runner._writer = MakesRoomAtThree()
    runner.learn(4)
    assert len(said) == 1
    assert said[0].startswith("iteration 2 was not saved, and the training goes on: ")
    assert "model_4.pt" in checkpoints(tmp_path)


def test_going_on_from_an_earlier_checkpoint_sets_the_later_ones_aside(tmp_path):
    runner, _ = make(tmp_path)
    runner.learn(4)
    other, _ = make(tmp_path)
    other.load(tmp_path / "checkpoints" / "model_2.pt")
    other.learn(1)
    assert {"model_2.pt", "model_3.pt", "model_4.pt.void"} <= set(checkpoints(tmp_path))
    assert "model_4.pt" not in checkpoints(tmp_path)


def test_a_new_run_in_the_folder_of_another_is_refused(tmp_path):
    first = OnPolicyRunner(make_env(), CFG, tmp_path)
    first.learn(1)
    first.close()
    with pytest.raises(OutputError, match="got a folder with another run in it; expected a new one"):
        OnPolicyRunner(make_env(), CFG, tmp_path).learn(1)


def test_a_request_to_stop_is_for_one_training_only(tmp_path):
    runner, _ = make(tmp_path)
    runner.request_stop()
    runner.learn(1)
    runner.learn(1)
    assert runner.iteration == 1


# --- checkpoints that do not fit


@pytest.fixture
def saved(tmp_path):
    runner, _ = make()
    runner.learn(1)
    runner.save(tmp_path / "model.pt")
    return tmp_path / "model.pt"


class OtherSpec:
    def __init__(self, spec):
        self._env, self.observation_spec = make_env(), spec

    def __getattr__(self, name):
        return getattr(self._env, name)


@pytest.mark.parametrize("network", ["actor", "critic"])
def test_networks_of_another_size_are_refused_by_name(saved, network):
    cfg = replace(CFG, **{network: replace(getattr(CFG, network), network=MlpCfg(hidden_dims=(5,)))})
    runner, _ = make(cfg=cfg)
    with pytest.raises(CheckpointError) as caught:
        runner.load(saved)
    message = str(caught.value)
    assert message.startswith(f"{saved}: got size mismatch for network.layers")
    assert f"expected the parameters of agent.{network} as configured" in message
    assert message.endswith("Leave the overrides of the network away: a checkpoint carries its config.")


def test_an_optimiser_of_other_parameters_is_refused(saved):
    cfg = replace(CFG, actor=replace(CFG.actor, distribution=GaussianCfg(learn_std=False)))
    runner, _ = make(cfg=cfg)
    with pytest.raises(CheckpointError, match=r"expected the state of agent\.algorithm as configured"):
        runner.load(saved)


def test_a_run_of_another_device_is_refused_and_its_weights_are_not(saved):
    checkpoint = load_checkpoint(saved)
    save_checkpoint(saved, Checkpoint({**checkpoint.metadata, "device": "cuda"}, checkpoint.state))
    runner, _ = make()
    with pytest.raises(
        CheckpointError, match="got a run on cuda, whose random numbers go on only there; expected one on cpu"
    ):
        runner.load(saved)
    runner.load(saved, optimizer=False, environment=False)


def test_a_state_that_the_environment_does_not_take_is_named(saved):
    checkpoint = load_checkpoint(saved)
    del checkpoint.state["ranks"][0]["environment"]["x"]
    save_checkpoint(saved, checkpoint)
    runner, _ = make()
    with pytest.raises(
        CheckpointError, match="^the environment's state: got KeyError: 'x'; expected that of an environment"
    ):
        runner.load(saved)


def test_an_environment_that_observes_otherwise_is_refused(saved):
    runner, _ = make(env=OtherSpec({"policy": (2,), "critic": (3,), "camera": (5,)}))
    with pytest.raises(CheckpointError) as caught:
        runner.load(saved)
    assert str(caught.value) == (
        f"{saved}: got trained on observations {{'policy': (2,), 'critic': (3,)}}; "
        "expected {'policy': (2,), 'critic': (3,), 'camera': (5,)}. Is it a checkpoint of another task?"
    )


def test_other_numbers_of_environments_begin_afresh_and_say_so(saved):
    runner, _ = make(env=make_env(8))
    said = r"env\.scene\.num_envs: 8 now, 4 when the checkpoint was saved\. The episodes begin afresh\."
    with pytest.warns(UserWarning, match=said):
        runner.load(saved)
    runner.learn(1)
    assert (runner.iteration, runner.env_steps) == (2, 24 + 48)


def test_weights_alone_begin_a_new_run(saved):
    runner, _ = make()
    runner.load(saved, optimizer=False, environment=False)
    assert (runner.iteration, runner.env_steps) == (0, 0)
    trained = load_checkpoint(saved).state["algorithm"]
    for name, network in runner.algorithm.networks.items():
        same(numbers(network.state_dict()), numbers(trained[name]))
        assert network.inputs.normalizer.count.item() == 24
    assert not runner.algorithm.optimizer.state


# --- NaN


class Spoilt:
    """From some step on, something in the result is not finite."""

    def __init__(self, change, at_step: int):
        self._env, self._change, self._left = make_env(), change, at_step

    def __getattr__(self, name):
        return getattr(self._env, name)

    def step(self, actions):
        self._left -= 1
        result = self._env.step(actions)
        return self._change(result) if self._left < 0 else result


def nan_like(x):
    return torch.full_like(x, torch.nan)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda r: replace(r, reward=nan_like(r.reward)), r"reward \(24\)"),
        (lambda r: replace(r, obs={**r.obs, "critic": nan_like(r.obs["critic"])}), r"obs/critic \(60\)"),
        (lambda r: replace(r, obs={**r.obs, "policy": r.obs["policy"] / 0}), r"obs/policy \("),
    ],
)
def test_nan_names_where_it_came_from_and_is_not_saved(change, what, tmp_path):
    runner, _ = make(tmp_path, env=Spoilt(change, at_step=18))
    with pytest.raises(NonFiniteError, match=rf"^iteration 4: got NaN or infinity in .*{what}"):
        runner.learn(10)
    assert checkpoints(tmp_path) == ["best.pt", "model_2.pt"]


def test_a_final_observation_of_nan_stops_too(tmp_path):
    spoil = lambda r: replace(r, final_obs={**r.final_obs, "critic": nan_like(r.final_obs["critic"])})  # noqa: E731
    runner, _ = make(tmp_path, env=Spoilt(spoil, at_step=0))
    with pytest.raises(NonFiniteError, match="every gradient"):
        runner.learn(10)


# --- the rest


def test_another_name_of_the_environments_device_is_taken():
    assert OnPolicyRunner(make_env(), CFG, device="cpu:0").device == torch.device("cpu")


def test_another_device_than_the_environments_is_refused():
    with pytest.raises(ConfigError) as caught:
        OnPolicyRunner(make_env(), CFG, device="meta")
    assert str(caught.value) == "device: got meta; expected the environment's device, cpu."


def test_the_policy_in_use_is_a_copy_without_exploration():
    runner, _ = make()
    runner.learn(2)
    policy = runner.get_inference_policy()
    obs = runner.env.reset(1)
    before = policy(obs)
    assert torch.equal(before, policy(obs))
    torch.testing.assert_close(before, runner.algorithm.actor(obs)[0].mean)
    runner.learn(1)
    assert torch.equal(policy(obs), before)
    assert not torch.equal(runner.algorithm.actor(obs)[0].mean, before)


def test_training_goes_on_in_training_mode():
    runner, _ = make()
    runner.eval_mode()
    runner.learn(1)
    assert runner.algorithm.actor.training


def test_the_toy_task_is_learned():
    env = ToyEnv(64, max_episode_length=20)
    cfg = replace(CFG, num_steps_per_env=20, algorithm=replace(CFG.algorithm, learning_rate=3e-3))
    runner, reports = make(cfg=cfg, env=env)
    runner.learn(60)
    first, last = (reports.written[i].scalars["Train/mean_reward"] for i in (0, -1))
    assert last > 0.2 * first  # rewards are negative: less than a fifth of the cost


def test_an_environment_that_breaks_the_contract_is_named_before_anything_is_learned():
    env = ToyEnv(4)
    env.observation_spec = {"policy": (3,), "critic": (3,)}
    runner = OnPolicyRunner(env, OnPolicyRunnerCfg(experiment_name="toy"))
    with pytest.raises(ContractError, match=r"reset\['policy'\]\.shape: got \(4, 2\); expected \(4, 3\)"):
        runner.learn(1)
    assert runner.iteration == 0


def test_the_environment_has_a_seed_of_its_own_if_it_is_given_one():
    def first_obs(**seeds):
        runner = OnPolicyRunner(ToyEnv(4), replace(OnPolicyRunnerCfg(experiment_name="toy"), seed=1), **seeds)
        return runner._begin(False)["policy"]

    assert torch.equal(first_obs(), first_obs())
    assert torch.equal(first_obs(env_seed=7), first_obs(env_seed=7))
    assert not torch.equal(first_obs(env_seed=7), first_obs(env_seed=8))
    assert not torch.equal(first_obs(env_seed=7), first_obs())
