"""The numbers of rsl_rl 5.5.1's distillation, from the same networks and the same rollout.

Where `gradient_length` does not divide the steps of an update, rsl_rl computes the loss of the last ones and drops it;
and in the next rollout it goes on with what the student remembers after learning, while a recurrent teacher remembers
nothing. Each is an option here; the last tests show what is different by default.
"""

import warnings
from dataclasses import replace

import pytest
import torch
from rsl_rl.algorithms import Distillation as TheirDistillation
from rsl_rl.models import MLPModel, RNNModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from fleetfoot.algorithms.config import DistillationCfg, HuberLossCfg
from fleetfoot.algorithms.distillation import Distillation
from fleetfoot.algorithms.teachers import Teachers
from fleetfoot.core.vec_env import StepResult
from fleetfoot.models.actor_critic import Actor, ObservationInput
from fleetfoot.models.config import GaussianCfg, MlpCfg
from fleetfoot.models.distributions import GaussianHead
from fleetfoot.models.memory import NoMemory
from fleetfoot.models.mlp import Mlp
from fleetfoot.storage.rollout import RolloutBuffer

T, N, A, SEED, REMEMBERED = 12, 6, 3, 5, 10
SPEC = {"policy": (6,), "privileged": (4,)}
GROUPS = {"student": ["policy"], "teacher": ["policy", "privileged"]}
HIDDEN = (16, 8)
CPU = torch.device("cpu")
BASE = DistillationCfg(gradient_length=4, learning_rate=1e-3)

CASES = {
    "squares": BASE,
    "huber": replace(BASE, loss=HuberLossCfg(delta=1.0)),
    "single steps": replace(BASE, gradient_length=1),
    "the whole rollout": replace(BASE, gradient_length=12),
    "epochs": replace(BASE, num_learning_epochs=3, gradient_length=6),
    "tight clip": replace(BASE, max_grad_norm=0.05),
    "adamw": replace(BASE, optimizer="adamw"),
    "sgd": replace(BASE, optimizer="sgd", learning_rate=0.1),
    "rmsprop": replace(BASE, optimizer="rmsprop", learning_rate=1e-4),
    "windows over two passes": replace(BASE, num_learning_epochs=3, gradient_length=8, window_remainder="next_pass"),
    "steps that are dropped": replace(BASE, num_learning_epochs=2, gradient_length=7, window_remainder="next_pass"),
    "nothing but such steps": replace(BASE, gradient_length=13, window_remainder="next_pass"),
}


def random_obs(generator) -> dict[str, torch.Tensor]:
    return {name: 2 * torch.randn(N, *shape, generator=generator) + 0.5 for name, shape in SPEC.items()}


def size_of(name: str) -> int:
    return sum(SPEC[group][0] for group in GROUPS[name])


def make_ours(cfg: DistillationCfg, gru, generator) -> Distillation:
    """Student and teacher with normalisers that have seen something; with a memory each if there is a `gru`."""
    torch.manual_seed(SEED)
    networks = {}
    for name in ("student", "teacher"):
        size = size_of(name)
        memory = gru(size, REMEMBERED) if gru else NoMemory(size)
        inputs = ObservationInput({group: SPEC[group][0] for group in GROUPS[name]}, normalize=True)
        head = GaussianHead(A, GaussianCfg(init_std=0.1))
        networks[name] = Actor(inputs, memory, Mlp(memory.out_dim, A, MlpCfg(hidden_dims=HIDDEN)), head)
        inputs.update(random_obs(generator))
    one, state = networks["teacher"].head(torch.zeros(1, A)), networks["student"].memory.initial_state(1, CPU)
    buffer = RolloutBuffer(T, N, T, {"policy": SPEC["policy"]}, (), one, state, CPU)
    ours = Distillation(networks["student"], Teachers({"teacher": networks["teacher"]}, N, CPU), buffer, cfg, SEED)
    ours.teachers.sources = ("teacher.pt",)
    ours.train_mode()
    return ours


def make_theirs(ours: Distillation, cfg: DistillationCfg) -> TheirDistillation:
    """Their algorithm with the same hyper-parameters, weights and normalisers."""
    obs = TensorDict({name: torch.zeros(N, *shape) for name, shape in SPEC.items()}, batch_size=[N])
    gaussian = {"class_name": "rsl_rl.modules.distribution:GaussianDistribution", "init_std": 0.1}
    models = {}
    for name, network in ours.networks.items():
        if isinstance(network.memory, NoMemory):
            model = MLPModel(obs, GROUPS, name, A, HIDDEN, "elu", True, dict(gaussian))
        else:
            model = RNNModel(obs, GROUPS, name, A, HIDDEN, "elu", True, dict(gaussian), "gru", REMEMBERED)
            model.rnn.rnn.load_state_dict(network.memory.rnn.state_dict())
        model.mlp.load_state_dict(network.network.layers.state_dict())
        seen = network.inputs.normalizer
        model.obs_normalizer._mean.copy_(seen.mean)
        model.obs_normalizer._var.copy_(seen.var)
        model.obs_normalizer._std.copy_(seen.var.sqrt())
        model.obs_normalizer.count.copy_(seen.count)
        models[name] = model
    with warnings.catch_warnings():
        if cfg.window_remainder == "next_pass":
            warnings.simplefilter("ignore")  # of steps that teach nothing
        theirs = TheirDistillation(
            models["student"],
            models["teacher"],
            RolloutStorage("distillation", N, T, obs, [A]),
            num_learning_epochs=cfg.num_learning_epochs,
            gradient_length=cfg.gradient_length,
            learning_rate=cfg.learning_rate,
            max_grad_norm=cfg.max_grad_norm,
            loss_type=cfg.loss.kind,
            optimizer=cfg.optimizer,
        )
    theirs.train_mode()
    return theirs


def collect(ours: Distillation, theirs: TheirDistillation, generator) -> dict[str, torch.Tensor]:
    """The same rollout into both; returns the observations after it."""
    obs = random_obs(generator)
    never = torch.zeros(N, dtype=torch.bool)
    for _ in range(T):
        ours.act(obs)
        reward, ended = torch.randn(N, generator=generator), torch.rand(N, generator=generator) < 0.15
        after = random_obs(generator)
        ours.record(StepResult(obs=after, reward=reward, terminated=ended, truncated=never, final_obs=after))
        with torch.inference_mode():
            theirs.act(TensorDict(obs, batch_size=[N]))
            theirs.process_env_step(TensorDict(after, batch_size=[N]), reward, ended, {})
        obs = after
    assert ours.buffer.done[:-1].any()
    return obs


def parameters(ours: Distillation, theirs: TheirDistillation) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    own, other = dict(ours.student.named_parameters()), dict(theirs.student.named_parameters())
    names = {name: name.replace("network.layers.", "mlp.").replace("memory.rnn.", "rnn.rnn.") for name in own}
    names["head.std_param"] = "distribution.std_param"
    return {name: (own[name].detach(), other[theirs_name].detach()) for name, theirs_name in names.items()}


@pytest.mark.parametrize("memory", [False, True], ids=["feed-forward", "recurrent"])
@pytest.mark.parametrize("case", CASES)
def test_the_student_after_an_update_is_equal(case, memory, gru, generator):
    cfg = CASES[case]
    ours = make_ours(cfg, gru if memory else None, generator)
    theirs = make_theirs(ours, cfg)
    last_obs = collect(ours, theirs, generator)
    torch.testing.assert_close(ours.buffer.distribution.mean, theirs.storage.privileged_actions, rtol=0, atol=1e-6)
    before = {name: own.clone() for name, (own, _) in parameters(ours, theirs).items()}
    metrics, said = ours.update(last_obs), theirs.update()
    learns = cfg.gradient_length <= cfg.num_learning_epochs * T
    for name, (own, other) in parameters(ours, theirs).items():
        assert torch.equal(own, before[name]) == (name == "head.std_param" or not learns)
        assert (own - other).abs().max() <= 1e-6, name
    assert metrics["Loss/behavior"].item() == pytest.approx(said["behavior"], rel=1e-5)


THREE_ROLLOUTS = {
    "squares": BASE,
    "huber": replace(BASE, loss=HuberLossCfg()),
    "all that rsl_rl does": replace(
        BASE, num_learning_epochs=2, gradient_length=5, window_remainder="next_pass", memory_after_update="learning"
    ),
}


@pytest.mark.parametrize(
    ("case", "memory"), [("squares", False), ("huber", False), *(("all that rsl_rl does", m) for m in (False, True))]
)
def test_students_and_normalisers_after_three_rollouts_are_equal(case, memory, gru, generator):
    cfg = THREE_ROLLOUTS[case]
    ours = make_ours(cfg, gru if memory else None, generator)
    theirs = make_theirs(ours, cfg)
    for _ in range(3):
        last_obs = collect(ours, theirs, generator)
        torch.testing.assert_close(ours.buffer.distribution.mean, theirs.storage.privileged_actions, rtol=0, atol=1e-6)
        ours.update(last_obs)
        theirs.update()
    for name, (own, other) in parameters(ours, theirs).items():
        assert (own - other).abs().max() <= 3e-6, name
    own, other = ours.student.inputs.normalizer, theirs.student.obs_normalizer
    torch.testing.assert_close(own.mean, other.mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(own.var.sqrt(), other.std, rtol=1e-6, atol=1e-6)
    assert own.count.item() == other.count.item() == N + 3 * T * N


def test_rsl_rl_drops_the_last_steps_of_a_rollout_and_we_do_not(generator):
    """Rollouts of 12 steps in windows of 5: rsl_rl makes two gradient steps, and the last two steps teach nothing."""
    cfg = replace(BASE, gradient_length=5)
    ours = make_ours(cfg, None, generator)
    with pytest.warns(UserWarning, match="The last 2 of 12 steps per update are accumulated but never backpropagated"):
        theirs = make_theirs(ours, cfg)
    last_obs = collect(ours, theirs, generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = make_theirs(ours, cfg)  # the same rollout, but for what the teacher says in the last two steps
    other.storage.observations.copy_(theirs.storage.observations)
    other.storage.privileged_actions.copy_(theirs.storage.privileged_actions)
    other.storage.privileged_actions[10:] += 5.0
    for algorithm in (theirs, other):
        algorithm.update()
    taken = {state["step"].item() for state in theirs.optimizer.state.values()}
    assert taken == {2.0}
    students = [list(algorithm.student.parameters()) for algorithm in (theirs, other)]
    assert all(torch.equal(one, two) for one, two in zip(*students, strict=True))
    ours.update(last_obs)
    assert {state["step"].item() for state in ours.optimizer.state.values()} == {3.0}
    assert any((own - their).abs().max() > 1e-4 for own, their in parameters(ours, theirs).values())


def test_a_teacher_of_rsl_rl_forgets_after_every_rollout_and_ours_does_not(gru, generator):
    ours = make_ours(BASE, gru, generator)
    theirs = make_theirs(ours, BASE)
    ours.update(collect(ours, theirs, generator))
    theirs.update()
    assert theirs.teacher.get_hidden_state() is None
    (remembered,) = ours.teachers.states[0]
    assert remembered.abs().max() > 0.1
