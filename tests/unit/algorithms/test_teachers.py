import copy

import pytest
import torch

from fleetfoot.algorithms.teachers import Teachers
from fleetfoot.models.actor_critic import Actor, ObservationInput
from fleetfoot.models.build import build_actor
from fleetfoot.models.config import ActorCfg, GaussianCfg, MlpCfg
from fleetfoot.models.distributions import GaussianHead
from fleetfoot.models.mlp import Mlp

SPEC = {"policy": (2,), "critic": (3,)}
CPU = torch.device("cpu")


def actor(index: int) -> Actor:
    """Each a little wider than the one before, with a normaliser that has seen something."""
    torch.manual_seed(index)
    cfg = ActorCfg(
        network=MlpCfg(hidden_dims=(4 + index,)), distribution=GaussianCfg(init_std=1.0 + index), obs_normalization=True
    )
    made = build_actor(cfg, ("critic", "policy"), SPEC, 2, "teacher")
    made.inputs.update(observations(50, index))
    return made


def observations(n: int, seed: int = 7) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {group: torch.randn(n, *shape, generator=generator) for group, shape in SPEC.items()}


def named(*actors: Actor) -> dict[str, Actor]:
    return {f"teacher {i}": each for i, each in enumerate(actors)}


def test_one_teacher_labels_all_environments():
    own, obs = actor(0), observations(5)
    said, expected = Teachers(named(own), 5, CPU).label(obs), own.step(obs, ())[0]
    assert torch.equal(said.mean, expected.mean)
    assert torch.equal(said.std, expected.std)


@pytest.mark.parametrize(
    ("num_envs", "num_teachers", "teacher_of"),
    [
        (6, 3, [0, 0, 1, 1, 2, 2]),
        (7, 3, [0, 0, 0, 1, 1, 2, 2]),
        (5, 2, [0, 0, 0, 1, 1]),
        (3, 3, [0, 1, 2]),
    ],
)
def test_each_teacher_labels_its_block(num_envs, num_teachers, teacher_of):
    assert [n * num_teachers // num_envs for n in range(num_envs)] == teacher_of
    actors = [actor(i) for i in range(num_teachers)]
    obs = observations(num_envs)
    said = Teachers(named(*actors), num_envs, CPU).label(obs)
    assert said.mean.shape == (num_envs, 2)
    for n, k in enumerate(teacher_of):
        expected = actors[k].step({group: x[n : n + 1] for group, x in obs.items()}, ())[0]
        torch.testing.assert_close(said.mean[n], expected.mean[0])
        assert said.std[n].tolist() == [1.0 + k, 1.0 + k]


def test_nothing_of_a_teacher_can_be_trained():
    own = actor(0).train()
    before = copy.deepcopy(own.state_dict())
    teachers = Teachers(named(own), 4, CPU)
    said = teachers.label(observations(4))
    assert not said.mean.requires_grad
    assert not any(p.requires_grad for p in own.parameters())
    assert not any(module.training for module in own.modules())
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())


def test_a_teacher_that_remembers_forgets_where_its_episodes_end(gru):
    def remembering(hidden: int) -> Actor:
        torch.manual_seed(hidden)
        inputs = ObservationInput({"policy": 2}, normalize=False)
        return Actor(inputs, gru(2, hidden), Mlp(hidden, 1, MlpCfg(hidden_dims=(4,))), GaussianHead(1, GaussianCfg()))

    actors = [remembering(3), remembering(5)]
    teachers = Teachers(named(*actors), 4, CPU)
    first, second = observations(4, 1), observations(4, 2)
    teachers.label(first)
    teachers.record(torch.tensor([False, True, True, False]))
    said = teachers.label(second).mean
    for n, ended in enumerate([False, True, True, False]):
        own = actors[n // 2]
        state = own.memory.initial_state(1, CPU)
        if not ended:
            _, state = own.step({"policy": first["policy"][n : n + 1]}, state)
        expected, after = own.step({"policy": second["policy"][n : n + 1]}, state)
        torch.testing.assert_close(said[n], expected.mean[0])
        torch.testing.assert_close(teachers.states[n // 2][0][:, n % 2], after[0][:, 0])
    teachers.forget()
    assert [state[0].shape for state in teachers.states] == [(1, 2, 3), (1, 2, 5)]
    assert not any(state[0].any() for state in teachers.states)
