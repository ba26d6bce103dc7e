"""Mirror images in mini-batches, the loss on acting differently in them, and what networks remember of them."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import FixedCfg, PpoCfg, SymmetryCfg
from fleetfoot.algorithms.extension import Extensions
from fleetfoot.algorithms.ppo import Ppo
from fleetfoot.algorithms.symmetry import Symmetry
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.models.actor_critic import Actor, Critic, ObservationInput
from fleetfoot.models.build import build_actor, build_critic
from fleetfoot.models.config import ActorCfg, CriticCfg, GaussianCfg, MlpCfg
from fleetfoot.models.distributions import Gaussian, GaussianHead
from fleetfoot.models.memory import Memory, NoMemory, State
from fleetfoot.models.mlp import Mlp
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.storage.rollout import Batch, RolloutBuffer

# Two joints that change places and signs; a third number that only turns its sign.
SWAP = MirrorImage(
    name="left-right",
    observations={"policy": SignedPermutation((1, 0, 2), (1.0, 1.0, -1.0))},
    actions=SignedPermutation((1, 0), (-1.0, -1.0)),
)
TURN = MirrorImage(
    name="turned",
    observations={"policy": SignedPermutation((0, 1, 2), (-1.0, -1.0, 1.0))},
    actions=SignedPermutation((0, 1), (-1.0, 1.0)),
)
B = 400
REPLACE = SymmetryCfg()
SPEC = {"policy": (3,)}
SMALL = MlpCfg(hidden_dims=(8,), activation="tanh")


def numbered(size: int) -> Batch:
    """Samples 1, 2, 3, ...: sample `i` is told apart in every member."""
    i = torch.arange(1.0, size + 1)

    def columns(*values):
        return torch.stack(values, dim=1)[None]

    return Batch(
        obs={"policy": columns(i, 1000 + i, 2000 + i)},
        actions=columns(3000 + i, 4000 + i),
        distribution=Gaussian(columns(5000 + i, 6000 + i), columns(7000 + i, 8000 + i)),
        log_probs=i[None],
        values=2 * i[None],
        advantages=3 * i[None],
        returns=4 * i[None],
        reset=torch.zeros(1, size, dtype=torch.bool),
        actor_state=(),
        critic_state=(),
        index=torch.arange(size),
    )


@pytest.fixture
def batch():
    return numbered(B)


def make_symmetry(cfg: SymmetryCfg = REPLACE, images=(SWAP,), seed: int = 0) -> Symmetry:
    actor = build_actor(ActorCfg(network=SMALL), ["policy"], SPEC, 2)
    critic = build_critic(CriticCfg(network=SMALL), ["policy"], SPEC)
    return Symmetry(cfg, images, ["policy"], actor, critic, B, torch.Generator().manual_seed(seed))


# --- each sequence in a random image


def test_each_sample_is_itself_or_its_mirror_image_in_all_members(batch):
    mirrored = make_symmetry().transform(batch)
    for k in range(B):
        i = float(k + 1)
        as_it_is = mirrored.obs["policy"][0, k, 0] == i
        obs = [i, 1000 + i, 2000 + i] if as_it_is else [1000 + i, i, -2000 - i]
        assert mirrored.obs["policy"][0, k].tolist() == obs
        assert mirrored.actions[0, k].tolist() == ([3000 + i, 4000 + i] if as_it_is else [-4000 - i, -3000 - i])
        mean, std = mirrored.distribution
        assert mean[0, k].tolist() == ([5000 + i, 6000 + i] if as_it_is else [-6000 - i, -5000 - i])
        assert std[0, k].tolist() == ([7000 + i, 8000 + i] if as_it_is else [8000 + i, 7000 + i])


def test_what_was_said_of_a_sample_stays(batch):
    mirrored = make_symmetry().transform(batch)
    for name in ("log_probs", "values", "advantages", "returns"):
        assert torch.equal(getattr(mirrored, name), getattr(batch, name))


def test_about_half_of_the_samples_are_mirrored(batch):
    share = (make_symmetry().transform(batch).obs["policy"][0, :, 2] < 0).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.1)


def test_another_half_the_next_time(batch):
    mirror = make_symmetry()
    assert not torch.equal(mirror.transform(batch).actions, mirror.transform(batch).actions)


def test_a_state_decides_which_are_mirrored_next(batch):
    mirror, other = make_symmetry(seed=1), make_symmetry(seed=2)
    mirror.transform(batch)
    other.load_state_dict(mirror.state_dict())
    assert torch.equal(mirror.transform(batch).actions, other.transform(batch).actions)


def test_the_density_of_a_mirrored_action_under_the_mirrored_policy_is_the_same(batch, generator):
    sound = Gaussian(torch.randn(1, B, 2, generator=generator), torch.rand(1, B, 2, generator=generator) + 0.5)
    actions = sound.sample(generator)
    mirrored = make_symmetry().transform(replace(batch, actions=actions, distribution=sound))
    assert not torch.equal(mirrored.actions, actions)
    torch.testing.assert_close(mirrored.distribution.log_prob(mirrored.actions), sound.log_prob(actions))


# --- all images appended


def test_images_follow_the_samples_one_image_after_the_other():
    """Two samples and two images: both samples, both in the first image, both in the second."""
    appended = make_symmetry(SymmetryCfg(augmentation="append"), (SWAP, TURN)).transform(numbered(2))
    assert appended.obs["policy"][0].tolist() == [
        [1, 1001, 2001],
        [2, 1002, 2002],
        [1001, 1, -2001],
        [1002, 2, -2002],
        [-1, -1001, 2001],
        [-2, -1002, 2002],
    ]
    assert appended.actions[0].tolist() == [
        [3001, 4001],
        [3002, 4002],
        [-4001, -3001],
        [-4002, -3002],
        [-3001, 4001],
        [-3002, 4002],
    ]
    assert appended.distribution.std[0, :, 0].tolist() == [7001, 7002, 8001, 8002, 7001, 7002]
    assert appended.log_probs[0].tolist() == [1, 2] * 3
    assert appended.values[0].tolist() == [2, 4] * 3
    assert appended.advantages[0].tolist() == [3, 6] * 3
    assert appended.returns[0].tolist() == [4, 8] * 3
    assert appended.index.tolist() == [0, 1] * 3


def test_without_augmentation_the_batch_is_what_was_collected(batch):
    assert make_symmetry(SymmetryCfg(augmentation=None, mirror_loss_coef=1.0)).transform(batch) is batch


# --- the mirror loss


@pytest.mark.parametrize("augmentation", ["append", "replace", None])
def test_the_loss_is_how_differently_the_policy_acts_in_the_images(augmentation):
    symmetry = make_symmetry(SymmetryCfg(augmentation=augmentation, mirror_loss_coef=0.5), (SWAP, TURN))
    collected = numbered(3)
    collected = replace(collected, obs={"policy": collected.obs["policy"] / 1000})
    actor = symmetry._actor
    batch = symmetry.transform(collected)
    loss = symmetry.loss(collected, batch, actor(batch.obs)[0])
    error = 0.0
    for x in collected.obs["policy"][0]:
        a = actor({"policy": x[None, None]})[0].mean[0, 0]
        swapped = actor({"policy": torch.stack((x[1], x[0], -x[2]))[None, None]})[0].mean[0, 0]
        turned = actor({"policy": torch.stack((-x[0], -x[1], x[2]))[None, None]})[0].mean[0, 0]
        error += (swapped - torch.stack((-a[1], -a[0]))).square().sum()
        error += (turned - torch.stack((-a[0], a[1]))).square().sum()
    torch.testing.assert_close(loss, error / (3 * 2 * 2))
    assert symmetry.weight == 0.5
    assert symmetry.trains is None


def test_the_action_that_is_aimed_at_is_a_constant():
    """The policy acts with its one weight times the observation, whose sign turns: `(w (-x) + sg(w x))^2`."""
    symmetry = make_symmetry(SymmetryCfg(augmentation=None, mirror_loss_coef=1.0), (TURN,))
    collected = numbered(1)
    mean = symmetry._actor(collected.obs)[0].mean.detach()
    symmetry.loss(collected, collected, symmetry._actor(collected.obs)[0]).backward()
    bias = symmetry._actor.network.layers[-1].bias
    there = symmetry._actor({"policy": collected.obs["policy"] * torch.tensor([-1.0, -1.0, 1.0])})[0].mean.detach()
    wanted = mean * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(bias.grad, (2 * (there - wanted) / 2)[0, 0])  # none of it through `wanted`


# --- memory


class Average(nn.Module):
    """Remembers `h' = 0.75 h + 0.25 f(x)` of every input; `f` is the input itself, which mirrors as it does, or not."""

    def __init__(self, size: int, *, symmetric: bool) -> None:
        super().__init__()
        self.out_dim, self.state_names = size, ("h",)
        self.mix = None if symmetric else nn.Linear(size, size)

    def initial_state(self, batch_size, device) -> State:
        return (torch.zeros(1, batch_size, self.out_dim, device=device),)

    def forward(self, x, state, reset=None) -> tuple[torch.Tensor, State]:
        (h,), outputs = state, []
        y = x if self.mix is None else torch.tanh(self.mix(x) + 0.3)
        for t in range(x.shape[0]):
            if reset is not None:
                h = h.masked_fill(reset[t][:, None], 0.0)
            h = 0.75 * h + 0.25 * y[t]
            outputs.append(h[0])
        return torch.stack(outputs), (h,)


T, N = 6, 4


def make_remembering(cfg: SymmetryCfg, *, symmetric: bool, critic_remembers: bool = True, length: int = T):
    """PPO in the toy environment, where episodes end after four steps, and after three in the first environment."""
    env = ToyEnv(N, max_episode_length=4, terminate_after=(3,))
    torch.manual_seed(3)

    def inputs(group: str) -> ObservationInput:
        return ObservationInput({group: env.observation_spec[group][0]}, normalize=False)

    memory: Memory = Average(2, symmetric=symmetric)
    head = GaussianHead(1, GaussianCfg(init_std=0.5))
    actor = Actor(inputs("policy"), memory, Mlp(2, 1, SMALL), head)
    if symmetric:  # an odd function of the position alone
        first, _, last = actor.network.layers
        nn.init.zeros_(first.bias)
        nn.init.zeros_(last.bias)
        nn.init.zeros_(first.weight[:, 1])
    critic = Critic(
        inputs("critic"), Average(3, symmetric=False) if critic_remembers else NoMemory(3), Mlp(3, 1, SMALL)
    )
    one = torch.zeros(1, 1)
    buffer = RolloutBuffer(
        T, N, length, env.observation_spec, ("critic",), Gaussian(one, one), memory.initial_state(1, "cpu"), env.device
    )
    generator = torch.Generator().manual_seed(1)
    symmetry = Symmetry(cfg, env.mirror_images, ["policy", "critic"], actor, critic, N, generator)
    algorithm = PpoCfg(num_learning_epochs=1, num_mini_batches=1, sequence_length=length, schedule=FixedCfg())
    extensions = Extensions(transforms=(symmetry,), losses=(symmetry,))
    return Ppo(actor, critic, buffer, algorithm, 1, extensions), env, symmetry


def roll_out(ppo: Ppo, env: ToyEnv, obs):
    for _ in range(T):
        result = env.step(ppo.act(obs))
        ppo.record(result)
        obs = result.obs
    return obs


LOSS_ONLY = SymmetryCfg(augmentation=None, mirror_loss_coef=1.0)
APPEND = SymmetryCfg(augmentation="append", mirror_loss_coef=1.0)


@pytest.mark.parametrize("length", [1, 3, T])
def test_memory_that_mirrors_as_the_observations_do_is_mirrored(length):
    """A memory that is symmetric itself: the image of what it remembers is what it remembers of the image."""
    ppo, env, symmetry = make_remembering(APPEND, symmetric=True, length=length)
    obs, remembered = env.reset(1), []
    for _ in range(3):
        obs = roll_out(ppo, env, obs)
        sequences = ppo._evaluate(obs)
        own, mirrored = symmetry.transform(sequences).actor_state[0].chunk(2, dim=1)
        assert torch.equal(own, sequences.actor_state[0])
        torch.testing.assert_close(mirrored, own * torch.tensor([-1.0, 1.0]))
        remembered.append(own.abs().max())
        ppo.buffer.clear()
    assert max(remembered) > 0.1


@pytest.mark.parametrize("length", [1, 3, T])
def test_the_memory_before_an_image_is_that_of_who_saw_the_mirrored_episode(length):
    """Each environment alone, from the beginning, step by step through the images of all it has seen."""
    ppo, env, symmetry = make_remembering(APPEND, symmetric=False, length=length)
    obs, seen, ended, images = env.reset(1), [], [], []
    for _ in range(3):
        obs = roll_out(ppo, env, obs)
        seen.append({group: x.clone() for group, x in ppo.buffer.obs.items()})
        ended.append(ppo.buffer.done.clone())
        images.append(symmetry.transform(ppo._evaluate(obs)))
        ppo.buffer.clear()
    done, starts = torch.cat(ended), range(0, T, length)
    for name, network in (("actor_state", ppo.actor), ("critic_state", ppo.critic)):
        (group,) = network.inputs.groups
        sign = torch.tensor(env.mirror_images[0].observations[group].sign)
        mirrored = torch.cat([rollout[group] for rollout in seen]) * sign
        for n in range(N):
            state, before = network.memory.initial_state(1, "cpu"), []
            for t in range(3 * T):
                before.append(state[0][0, 0])
                _, state = network.memory(mirrored[t, n][None, None], state)
                if done[t, n]:
                    state = network.memory.initial_state(1, "cpu")
            for rollout, image in enumerate(images):
                (found,) = getattr(image, name)
                found = found.chunk(2, dim=1)[1].unflatten(1, (len(starts), N))
                for i, start in enumerate(starts):
                    torch.testing.assert_close(found[0, i, n], before[rollout * T + start])
    assert done.any(dim=0).all()


def test_a_symmetric_policy_that_remembers_acts_alike_in_the_image():
    """Before the first step the loss is nothing, and the probabilities of mirrored actions are those of the actions."""
    ppo, env, _ = make_remembering(APPEND, symmetric=True)
    obs = env.reset(1)
    for _ in range(2):
        obs = roll_out(ppo, env, obs)
        if ppo._num_updates == 0:
            ppo.optimizer.param_groups[0]["lr"] = torch.tensor(0.0)  # the policy stays symmetric
        metrics = ppo.update(obs)
        assert metrics["Loss/symmetry"].item() < 1e-12
        assert metrics["Policy/clip_fraction"].item() == 0.0
        assert metrics["Policy/kl"].abs().item() < 1e-6
        assert metrics["Loss/surrogate"].abs().item() < 1e-6


@pytest.mark.parametrize("augmentation", ["replace", "append", None])
@pytest.mark.parametrize("critic_remembers", [True, False])
def test_networks_that_remember_learn_from_images(augmentation, critic_remembers):
    cfg = SymmetryCfg(augmentation=augmentation, mirror_loss_coef=1.0)
    ppo, env, _ = make_remembering(cfg, symmetric=False, critic_remembers=critic_remembers)
    obs, losses = env.reset(1), []
    for _ in range(30):
        obs = roll_out(ppo, env, obs)
        losses.append(ppo.update(obs)["Loss/symmetry"].item())
    assert losses[-1] < 0.5 * losses[0]


def test_memory_of_the_images_is_saved_and_forgotten():
    ppo, env, symmetry = make_remembering(APPEND, symmetric=False)
    obs = roll_out(ppo, env, env.reset(1))
    ppo.update(obs)
    saved = symmetry.state_dict()["memory"]
    assert saved["actor"][0].shape == (1, N, 2)
    assert saved["actor"][0].abs().max() > 0
    other, _, others = make_remembering(APPEND, symmetric=False)
    other.load_state_dict(ppo.state_dict())
    assert torch.equal(others.state_dict()["memory"]["actor"][0], saved["actor"][0])
    other.forget()
    assert not others.state_dict()["memory"]["actor"][0].any()
    assert not others.state_dict()["memory"]["critic"][0].any()


# --- in PPO


def build(symmetry: SymmetryCfg | None, **fields) -> tuple[Ppo, ToyEnv]:
    env = ToyEnv(N, max_episode_length=5, terminate_after=(3,))
    cfg = OnPolicyRunnerCfg(
        experiment_name="toy",
        num_steps_per_env=T,
        algorithm=PpoCfg(num_learning_epochs=2, num_mini_batches=2, symmetry=symmetry, **fields),
        actor=ActorCfg(network=SMALL),
        critic=CriticCfg(network=SMALL),
    )
    return build_algorithm(env, cfg, env.device), env


def test_entropy_and_divergence_are_those_of_what_was_collected():
    """Appending images to a batch of one mini-batch changes neither, though the images count in the surrogate."""
    fields = {"schedule": FixedCfg(), "learning_rate": 1e-12}
    said = []
    for symmetry in (None, SymmetryCfg(augmentation="append")):
        ppo, env = build(symmetry, **fields)
        obs = roll_out(ppo, env, env.reset(1))
        ppo.buffer.distribution.mean.add_(0.5)  # as if the policy had moved
        ppo.buffer.distribution.mean[:, 1] += 1.0
        said.append(ppo.update(obs))
    plain, appended = said
    assert plain["Policy/kl"].item() > 0.1
    assert appended["Policy/kl"].item() == pytest.approx(plain["Policy/kl"].item(), rel=1e-5)
    assert appended["Loss/entropy"].item() == pytest.approx(plain["Loss/entropy"].item(), rel=1e-6)
    assert appended["Loss/surrogate"].item() != pytest.approx(plain["Loss/surrogate"].item(), rel=1e-3)


def test_only_a_weight_makes_it_a_loss():
    assert build(SymmetryCfg())[0].extensions.losses == ()
    ppo, _ = build(SymmetryCfg(mirror_loss_coef=0.1))
    assert ppo.extensions.losses == ppo.extensions.transforms
    assert len(ppo.optimizer.param_groups) == 1
