"""The update as a whole, against a slow copy of it in plain torch; who acts, and what is carried along."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fleetfoot.algorithms.config import (
    DistillationCfg,
    FixedCfg,
    HuberLossCfg,
    KlLossCfg,
    LinearCfg,
    MixingCfg,
    MseLossCfg,
)
from fleetfoot.algorithms.distillation import Distillation
from fleetfoot.algorithms.teachers import Teachers
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.models.actor_critic import Actor, ObservationInput
from fleetfoot.models.config import GaussianCfg, MlpCfg
from fleetfoot.models.distributions import GaussianHead
from fleetfoot.models.memory import NoMemory
from fleetfoot.models.mlp import Mlp
from fleetfoot.storage.rollout import RolloutBuffer

T, N, SEED, HIDDEN = 7, 4, 3, 5
CPU = torch.device("cpu")
SMALL = MlpCfg(hidden_dims=(8,), activation="tanh")
CFG = DistillationCfg(gradient_length=3, learning_rate=1e-2)  # windows of 3, 3 and 1 steps


def make_actor(group: str, size: int, memory, *, std: float, normalize: bool = False) -> Actor:
    inputs = ObservationInput({group: size}, normalize=normalize)
    return Actor(inputs, memory, Mlp(memory.out_dim, 1, SMALL), GaussianHead(1, GaussianCfg(init_std=std)))


@pytest.fixture
def make(gru):
    """`make(cfg)`: a student that sees `policy`, and a teacher that sees `critic`; with or without a memory each.

    Episodes last five steps; those of the first environment end in a fall after three.
    """

    def build(cfg: DistillationCfg = CFG, *, memory: bool = False, normalize: bool = False, seed: int = SEED):
        torch.manual_seed(20)
        student = make_actor("policy", 2, gru(2, HIDDEN) if memory else NoMemory(2), std=0.4, normalize=normalize)
        teacher = make_actor("critic", 3, gru(3, HIDDEN) if memory else NoMemory(3), std=0.2, normalize=normalize)
        one = torch.zeros(1, 1)
        buffer = RolloutBuffer(
            T,
            N,
            T,
            {"policy": (2,)},
            (),
            type(label := teacher.head(one))(*label),
            student.memory.initial_state(1, CPU),
            CPU,
        )
        algorithm = Distillation(student, Teachers({"teacher": teacher}, N, CPU), buffer, cfg, seed)
        algorithm.teachers.sources = ("teacher.pt",)
        algorithm.train_mode()
        return algorithm, ToyEnv(N, max_episode_length=5, terminate_after=(3,))

    return build


def with_knowable_teacher(made):
    """The teacher sees the environment's index, which the student does not: now it does without."""
    with torch.no_grad():
        made[0].teachers.actors["teacher"].network.layers[0].weight[:, 2] = 0.0
    return made


def roll_out(algorithm: Distillation, env: ToyEnv, obs, *, actions: list | None = None):
    for _ in range(T):
        decided = algorithm.act(obs)
        result = env.step(decided)
        algorithm.record(result)
        obs = result.obs
        if actions is not None:
            actions.append(decided)
    return obs


def weights(network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


# --- a slow copy, in double precision: one environment and one step at a time


def slow_loss(kind: str, student, teacher, n: int) -> torch.Tensor:
    mean, target = student.mean[0, 0], teacher.mean[n, 0].double()
    distance = mean - target
    match kind:
        case "mse":
            return distance**2
        case "huber":
            small = abs(distance.item()) <= 0.05
            return distance**2 / 2 if small else 0.05 * (abs(distance) - 0.025)
        case _:
            own, other = student.std[0, 0], teacher.std[n, 0].double()
            return torch.log(own / other) + (other**2 + distance**2) / (2 * own**2) - 0.5


def slow_update(algorithm: Distillation) -> Actor:
    """A student in double precision, after the update of the rollout that an algorithm holds."""
    cfg, buffer = algorithm.cfg, algorithm.buffer
    student = copy.deepcopy(algorithm.student).double()
    adam = torch.optim.Adam(student.parameters(), lr=cfg.learning_rate)
    order, envs = make_generator(SEED, "shuffling"), list(range(N))
    loss, steps = 0.0, 0
    for _ in range(cfg.num_learning_epochs):
        if cfg.num_mini_batches > 1:
            envs = torch.randperm(N, generator=order).tolist()
        size = N // cfg.num_mini_batches
        for part in (envs[i : i + size] for i in range(0, N, size)):
            states = {n: tuple(x[0, :, n : n + 1].double() for x in buffer.actor_state) for n in part}
            for t in range(T):
                for n in part:
                    if t > 0 and buffer.done[t - 1, n]:
                        states[n] = tuple(torch.zeros_like(x) for x in states[n])
                    seen = {"policy": buffer.obs["policy"][t, n : n + 1].double()}
                    said, states[n] = student.step(seen, states[n])
                    label = type(said)(*(x[t] for x in buffer.distribution))
                    loss = loss + slow_loss(cfg.loss.kind, said, label, n) / size
                steps += 1
                is_last = cfg.window_remainder == "shorter" and t == T - 1
                if steps < cfg.gradient_length and not is_last:
                    continue
                adam.zero_grad()
                loss.backward()
                if cfg.max_grad_norm is not None:
                    torch.nn.utils.clip_grad_norm_(student.parameters(), cfg.max_grad_norm)
                adam.step()
                states = {n: tuple(x.detach() for x in state) for n, state in states.items()}
                loss, steps = 0.0, 0
    return student


CASES = {
    "plain": CFG,
    "huber": replace(CFG, loss=HuberLossCfg(delta=0.05)),
    "divergence": replace(CFG, loss=KlLossCfg()),
    "epochs": replace(CFG, num_learning_epochs=3),
    "mini-batches": replace(CFG, num_learning_epochs=2, num_mini_batches=2),
    "tight clip": replace(CFG, max_grad_norm=0.01),
    "single steps": replace(CFG, gradient_length=1),
    "more than the rollout": replace(CFG, gradient_length=99),
    "over two passes": replace(CFG, num_learning_epochs=2, gradient_length=4, window_remainder="next_pass"),
    "longer than a pass": replace(CFG, num_learning_epochs=5, gradient_length=10, window_remainder="next_pass"),
}


@pytest.mark.parametrize("memory", [False, True], ids=["feed-forward", "memory"])
@pytest.mark.parametrize("case", CASES)
def test_an_update_is_the_one_that_is_written_out(make, case, memory):
    algorithm, env = make(CASES[case], memory=memory)
    last_obs = roll_out(algorithm, env, env.reset(1))
    assert algorithm.buffer.done[:-1].any(0).all()  # every environment forgets somewhere on the way
    before, expected = weights(algorithm.student), slow_update(algorithm)
    algorithm.update(last_obs)
    for name, value in algorithm.student.state_dict().items():
        torch.testing.assert_close(value.double(), expected.state_dict()[name], rtol=0, atol=1e-6)
    assert not same(before, weights(algorithm.student))


def test_the_length_of_the_windows_matters_to_a_memory(make):
    """Else the cases above could not tell whether a gradient crosses from one to the next."""
    after = []
    for cfg in (replace(CFG, gradient_length=T), replace(CFG, gradient_length=T, num_mini_batches=2)):
        algorithm, env = make(cfg, memory=True)
        algorithm.update(roll_out(algorithm, env, env.reset(1)))
        after.append(weights(algorithm.student))
    assert not same(*after)


@pytest.mark.parametrize(
    ("cfg", "count"),
    [
        (CFG, 3),
        (replace(CFG, gradient_length=7), 1),
        (replace(CFG, gradient_length=4), 2),
        (replace(CFG, num_learning_epochs=2, num_mini_batches=4), 24),
        (replace(CFG, window_remainder="next_pass"), 2),
        (replace(CFG, window_remainder="next_pass", num_learning_epochs=3), 7),
    ],
)
def test_there_is_one_step_for_each_window(make, cfg, count):
    algorithm, env = make(cfg)
    algorithm.update(roll_out(algorithm, env, env.reset(1)))
    taken = {state["step"].item() for state in algorithm.optimizer.state.values()}
    assert taken == {float(count)}


def test_the_loss_that_is_reported_is_a_mean_over_steps(make):
    algorithm, env = make(replace(CFG, learning_rate=1e-12))
    last_obs = roll_out(algorithm, env, env.reset(1))
    said, target = algorithm.student(algorithm.buffer.obs)[0].mean, algorithm.buffer.distribution.mean
    expected = (said - target).square().mean().item()
    metrics = algorithm.update(last_obs)
    assert metrics["Loss/behavior"].item() == pytest.approx(expected, rel=1e-5)
    assert metrics["Policy/mean_std"].item() == pytest.approx(0.4)
    assert metrics["Loss/learning_rate"].item() == pytest.approx(1e-12)
    assert metrics["Grad/student_norm"].item() > 0
    assert "Policy/teacher_share" not in metrics


def test_imitating_makes_the_student_like_its_teacher(make):
    algorithm, env = with_knowable_teacher(make(replace(CFG, num_learning_epochs=5)))
    obs, losses = env.reset(1), []
    for _ in range(40):
        obs = roll_out(algorithm, env, obs)
        losses.append(algorithm.update(obs)["Loss/behavior"].item())
    assert losses[-1] < losses[0] / 20


@pytest.mark.parametrize(("loss", "std"), [(MseLossCfg(), 0.4), (HuberLossCfg(), 0.4), (KlLossCfg(), 0.2)])
def test_only_a_divergence_teaches_the_teachers_spread(make, loss, std):
    algorithm, env = with_knowable_teacher(make(replace(CFG, loss=loss, num_learning_epochs=10)))
    obs = env.reset(1)
    for _ in range(15):
        obs = roll_out(algorithm, env, obs)
        algorithm.update(obs)
    assert algorithm.student.head.std_param.item() == pytest.approx(std, abs=0.02)


# --- who acts


def test_the_student_acts_and_the_teacher_says_what_it_would_have_done(make):
    algorithm, env = make()
    obs, generator = env.reset(1), make_generator(SEED, "exploration")
    actions = algorithm.act(obs)
    assert torch.equal(actions, algorithm.student.step(obs, ())[0].sample(generator))
    assert torch.equal(
        algorithm.buffer.distribution.mean[0], algorithm.teachers.actors["teacher"].step(obs, ())[0].mean
    )
    assert torch.equal(algorithm.buffer.actions[0], actions)


def acted(algorithm: Distillation, env: ToyEnv, obs) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the teacher acted, bool `[T, N]`, and the observations after the rollout."""
    actions: list[torch.Tensor] = []
    obs = roll_out(algorithm, env, obs, actions=actions)
    return (torch.stack(actions) == algorithm.buffer.distribution.mode())[..., 0], obs


def test_the_teacher_acts_less_and_less(make):
    algorithm, env = make(replace(CFG, mixing=MixingCfg(schedule=LinearCfg(begin=1, iterations=2))))
    obs, shares, alone = env.reset(1), [], []
    for _ in range(5):
        led, obs = acted(algorithm, env, obs)
        alone.append(algorithm.acts_alone)
        shares.append(algorithm.update(obs)["Policy/teacher_share"].item())
        assert led.all() or shares[-1] < 1.0
        assert not led.any() or shares[-1] > 0.0
    assert shares == [1.0, 1.0, 0.5, 0.0, 0.0]
    assert alone == [False, False, False, True, True]


def test_who_acts_is_drawn_for_a_rollout_or_for_every_step(make):
    half = MixingCfg(share=0.5, schedule=FixedCfg())
    by_rollout, env = make(replace(CFG, mixing=half))
    obs, drawn = env.reset(1), []
    for _ in range(20):
        led, obs = acted(by_rollout, env, obs)
        by_rollout.update(obs)
        assert torch.equal(led, led[:1].expand(T, N))
        drawn.append(led[0])
    assert 20 < torch.stack(drawn).sum().item() < 60
    by_step, env = make(replace(CFG, mixing=replace(half, draw="step")))
    led, _ = acted(by_step, env, env.reset(1))
    assert 7 < led.sum().item() < 21
    assert not torch.equal(led, led[:1].expand(T, N))


def test_without_mixing_the_student_always_acts_alone(make):
    assert make()[0].acts_alone


def test_networks_that_nobody_trained_are_no_teachers(make):
    algorithm, env = make()
    algorithm.teachers.sources = ()
    with pytest.raises(AssertionError):
        algorithm.act(env.reset(1))


# --- what stays, and what is carried along


@pytest.mark.parametrize("memory", [False, True])
def test_learning_never_changes_a_teacher(make, memory):
    algorithm, env = make(memory=memory, normalize=True)
    teacher = algorithm.teachers.actors["teacher"]
    before, obs = weights(teacher), env.reset(1)
    for _ in range(3):
        obs = roll_out(algorithm, env, obs)
        algorithm.update(obs)
    algorithm.train_mode()
    assert same(before, weights(teacher))
    assert not teacher.training
    assert algorithm.student.training
    algorithm.eval_mode()
    assert not algorithm.student.training


def test_the_students_normaliser_sees_a_rollout_once_it_was_learned_from(make):
    algorithm, env = make(normalize=True)
    last_obs = roll_out(algorithm, env, env.reset(1))
    assert algorithm.student.inputs.normalizer.count.item() == 0
    seen = algorithm.buffer.obs["policy"].clone()
    algorithm.update(last_obs)
    normalizer = algorithm.student.inputs.normalizer
    assert normalizer.count.item() == T * N
    torch.testing.assert_close(normalizer.mean, seen.mean((0, 1)))


def test_memory_goes_on_from_one_rollout_to_the_next(make):
    algorithm, env = make(memory=True)
    last_obs = roll_out(algorithm, env, env.reset(1))
    (after,) = algorithm._state
    algorithm.update(last_obs)
    algorithm.act(last_obs)
    assert torch.equal(algorithm.buffer.actor_state[0][0], after)
    assert after.any(-1).sum().item() == N - algorithm.buffer.done[-1].sum().item()
    algorithm.forget()
    assert not algorithm._state[0].any()
    assert not algorithm.teachers.states[0][0].any()


def test_memory_can_go_on_from_what_was_learned_and_teachers_then_remember_nothing(make):
    cfg = replace(CFG, gradient_length=T, memory_after_update="learning")
    once, env = make(cfg, memory=True)
    last_obs = roll_out(once, env, env.reset(1))
    seen, done, (acted,) = once.buffer.obs["policy"].clone(), once.buffer.done.clone(), once._state
    once.update(last_obs)
    torch.testing.assert_close(once._state[0], acted)  # one pass, with the parameters that it acted with
    state = once.student.memory.initial_state(N, CPU)
    for t in range(T):
        _, state = once.student.step({"policy": seen[t]}, state)
        state = tuple(x * ~done[t][:, None] for x in state)
    twice, env = make(replace(cfg, num_learning_epochs=2), memory=True)
    last_obs = roll_out(twice, env, env.reset(1))
    assert twice.teachers.states[0][0].any()
    twice.update(last_obs)  # a second pass, with the parameters after the first one
    torch.testing.assert_close(twice._state, state)
    assert (state[0] - acted).abs().max() > 1e-3
    assert not twice.teachers.states[0][0].any()


@pytest.mark.parametrize("memory", [False, True])
def test_a_state_decides_the_next_update(make, memory):
    cfg = replace(CFG, num_mini_batches=2, mixing=MixingCfg(share=0.5, schedule=LinearCfg(iterations=10)))
    algorithm, env = make(cfg, memory=memory, normalize=True)
    algorithm.update(roll_out(algorithm, env, env.reset(1)))
    other, _ = make(cfg, memory=memory, normalize=True, seed=99)
    for network in other.networks.values():
        for value in network.state_dict().values():
            value.zero_()
    other.teachers.sources = ()
    other.load_state_dict(copy.deepcopy(algorithm.state_dict()))  # as a file would hold it
    after = [a.update(roll_out(a, env, env.reset(2))) for a in (algorithm, other)]
    assert {k: v.item() for k, v in after[0].items()} == {k: v.item() for k, v in after[1].items()}
    assert all(same(weights(network), weights(other.networks[name])) for name, network in algorithm.networks.items())


def test_the_learning_rate_is_that_of_the_config_also_after_loading(make):
    algorithm, env = make()
    algorithm.update(roll_out(algorithm, env, env.reset(1)))
    other, _ = make(replace(CFG, learning_rate=0.5))
    other.load_state_dict(algorithm.state_dict())
    assert [group["lr"] for group in other.optimizer.param_groups] == [0.5]


# --- what is broken, and what is read back


def test_a_teacher_that_says_nothing_sensible_is_counted_and_teaches_nothing(make):
    algorithm, env = make()
    last_obs = roll_out(algorithm, env, env.reset(1))
    algorithm.buffer.distribution.mean[4, 1] = math.nan
    before = weights(algorithm.student)
    metrics = algorithm.update(last_obs)
    assert metrics["NonFinite/teacher"].item() == 1.0
    assert metrics["NonFinite/gradient"].item() == pytest.approx(1 / 3)  # the second window, steps 3 to 5
    assert not same(before, weights(algorithm.student))
    assert all(value.isfinite().all() for value in weights(algorithm.student).values())


WAITS = ("aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::nonzero", "aten::equal")


class Waits(TorchDispatchMode):
    """Remembers what makes the host wait for a device. A fused Adam reads its rate where the parameters are."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket._qualified_op_name
        self.found += [name] if name in WAITS else []
        return func(*args, **(kwargs or {}))


def test_acting_recording_and_learning_read_nothing_back(make):
    cfg = replace(CFG, num_mini_batches=2, max_grad_norm=1.0, mixing=MixingCfg(draw="step"))
    algorithm, env = make(cfg, memory=True, normalize=True)
    obs = env.reset(1)
    waits = Waits()
    for _ in range(T):
        with waits:
            actions = algorithm.act(obs)
        result = env.step(actions)
        with waits:
            algorithm.record(result)
        obs = result.obs
    with waits:
        algorithm.update(obs)
    assert waits.found == []
