"""Which teachers fit: as many as the config says, the same networks, the same numbers in, the same actions out."""

from dataclasses import replace

import pytest
import torch

from fleetfoot.core.config import apply_overrides
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.core.vec_env import ActionSpec
from fleetfoot.errors import CheckpointError, ConfigError
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg
from fleetfoot.runners.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fleetfoot.runners.config import DistillationGroupsCfg, DistillationRunnerCfg, ObsGroupsCfg, OnPolicyRunnerCfg
from fleetfoot.runners.distillation import DistillationRunner
from fleetfoot.runners.on_policy import OnPolicyRunner
from fleetfoot.runners.teacher import read_teachers
from fleetfoot.tasks.registry import find_task

NETWORK = ActorCfg(network=MlpCfg(hidden_dims=(8,)))
TEACHER = OnPolicyRunnerCfg(
    experiment_name="toy", num_steps_per_env=4, actor=NETWORK, critic=CriticCfg(network=MlpCfg(hidden_dims=(8,)))
)
STUDENT = DistillationRunnerCfg(experiment_name="toy", student=NETWORK, teacher=NETWORK)


@pytest.fixture
def path(tmp_path):
    OnPolicyRunner(ToyEnv(4), TEACHER).save(tmp_path / "teacher.pt")
    return tmp_path / "teacher.pt"


def refusal(path, cfg: DistillationRunnerCfg = STUDENT, env=None) -> str:
    with pytest.raises((ConfigError, CheckpointError)) as caught:
        read_teachers([path], cfg, env or ToyEnv(4), "cpu")
    return str(caught.value)


def test_one_that_fits_is_found(path):
    (teacher,) = read_teachers([path], STUDENT, ToyEnv(9), "cpu")
    assert (teacher.name, teacher.source, teacher.path) == ("teacher", "actor", path)


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_a_file_for_each(path, count):
    with pytest.raises(ConfigError) as caught:
        read_teachers([path] * count, STUDENT, ToyEnv(4), "cpu")
    assert str(caught.value) == (
        f"agent.more_teachers: got 0 of them, and {count} checkpoints; expected one teacher for each checkpoint."
    )


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (
            ActorCfg(network=MlpCfg(hidden_dims=(9,))),
            "agent.teacher.network.hidden_dims: got [9]; expected [8], as in {path}. "
            "Pass agent.teacher.network.hidden_dims=[8].",
        ),
        (
            replace(NETWORK, obs_normalization=True),
            "agent.teacher.obs_normalization: got true; expected false, as in {path}. "
            "Pass agent.teacher.obs_normalization=false.",
        ),
    ],
)
def test_another_network_is_refused_by_its_field(path, teacher, message):
    assert refusal(path, replace(STUDENT, teacher=teacher)) == message.format(path=path)


def test_other_observations_are_refused_by_their_number(path):
    cfg = replace(STUDENT, obs_groups=DistillationGroupsCfg(teacher=("critic",)))
    assert refusal(path, cfg) == (
        f"agent.obs_groups.teacher: got 3 numbers; expected 2, which the teacher in {path} reads. "
        "Name the groups that hold what the teacher was trained on."
    )


def test_groups_may_have_other_names_where_the_numbers_are_as_many(path):
    env = ToyEnv(4)
    env.observation_spec = {"policy": (1,), "seen": (2,)}
    cfg = replace(STUDENT, obs_groups=DistillationGroupsCfg(student=("policy",), teacher=("seen",)))
    assert read_teachers([path], cfg, env, "cpu")


def test_another_number_of_actions_is_refused(path):
    env = ToyEnv(4)
    env.action_spec = ActionSpec(size=3)
    assert refusal(path, env=env) == f"{path}: got trained with 1 actions; expected 3."


def test_what_is_no_checkpoint_is_refused(tmp_path):
    assert refusal(tmp_path / "gone.pt") == f"{tmp_path}/gone.pt: got no file; expected a checkpoint. Check the path."


def test_a_refused_teacher_leaves_the_runner_without_one(path):
    runner = DistillationRunner(ToyEnv(4), replace(STUDENT, obs_groups=DistillationGroupsCfg(teacher=("critic",))))
    before = runner.algorithm.networks["teacher"].network.layers[0].weight.clone()
    with pytest.raises(ConfigError):
        runner.load_teacher(path)
    assert torch.equal(runner.algorithm.networks["teacher"].network.layers[0].weight, before)
    assert not runner.algorithm.teachers.sources


# --- environments that describe themselves


@pytest.fixture(scope="module")
def cartpole():
    task = find_task("Cartpole")
    env = task.make_env(apply_overrides(task.env_cfg(), {"scene.num_envs": "2"}, where="env"), device="cpu", seed=0)
    yield env
    env.close()


@pytest.fixture(scope="module")
def saved(cartpole, tmp_path_factory):
    """A teacher of Cartpole that reads three numbers; the cart's velocity is not among them."""
    path = tmp_path_factory.mktemp("cartpole") / "teacher.pt"
    groups = ObsGroupsCfg(actor=("sensors",), critic=("policy",))
    OnPolicyRunner(cartpole, replace(TEACHER, obs_groups=groups, num_steps_per_env=2)).save(path)
    return path


SENSORS = replace(STUDENT, obs_groups=DistillationGroupsCfg(student=("policy",), teacher=("sensors",)))


def changed(saved, tmp_path, change):
    """The same checkpoint of an environment that describes itself otherwise."""
    checkpoint = load_checkpoint(saved)
    change(checkpoint.metadata["policy_contract"])
    save_checkpoint(tmp_path / "changed.pt", Checkpoint(checkpoint.metadata, checkpoint.state))
    return tmp_path / "changed.pt"


def test_terms_that_are_alike_fit(saved, cartpole):
    assert read_teachers([saved], SENSORS, cartpole, "cpu")


def test_noise_and_the_name_of_the_group_may_differ(saved, cartpole, tmp_path):
    def rename(contract):
        terms = contract["observations"].pop("sensors")
        contract["observations"]["seen"] = [{**term, "noise": 0.3} for term in terms]

    path = changed(saved, tmp_path, rename)
    checkpoint = load_checkpoint(path)
    checkpoint.metadata["observation_spec"]["seen"] = [3]
    checkpoint.metadata["agent"]["obs_groups"]["actor"] = ["seen"]
    save_checkpoint(path, checkpoint)
    assert read_teachers([path], SENSORS, cartpole, "cpu")


@pytest.mark.parametrize(("key", "value"), [("name", "cart_angle"), ("scale", 2.0), ("clip", [-1.0, 1.0])])
def test_a_term_that_means_something_else_is_named(saved, cartpole, tmp_path, key, value):
    path = changed(saved, tmp_path, lambda contract: contract["observations"]["sensors"][1].update({key: value}))
    message = refusal(path, SENSORS, cartpole)
    assert message.startswith("agent.obs_groups.teacher: got the term {'name': 'pole_vel', 'size': 1, ")
    assert f"'{key}': {value!r}" in message
    assert message.endswith("Name the groups that hold what the teacher was trained on.")


def test_actions_that_mean_something_else_are_refused(saved, cartpole, tmp_path):
    path = changed(saved, tmp_path, lambda contract: contract["actions"].update(scale=[50.0]))
    assert refusal(path, SENSORS, cartpole) == (
        f"{path}: got a teacher whose actions have scale [50.0]; expected [100.0], as here. "
        "Distil in the environment of the teacher."
    )
