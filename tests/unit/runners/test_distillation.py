"""A whole distillation: from a teacher's checkpoint over the student's to an actor that goes on with PPO."""

from dataclasses import replace

import pytest
import torch

from fleetfoot.algorithms.config import AdaptiveKlCfg, DistillationCfg, LinearCfg, MixingCfg, PpoCfg
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.errors import CheckpointError, ConfigError
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.runners.checkpoint import load_checkpoint
from fleetfoot.runners.config import DistillationGroupsCfg, DistillationRunnerCfg, ObsGroupsCfg, OnPolicyRunnerCfg
from fleetfoot.runners.distillation import DistillationRunner
from fleetfoot.runners.logging.writer import NullWriter
from fleetfoot.runners.on_policy import OnPolicyRunner
from fleetfoot.runners.policy import build_policy

SMALL, WIDE = MlpCfg(hidden_dims=(8,)), MlpCfg(hidden_dims=(16,))
TEACHER = OnPolicyRunnerCfg(
    experiment_name="toy",
    num_steps_per_env=6,
    obs_groups=ObsGroupsCfg(actor=("critic",)),
    algorithm=PpoCfg(num_learning_epochs=2, num_mini_batches=2, schedule=AdaptiveKlCfg()),
    actor=ActorCfg(network=WIDE, distribution=GaussianCfg(init_std=0.5), obs_normalization=True),
    critic=CriticCfg(network=SMALL),
)
STUDENT = DistillationRunnerCfg(
    experiment_name="toy_student",
    num_steps_per_env=6,
    save_interval=2,
    obs_groups=DistillationGroupsCfg(student=("policy",), teacher=("critic",)),
    algorithm=DistillationCfg(gradient_length=4, mixing=MixingCfg(schedule=LinearCfg(iterations=4))),
    student=ActorCfg(network=SMALL, distribution=GaussianCfg(init_std=0.2), obs_normalization=True),
    teacher=TEACHER.actor,
)
FINETUNE = replace(
    TEACHER,
    obs_groups=ObsGroupsCfg(actor=("policy",)),
    actor=STUDENT.student,
    algorithm=replace(TEACHER.algorithm, critic_warmup=1),
)


def make_env(num_envs: int = 4) -> ToyEnv:
    return ToyEnv(num_envs, max_episode_length=8, terminate_after=(5,))


def make(cfg: DistillationRunnerCfg = STUDENT, log_dir=None, env=None) -> DistillationRunner:
    return DistillationRunner(env or make_env(), cfg, log_dir, writer=NullWriter())


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The checkpoint of a teacher."""
    runner = OnPolicyRunner(make_env(), TEACHER)
    runner.learn(2)
    path = tmp_path_factory.mktemp("teacher") / "model_2.pt"
    runner.save(path)
    return path


@pytest.fixture
def student(teacher, tmp_path):
    """The checkpoint of a student that has learned for two iterations."""
    runner = make()
    runner.load_teacher(teacher)
    runner.learn(2)
    runner.save(tmp_path / "student.pt")
    return tmp_path / "student.pt"


def numbers(state, path: str = "") -> dict[str, torch.Tensor]:
    """Every tensor and number of a nested state, by its path."""
    if isinstance(state, torch.Tensor):
        return {path: state}
    if isinstance(state, (bool, int, float)):
        return {path: torch.tensor(state)}
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, (list, tuple)) else ()
    return {name: value for key, each in items for name, value in numbers(each, f"{path}/{key}").items()}


def saved_numbers(runner, path) -> dict[str, torch.Tensor]:
    runner.save(path)
    return {name: value for name, value in numbers(load_checkpoint(path).state).items() if name != "/seconds"}


def differing(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


# --- a teacher


def test_without_a_teacher_nothing_begins(tmp_path):
    runner = make(log_dir=tmp_path / "run")
    with pytest.raises(ConfigError) as caught:
        runner.learn(1)
    assert str(caught.value) == (
        "agent.teacher: got no trained policy; expected one to learn from. "
        "Call load_teacher(path) with a checkpoint, or load() the checkpoint of a distillation to go on."
    )
    assert runner.iteration == 0
    assert not (tmp_path / "run").exists()


def test_the_teacher_is_the_actor_of_its_checkpoint_and_stays_it(teacher):
    runner = make()
    runner.load_teacher(teacher)
    runner.learn(3)
    trained = numbers(load_checkpoint(teacher).state["algorithm"]["actor"])
    assert differing(numbers(runner.algorithm.networks["teacher"].state_dict()), trained) == []
    assert runner.algorithm.teachers.sources == (str(teacher),)


def test_a_student_may_teach_too(student):
    cfg = replace(
        STUDENT, obs_groups=DistillationGroupsCfg(student=("critic",), teacher=("policy",)), teacher=STUDENT.student
    )
    runner = make(cfg)
    runner.load_teacher(student)
    trained = numbers(load_checkpoint(student).state["algorithm"]["student"])
    assert differing(numbers(runner.algorithm.networks["teacher"].state_dict()), trained) == []
    runner.learn(1)


def test_each_of_several_teachers_comes_from_its_file(teacher, tmp_path):
    other = OnPolicyRunner(make_env(), replace(TEACHER, seed=7, actor=replace(TEACHER.actor, network=SMALL)))
    other.save(tmp_path / "other.pt")
    cfg = replace(STUDENT, more_teachers=(replace(TEACHER.actor, network=SMALL),))
    runner = make(cfg)
    runner.load_teacher(teacher, tmp_path / "other.pt")
    assert torch.equal(
        runner.algorithm.networks["more_teachers[0]"].network.layers[0].weight,
        other.algorithm.actor.network.layers[0].weight,
    )
    runner.learn(1)


# --- the loop


def test_a_student_learns_and_says_so(teacher, tmp_path):
    runner = make(log_dir=tmp_path)
    runner.load_teacher(teacher)
    runner.learn(3)
    assert runner.scalars.keys() >= {
        "Train/mean_reward",
        "Loss/behavior",
        "Loss/learning_rate",
        "Policy/mean_std",
        "Policy/teacher_share",
        "Grad/student_norm",
        "Metrics/distance",
        "Perf/total_fps",
    }
    assert not any(tag.startswith("NonFinite/") for tag in runner.scalars)


def test_the_best_is_never_one_whose_reward_the_teacher_earned(teacher, tmp_path):
    """The teacher acts in iterations 1 to 4; checkpoints come after 2, 4, 6 and 8."""
    runner = make(log_dir=tmp_path)
    runner.load_teacher(teacher)
    for iteration in range(1, 9):
        runner.learn(1)
        assert (tmp_path / "checkpoints" / "best.pt").exists() == (iteration >= 5)
    assert load_checkpoint(tmp_path / "checkpoints" / "best.pt").metadata["iteration"] >= 5


def test_stopping_in_the_middle_changes_no_bit_and_needs_no_teacher_again(teacher, tmp_path):
    whole, first, second = make(), make(), make()
    for runner in (whole, first):
        runner.load_teacher(teacher)
    whole.learn(6, init_at_random_ep_len=True)
    first.learn(3, init_at_random_ep_len=True)
    first.save(tmp_path / "middle.pt")
    second.load(tmp_path / "middle.pt")
    assert second.algorithm.teachers.sources == (str(teacher),)
    second.learn(3, init_at_random_ep_len=True)
    assert differing(saved_numbers(second, tmp_path / "a.pt"), saved_numbers(whole, tmp_path / "b.pt")) == []


def test_a_checkpoint_without_a_teacher_brings_none(tmp_path):
    make().save(tmp_path / "model.pt")
    runner = make()
    runner.load(tmp_path / "model.pt")
    with pytest.raises(ConfigError, match=r"^agent\.teacher: got no trained policy"):
        runner.learn(1)


def test_the_policy_that_is_used_is_the_student(student, tmp_path):
    runner = make()
    runner.load(student)
    obs = make_env(9).reset(1)
    actions = runner.get_inference_policy()(obs)
    assert torch.equal(actions, runner.algorithm.student.step(obs, ())[0].mode())
    assert torch.equal(build_policy(load_checkpoint(student), STUDENT, make_env(9), "student.pt")(obs), actions)
    assert runner.export_policy_to_jit(tmp_path).is_file()


# --- fine-tuning


def test_an_actor_begins_as_the_student_with_a_critic_of_its_own(student):
    runner = OnPolicyRunner(make_env(), FINETUNE)
    critic = {name: value.clone() for name, value in runner.algorithm.networks["critic"].state_dict().items()}
    runner.load(student, optimizer=False, environment=False)
    trained = load_checkpoint(student).state["algorithm"]["student"]
    assert differing(numbers(runner.algorithm.actor.state_dict()), numbers(trained)) == []
    assert differing(numbers(runner.algorithm.networks["critic"].state_dict()), numbers(critic)) == []
    assert runner.iteration == 0
    runner.learn(1)
    assert differing(numbers(runner.algorithm.actor.state_dict()), numbers(trained)) == []
    runner.learn(1)
    assert differing(numbers(runner.algorithm.actor.state_dict()), numbers(trained)) != []


def test_it_begins_with_the_critic_of_its_teacher_where_that_is_asked_for(student, teacher):
    runner = OnPolicyRunner(make_env(), FINETUNE)
    runner.load(student, optimizer=False, environment=False)
    runner.load_critic(teacher)
    trained = load_checkpoint(teacher).state["algorithm"]["critic"]
    assert differing(numbers(runner.algorithm.networks["critic"].state_dict()), numbers(trained)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"critic": CriticCfg(network=WIDE)}, "agent.critic.network.hidden_dims: got [16]; expected [8], as in "),
        (
            {"obs_groups": ObsGroupsCfg(actor=("policy",), critic=("policy",))},
            "agent.obs_groups.critic: got ['policy']; expected ['critic'], which the critic of ",
        ),
    ],
    ids=["network", "groups"],
)
def test_a_critic_that_is_another_is_refused(teacher, change, message):
    runner = OnPolicyRunner(make_env(), replace(FINETUNE, **change))
    with pytest.raises(ConfigError) as caught:
        runner.load_critic(teacher)
    assert str(caught.value).startswith(message)


def test_a_student_has_no_critic_to_lend(student):
    runner = OnPolicyRunner(make_env(), FINETUNE)
    with pytest.raises(CheckpointError, match="got a run of kind distillation, without a critic"):
        runner.load_critic(student)


def test_a_student_begins_as_an_actor(teacher):
    cfg = replace(
        STUDENT, obs_groups=DistillationGroupsCfg(student=("critic",), teacher=("critic",)), student=TEACHER.actor
    )
    runner = make(cfg)
    runner.load(teacher, optimizer=False, environment=False)
    trained = load_checkpoint(teacher).state["algorithm"]["actor"]
    assert differing(numbers(runner.algorithm.student.state_dict()), numbers(trained)) == []
    with pytest.raises(ConfigError, match=r"^agent\.teacher: got no trained policy"):  # weights lent are no teacher
        runner.learn(1)


def test_a_run_of_another_kind_does_not_go_on(student):
    runner = OnPolicyRunner(make_env(), FINETUNE)
    with pytest.raises(CheckpointError) as caught:
        runner.load(student)
    assert str(caught.value) == (
        f"{student}: got a run of kind distillation; expected one of kind on_policy. "
        "Begin a new run with its weights: leave --resume away."
    )


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (
            replace(FINETUNE, obs_groups=ObsGroupsCfg(actor=("critic",))),
            r"^agent\.obs_groups\.actor: got \['critic'\]; expected \['policy'\], which the policy of .* reads",
        ),
        (
            replace(FINETUNE, actor=replace(FINETUNE.actor, network=WIDE)),
            r"^agent\.actor\.network\.hidden_dims: got \[16\]; expected \[8\], as in .*student\.pt\. "
            r"Pass agent\.actor\.network\.hidden_dims=\[8\]\.",
        ),
        (
            replace(FINETUNE, actor=replace(FINETUNE.actor, obs_normalization=False)),
            r"^agent\.actor\.obs_normalization: got false; expected true",
        ),
        (
            replace(FINETUNE, actor=replace(FINETUNE.actor, distribution=GaussianCfg(std_type="log"))),
            r"^agent\.actor\.distribution\.std_type: got log; expected scalar",
        ),
    ],
)
def test_an_actor_unlike_the_student_is_refused(student, cfg, message):
    runner = OnPolicyRunner(make_env(), cfg)
    before = {name: value.clone() for name, value in runner.algorithm.actor.state_dict().items()}
    with pytest.raises(ConfigError, match=message):
        runner.load(student, optimizer=False, environment=False)
    assert differing(numbers(runner.algorithm.actor.state_dict()), numbers(before)) == []


def test_how_the_spread_begins_and_is_bounded_may_differ(student):
    spread = GaussianCfg(init_std=0.7, std_range=(0.01, 2.0), learn_std=False)
    runner = OnPolicyRunner(make_env(), replace(FINETUNE, actor=replace(FINETUNE.actor, distribution=spread)))
    runner.load(student, optimizer=False, environment=False)
    assert runner.algorithm.actor.head.std_param.item() == pytest.approx(0.2)
