from dataclasses import replace

import pytest
import torch

from fleetfoot.algorithms.symmetry import MirrorAugmentation
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.models.distributions import Gaussian
from fleetfoot.storage.rollout import Batch

# Two joints that change places and signs; a third number that only turns its sign.
SWAP = MirrorImage(
    name="left-right",
    observations={"policy": SignedPermutation((1, 0, 2), (1.0, 1.0, -1.0))},
    actions=SignedPermutation((1, 0), (-1.0, -1.0)),
)
B = 400


@pytest.fixture
def batch():
    """Samples 1, 2, 3, ...: sample `i` is told apart in every member."""
    i = torch.arange(1.0, B + 1)

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
        reset=torch.zeros(1, B, dtype=torch.bool),
        actor_state=(),
        critic_state=(),
    )


def augmentation(seed: int = 0) -> MirrorAugmentation:
    return MirrorAugmentation([SWAP], ["policy"], torch.Generator().manual_seed(seed))


def test_each_sample_is_itself_or_its_mirror_image_in_all_members(batch):
    mirrored = augmentation()(batch)
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
    mirrored = augmentation()(batch)
    for name in ("log_probs", "values", "advantages", "returns"):
        assert torch.equal(getattr(mirrored, name), getattr(batch, name))


def test_about_half_of_the_samples_are_mirrored(batch):
    share = (augmentation()(batch).obs["policy"][0, :, 2] < 0).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.1)


def test_another_half_the_next_time(batch):
    mirror = augmentation()
    assert not torch.equal(mirror(batch).actions, mirror(batch).actions)


def test_a_state_decides_which_are_mirrored_next(batch):
    mirror, other = augmentation(1), augmentation(2)
    mirror(batch)
    other.load_state_dict(mirror.state_dict())
    assert torch.equal(mirror(batch).actions, other(batch).actions)


def test_the_density_of_a_mirrored_action_under_the_mirrored_policy_is_the_same(batch, generator):
    sound = Gaussian(torch.randn(1, B, 2, generator=generator), torch.rand(1, B, 2, generator=generator) + 0.5)
    mirrored = augmentation()(replace(batch, actions=sound.sample(generator), distribution=sound))
    generator.manual_seed(20_240_607)
    again = Gaussian(torch.randn(1, B, 2, generator=generator), torch.rand(1, B, 2, generator=generator) + 0.5)
    torch.testing.assert_close(
        mirrored.distribution.log_prob(mirrored.actions), again.log_prob(again.sample(generator))
    )
