import pytest
import torch

from fleetfoot.models.actor_critic import ObservationInput
from fleetfoot.models.build import build_actor, build_critic
from fleetfoot.models.cnn import Cnn
from fleetfoot.models.config import ActorCfg, CnnCfg, CriticCfg, MlpCfg

SPEC = {"policy": (3,), "critic": (2,)}
SIZES = {"policy": 3, "critic": 2}
SMALL = MlpCfg(hidden_dims=(8,))
CAMERAS = ("camera", "wrist")


@pytest.fixture
def obs(generator):
    return {name: torch.randn(5, *shape, generator=generator) for name, shape in SPEC.items()}


@pytest.mark.parametrize("order", [("policy", "critic"), ("critic", "policy")])
def test_groups_are_laid_side_by_side_in_the_order_they_are_named(obs, order):
    side_by_side = ObservationInput({group: SIZES[group] for group in order}, normalize=False)(obs)
    assert torch.equal(side_by_side, torch.cat([obs[group] for group in order], dim=-1))


def test_one_group_is_handed_on_as_it_is(obs):
    assert ObservationInput({"policy": 3}, normalize=False)(obs) is obs["policy"]


def test_without_normalisation_there_is_nothing_to_update(obs):
    inputs = ObservationInput({"policy": 3}, normalize=False)
    inputs.update(obs)
    assert not inputs.state_dict()


def test_the_normaliser_learns_in_update_and_scales_what_the_network_sees(obs):
    inputs = ObservationInput(SIZES, normalize=True)
    inputs.update(obs)
    x = torch.cat((obs["policy"], obs["critic"]), dim=-1)
    torch.testing.assert_close(inputs(obs), (x - x.mean(0)) / (x.std(0, correction=0) + 0.01))


def test_only_the_groups_that_are_named_are_scaled(obs):
    inputs = ObservationInput(SIZES, normalize=("critic",))
    assert torch.equal(inputs(obs)[:, :3], obs["policy"])  # before the first update, and after it
    inputs.update(obs)
    x = obs["critic"]
    torch.testing.assert_close(inputs(obs)[:, 3:], (x - x.mean(0)) / (x.std(0, correction=0) + 0.01))
    assert torch.equal(inputs(obs)[:, :3], obs["policy"])
    assert ObservationInput(SIZES, normalize=()).normalizer is None


def test_an_image_that_is_named_is_scaled_by_channel_and_others_are_not():
    """Two channels of one by two pixels, seen by a network that hands them on."""
    sees_it_all = Cnn((2, 1, 2), CnnCfg(output_channels=(2,), kernel_size=(1,), activation="identity"))
    with torch.no_grad():
        sees_it_all.layers[0].weight.copy_(torch.eye(2)[:, :, None, None])
        sees_it_all.layers[0].bias.zero_()
    inputs = ObservationInput({"policy": 3}, normalize=("camera",), encoders=dict.fromkeys(CAMERAS, sees_it_all))
    seen = torch.tensor([[[[0.0, 2.0]], [[7.0, 7.0]]], [[[4.0, 6.0]], [[7.0, 7.0]]]])
    rollout = {"policy": torch.ones(1, 2, 3), **dict.fromkeys(CAMERAS, seen[None])}
    inputs.update(rollout)
    inputs.update(rollout)  # the same once more changes no moment
    # 0, 2, 4, 6: mean 3, biased variance 5; four times 7: mean 7, variance 0
    now = torch.tensor([[[[5.0, 3.0]], [[7.01, 7.0]]]])
    x = inputs({"policy": torch.tensor([[1.0, 2.0, 3.0]]), **dict.fromkeys(CAMERAS, now)})
    scaled = [2 / (5**0.5 + 0.01), 0.0, 1.0, 0.0]
    torch.testing.assert_close(x, torch.tensor([[1, 2, 3, *scaled, 5, 3, 7.01, 7]]), rtol=1e-4, atol=1e-4)
    assert inputs.normalizer is None
    assert [key for key in inputs.state_dict() if key.endswith("mean")] == ["normalizers.camera.mean"]


def test_without_being_named_no_image_is_scaled():
    encoders = {"camera": Cnn((2, 3, 3), CnnCfg(output_channels=(1,)))}
    for normalize in (False, True, ("policy",)):
        inputs = ObservationInput({"policy": 3}, normalize=normalize, encoders=encoders)
        assert not inputs.image_normalizers


def test_the_actor_is_normaliser_then_network_then_head(obs):
    actor = build_actor(ActorCfg(network=SMALL, obs_normalization=True), ("policy",), SPEC, 4)
    actor.inputs.update(obs)
    distribution, state = actor(obs)
    torch.testing.assert_close(distribution.mean, actor.network.layers(actor.inputs.normalizer(obs["policy"])))
    torch.testing.assert_close(distribution.std, torch.ones(5, 4))
    assert state == ()


def test_the_critic_gives_one_number_for_each_environment(obs):
    critic = build_critic(CriticCfg(network=SMALL), ("policy", "critic"), SPEC)
    value, _ = critic(obs)
    assert value.shape == (5,)
    x = torch.cat((obs["policy"], obs["critic"]), dim=-1)
    torch.testing.assert_close(value, critic.network.layers(x)[:, 0])


def test_a_whole_rollout_is_judged_at_once(obs):
    critic = build_critic(CriticCfg(network=SMALL), ("critic",), SPEC)
    rollout = {"critic": torch.stack((obs["critic"], 2 * obs["critic"]))}
    values, _ = critic(rollout)
    assert values.shape == (2, 5)
    torch.testing.assert_close(values[1], critic({"critic": rollout["critic"][1]})[0])


def test_actor_and_critic_share_nothing():
    actor = build_actor(ActorCfg(network=SMALL), ("policy",), SPEC, 2)
    critic = build_critic(CriticCfg(network=SMALL), ("policy",), SPEC)
    assert not {id(p) for p in actor.parameters()} & {id(p) for p in critic.parameters()}


def test_the_units_of_a_critic_change_no_value(generator):
    cfg = CriticCfg(network=MlpCfg(hidden_dims=(8,)), value_normalization=True)
    critic = build_critic(cfg, ("critic",), {"critic": (5,)})
    obs = {"critic": torch.randn(3, 4, 5, generator=generator)}
    before, _ = critic(obs)
    critic.update_units(1000 + 50 * torch.randn(3, 4, generator=generator))
    torch.testing.assert_close(critic(obs)[0], before, rtol=1e-3, atol=1e-3)
    assert critic.in_units(torch.tensor(1000.0)).abs() < 0.5
