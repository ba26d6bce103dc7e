from dataclasses import replace

import pytest
import torch

from fleetfoot.algorithms.build import build_algorithm, check_config
from fleetfoot.algorithms.build_distillation import build_distillation
from fleetfoot.algorithms.config import DistillationCfg, KlLossCfg, MseLossCfg, PpoCfg, RndCfg, SymmetryCfg
from fleetfoot.core.symmetry import SignedPermutation
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.core.vec_env import ActionSpec
from fleetfoot.errors import ConfigError, ContractError
from fleetfoot.models.config import ActorCfg, BetaCfg, CnnCfg, CriticCfg, MlpCfg
from fleetfoot.runners.config import DistillationGroupsCfg, DistillationRunnerCfg, ObsGroupsCfg, OnPolicyRunnerCfg

SMALL = MlpCfg(hidden_dims=(4,))
CFG = OnPolicyRunnerCfg(
    experiment_name="toy", num_steps_per_env=6, actor=ActorCfg(network=SMALL), critic=CriticCfg(network=SMALL)
)


def built(cfg: OnPolicyRunnerCfg = CFG):
    env = ToyEnv(4)
    return build_algorithm(env, cfg, env.device)


def test_samples_that_do_not_divide_are_an_error_that_offers_what_does():
    cfg = replace(CFG, algorithm=PpoCfg(num_mini_batches=5))
    with pytest.raises(ConfigError) as caught:
        check_config(ToyEnv(4), cfg)
    assert str(caught.value) == (
        "agent.algorithm.num_mini_batches: got 5, with 6 steps x 4 environments = 24 samples; "
        "expected a divisor of the number of samples. "
        "Use one of [1, 2, 3, 4, 6, 8, 12], or change env.scene.num_envs or agent.num_steps_per_env."
    )


@pytest.mark.parametrize("network", ["actor", "critic"])
def test_a_group_that_does_not_exist_is_named(network):
    cfg = replace(CFG, obs_groups=ObsGroupsCfg(**{network: ("policy_",)}))
    with pytest.raises(ConfigError) as caught:
        check_config(ToyEnv(4), cfg)
    assert str(caught.value) == (
        f"agent.obs_groups.{network}: got 'policy_'; "
        "expected one of the environment's observation groups: policy, critic. Did you mean 'policy'?"
    )


def symmetric(env: ToyEnv, symmetry: SymmetryCfg) -> None:
    check_config(env, replace(CFG, algorithm=replace(CFG.algorithm, symmetry=symmetry)))


def test_symmetry_of_an_environment_that_has_none_is_refused():
    env = ToyEnv(4)
    env.mirror_images = ()
    with pytest.raises(ConfigError, match=r"^agent\.algorithm\.symmetry: got symmetry asked for; expected .* has none"):
        symmetric(env, SymmetryCfg())


def test_an_image_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"got upside_down; expected mirror images .*, which has left_right"):
        symmetric(ToyEnv(4), SymmetryCfg(images=("upside_down",)))


def with_pictures() -> ToyEnv:
    env = ToyEnv(4)
    env.observation_spec = {**env.observation_spec, "camera": (1, 6, 6)}
    return env


def test_pictures_are_not_mirrored():
    cfg = replace(CFG, actor=replace(CFG.actor, cnn=CnnCfg(output_channels=(2,))))
    cfg = replace(cfg, algorithm=replace(cfg.algorithm, symmetry=SymmetryCfg()))
    with pytest.raises(ConfigError) as caught:
        check_config(with_pictures(), replace(cfg, obs_groups=ObsGroupsCfg(actor=("policy", "camera"))))
    assert str(caught.value) == (
        "agent.algorithm.symmetry: got symmetry asked for, and pictures ('camera') in agent.obs_groups; "
        "expected flat groups: pictures are not mirrored. Set it to null to learn without."
    )


def test_a_shared_network_sees_pictures_in_one_scale():
    both = ("policy", "camera")
    cfg = replace(
        CFG,
        obs_groups=ObsGroupsCfg(actor=both, critic=both),
        algorithm=replace(CFG.algorithm, share_cnn_encoders=True),
        actor=replace(CFG.actor, cnn=CnnCfg(output_channels=(2,)), obs_normalization=("camera",)),
    )
    with pytest.raises(ConfigError) as caught:
        check_config(with_pictures(), cfg)
    assert str(caught.value) == (
        "agent.critic.obs_normalization: got images that are scaled: none; "
        "expected those of the actor, whose networks see them: camera."
    )
    check_config(with_pictures(), replace(cfg, critic=replace(cfg.critic, obs_normalization=both)))


def test_symmetry_leaves_pictures_that_nobody_looks_at_alone():
    symmetric(with_pictures(), SymmetryCfg())


def test_symmetry_that_does_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"symmetry: got neither augmentation nor a mirror loss; expected"):
        symmetric(ToyEnv(4), SymmetryCfg(augmentation=None))


def test_images_that_contradict_the_names_of_the_joints_are_refused_before_anything_is_built():
    env = ToyEnv(4)
    env.action_spec = ActionSpec(size=2, names=("left_hip", "right_hip"))
    image = env.mirror_images[0]
    env.mirror_images = (replace(image, actions=SignedPermutation((0, 1), (-1.0, -1.0))),)
    with pytest.raises(ContractError, match=r"got 'left_hip' taken from 'left_hip'; expected 'right_hip'"):
        symmetric(env, SymmetryCfg())


def test_the_groups_that_curiosity_looks_at_are_checked_when_there_is_any():
    cfg = replace(CFG, obs_groups=ObsGroupsCfg(rnd_state=("policy_",)))
    check_config(ToyEnv(4), cfg)
    with pytest.raises(ConfigError, match=r"^agent\.obs_groups\.rnd_state: got 'policy_'"):
        check_config(ToyEnv(4), replace(cfg, algorithm=replace(cfg.algorithm, rnd=RndCfg())))


@pytest.mark.parametrize(
    ("episode_end", "final"), [("final_observation", {"policy", "critic"}), ("next_episode", {"critic"})]
)
def test_final_observations_are_kept_for_what_reads_them(episode_end, final):
    algorithm = replace(CFG.algorithm, rnd=RndCfg(episode_end=episode_end))
    buffer = built(replace(CFG, algorithm=algorithm)).buffer
    assert set(buffer.obs) == {"policy", "critic"}
    assert set(buffer.final_obs) == final


def test_curiosity_changes_no_weight_that_actor_and_critic_start_with():
    plain = built().networks
    curious = built(replace(CFG, algorithm=replace(CFG.algorithm, rnd=RndCfg()))).networks
    for name, network in plain.items():
        for mine, other in zip(network.parameters(), curious[name].parameters(), strict=True):
            assert torch.equal(mine, other)


def test_building_checks_first():
    with pytest.raises(ConfigError):
        built(replace(CFG, algorithm=PpoCfg(num_mini_batches=5)))


def test_networks_follow_from_the_seed():
    weights = [built(replace(CFG, seed=seed)).networks["actor"].network.layers[0].weight for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_building_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    built()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_buffer_keeps_each_group_once_and_final_ones_for_the_critic():
    cfg = replace(CFG, obs_groups=ObsGroupsCfg(actor=("policy",), critic=("policy", "critic")))
    buffer = built(cfg).buffer
    assert {group: tuple(x.shape) for group, x in buffer.obs.items()} == {"policy": (6, 4, 2), "critic": (6, 4, 3)}
    assert set(buffer.final_obs) == {"policy", "critic"}


# --- distillation

STUDENT = DistillationRunnerCfg(
    experiment_name="toy",
    num_steps_per_env=6,
    obs_groups=DistillationGroupsCfg(student=("policy",), teacher=("policy", "critic")),
    student=ActorCfg(network=SMALL, obs_normalization=True),
    teacher=ActorCfg(network=MlpCfg(hidden_dims=(7,))),
)
BETA = ActorCfg(network=SMALL, distribution=BetaCfg(action_range=(-2.0, 1.0)))
BY_DIVERGENCE = DistillationCfg(loss=KlLossCfg())


def test_student_and_teachers_are_those_of_the_config():
    cfg = replace(STUDENT, more_teachers=(ActorCfg(network=MlpCfg(hidden_dims=(9,))),))
    built = build_distillation(ToyEnv(4), cfg, torch.device("cpu"))
    widths = {name: tuple(network.network.layers[0].weight.shape) for name, network in built.networks.items()}
    assert widths == {"student": (4, 2), "teacher": (7, 5), "more_teachers[0]": (9, 5)}
    assert built.student.inputs.normalizer is not None
    assert not built.teachers.sources
    assert built.actor is built.student


def test_only_what_the_student_sees_is_kept():
    buffer = build_distillation(ToyEnv(4), STUDENT, torch.device("cpu")).buffer
    assert {group: tuple(x.shape) for group, x in buffer.obs.items()} == {"policy": (6, 4, 2)}
    assert not buffer.final_obs


def test_the_student_follows_from_the_seed_whoever_its_teachers_are():
    more = replace(STUDENT, more_teachers=(ActorCfg(),))
    students = [build_distillation(ToyEnv(4), cfg, torch.device("cpu")).student for cfg in (STUDENT, more)]
    assert torch.equal(*(student.network.layers[0].weight for student in students))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"obs_groups": DistillationGroupsCfg(student=("polic",))},
            "agent.obs_groups.student: got 'polic'; "
            "expected one of the environment's observation groups: policy, critic. Did you mean 'policy'?",
        ),
        (
            {"obs_groups": DistillationGroupsCfg(teacher=("privileged",))},
            "agent.obs_groups.teacher: got 'privileged'; "
            "expected one of the environment's observation groups: policy, critic. Known: critic, policy.",
        ),
        (
            {"algorithm": DistillationCfg(num_mini_batches=3)},
            "agent.algorithm.num_mini_batches: got 3, with 4 environments; expected a divisor of the number of "
            "environments. Use one of [1, 2, 4], or change env.scene.num_envs.",
        ),
        (
            {"algorithm": DistillationCfg(num_mini_batches=2, window_remainder="next_pass")},
            "agent.algorithm.num_mini_batches: got 2, with agent.algorithm.window_remainder=next_pass; "
            "expected 1, as in rsl_rl.",
        ),
        (
            {"algorithm": DistillationCfg(num_mini_batches=2, memory_after_update="learning")},
            "agent.algorithm.num_mini_batches: got 2, with agent.algorithm.memory_after_update=learning; "
            "expected 1, as in rsl_rl.",
        ),
        (
            {"teacher": BETA, "algorithm": DistillationCfg(loss=KlLossCfg())},
            "agent.student.distribution.kind: got gaussian; expected beta, as of agent.teacher, for a divergence "
            "from it. Or use another agent.algorithm.loss.kind: mse, huber.",
        ),
        (
            {"teacher": BETA, "student": replace(BETA, distribution=BetaCfg()), "algorithm": BY_DIVERGENCE},
            "agent.student.distribution.action_range: got [-1.0, 1.0]; expected [-2.0, 1.0], as of agent.teacher, "
            "for a divergence from it. Or use another agent.algorithm.loss.kind: mse, huber.",
        ),
        (
            {"teacher": BETA, "more_teachers": (ActorCfg(),)},
            "agent.more_teachers[0].distribution.kind: got gaussian; expected beta, as of agent.teacher: "
            "all teachers have the same.",
        ),
        (
            {"more_teachers": (ActorCfg(),) * 4},
            "agent.more_teachers: got 5 teachers, with 4 environments; expected an environment for each. "
            "Have more of them.",
        ),
    ],
)
def test_what_cannot_work_between_a_student_and_an_environment(change, message):
    with pytest.raises(ConfigError) as caught:
        check_config(ToyEnv(4), replace(STUDENT, **change))
    assert str(caught.value) == message


def distilled(change, iterations):
    """What teachers did in the last rollout, `[T, N]`, and the loss of each."""
    env = ToyEnv(4)
    algorithm = build_distillation(env, replace(STUDENT, **change), torch.device("cpu"))
    algorithm.teachers.sources = ("teacher.pt",)
    algorithm.train_mode()
    obs, losses, taught = env.reset(1), [], None
    for _ in range(iterations):
        for _ in range(STUDENT.num_steps_per_env):
            result = env.step(algorithm.act(obs))
            algorithm.record(result)
            obs = result.obs
        taught = algorithm.buffer.distribution.mode()[..., 0].clone()
        losses.append(algorithm.update(obs)["Loss/behavior"].item())
    return taught, losses


@pytest.mark.parametrize(("loss", "student"), [(MseLossCfg(), STUDENT.student), (KlLossCfg(), BETA)])
def test_a_teacher_that_acts_within_bounds(loss, student):
    algorithm = DistillationCfg(loss=loss, learning_rate=1e-2)
    taught, losses = distilled({"teacher": BETA, "student": student, "algorithm": algorithm}, 40)
    assert ((taught > -2.0) & (taught < 1.0)).all()
    assert losses[-1] < losses[0] / 3


def test_teachers_that_act_within_bounds_each_of_its_own():
    other = replace(BETA, distribution=BetaCfg(action_range=(4.0, 5.0)))
    taught, _ = distilled({"teacher": BETA, "more_teachers": (other,)}, 1)
    assert ((taught[:, :2] > -2.0) & (taught[:, :2] < 1.0)).all()
    assert ((taught[:, 2:] > 4.0) & (taught[:, 2:] < 5.0)).all()
