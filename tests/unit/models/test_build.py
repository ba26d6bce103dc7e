import pytest
import torch

from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.errors import ConfigError
from fleetfoot.models.build import build_actor, build_critic, check_action_range, check_groups
from fleetfoot.models.config import (
    ActorCfg,
    BetaCfg,
    CnnCfg,
    CriticCfg,
    GaussianCfg,
    MlpCfg,
    SquashedGaussianCfg,
    StateDependentGaussianCfg,
)
from fleetfoot.models.distributions import BetaHead, GaussianHead, SquashedGaussianHead, StateDependentGaussianHead

SPEC = {"policy": (4,), "critic": (6,), "camera": (3, 64, 64), "nothing": (), "grid": (5, 5)}
SMALL = MlpCfg(hidden_dims=(8,))


def test_the_network_is_as_wide_as_its_groups_together():
    actor = build_actor(ActorCfg(network=SMALL), ("policy", "critic"), SPEC, 2)
    assert actor.network.layers[0].in_features == 10
    assert actor.network.layers[-1].out_features == 2
    assert build_critic(CriticCfg(network=SMALL), ("critic",), SPEC).network.layers[0].in_features == 6


HEADS = {
    GaussianCfg(init_std=0.5): (GaussianHead, 2),
    StateDependentGaussianCfg(init_std=0.5): (StateDependentGaussianHead, 4),
    BetaCfg(): (BetaHead, 4),
    SquashedGaussianCfg(init_std=0.5): (SquashedGaussianHead, 2),
}


@pytest.mark.parametrize("cfg", HEADS, ids=lambda cfg: cfg.kind)
def test_each_distribution_has_its_head_and_as_many_features(cfg, generator):
    actor = build_actor(ActorCfg(network=SMALL, distribution=cfg), ("policy",), SPEC, 2)
    head, width = HEADS[cfg]
    assert isinstance(actor.head, head)
    assert actor.network.last_layer.out_features == actor.head.in_dim == width
    assert actor({"policy": torch.randn(3, 4, generator=generator)})[0].mean.shape == (3, 2)


def test_the_head_says_how_the_last_layer_starts(generator):
    cfg = ActorCfg(network=SMALL, distribution=StateDependentGaussianCfg(init_std=0.5))
    distribution, _ = build_actor(cfg, ("policy",), SPEC, 2)({"policy": torch.randn(3, 4, generator=generator)})
    assert torch.equal(distribution.std, torch.full((3, 2), 0.5))


def mirror_image(*signs: float) -> MirrorImage:
    return MirrorImage(name="left-right", observations={}, actions=SignedPermutation(tuple(range(len(signs))), signs))


@pytest.mark.parametrize("kind", [BetaCfg, SquashedGaussianCfg])
def test_a_range_that_its_mirror_image_does_not_keep_is_refused(kind):
    with pytest.raises(ConfigError) as caught:
        check_action_range(kind(action_range=(-1.0, 2.0)), [mirror_image(1.0, -1.0)])
    assert str(caught.value) == (
        "agent.actor.distribution.action_range: got [-1.0, 2.0]; expected a range symmetric about zero: the mirror "
        "image 'left-right' turns the signs of actions. Use [-2.0, 2.0], or set agent.algorithm.symmetry to null."
    )


@pytest.mark.parametrize(
    ("cfg", "image"),
    [
        (BetaCfg(action_range=(-1.0, 2.0)), mirror_image(1.0, 1.0)),
        (BetaCfg(action_range=(-2.0, 2.0)), mirror_image(-1.0, 1.0)),
        (SquashedGaussianCfg(action_range=(-0.5, 0.5)), mirror_image(-1.0, -1.0)),
        (GaussianCfg(), mirror_image(-1.0, 1.0)),
        (StateDependentGaussianCfg(), mirror_image(-1.0, 1.0)),
    ],
)
def test_a_range_that_its_mirror_image_keeps_is_taken(cfg, image):
    check_action_range(cfg, [image])


@pytest.mark.parametrize("normalize", [True, False])
def test_there_is_a_normaliser_where_one_is_asked_for(normalize):
    actor = build_actor(ActorCfg(network=SMALL, obs_normalization=normalize), ("policy",), SPEC, 2)
    assert (actor.inputs.normalizer is not None) == normalize


def test_a_group_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(ConfigError) as caught:
        check_groups(("policy", "critics"), SPEC, "agent.obs_groups.critic")
    assert str(caught.value) == (
        "agent.obs_groups.critic: got 'critics'; expected one of the environment's observation groups: "
        "policy, critic, camera, nothing, grid. Did you mean 'critic'?"
    )


@pytest.mark.parametrize(("group", "shape"), [("grid", "[5, 5]"), ("nothing", "[]")])
def test_a_group_that_is_neither_flat_nor_an_image_is_refused(group, shape):
    with pytest.raises(ConfigError) as caught:
        check_groups((group,), SPEC, "agent.obs_groups.actor")
    expected = "flat groups, of shape [O], and images, of shape [C, H, W]"
    assert str(caught.value) == f"agent.obs_groups.actor: got group {group!r} of shape {shape}; expected {expected}."


CNN = CnnCfg(output_channels=(2, 4), kernel_size=(5,), stride=(4,))


def test_images_are_seen_beside_flat_groups(generator):
    actor = build_actor(ActorCfg(network=SMALL, cnn=CNN, obs_normalization=True), ("camera", "policy"), SPEC, 2)
    assert actor.inputs.groups == ("policy",)
    assert actor.inputs.images == {"camera": (3, 64, 64)}
    obs = {group: torch.randn(3, 5, *SPEC[group], generator=generator) for group in ("camera", "policy")}
    seen = torch.cat((obs["policy"] / 1.01, actor.inputs.encoders["camera"](obs["camera"])), dim=-1)
    torch.testing.assert_close(actor.inputs(obs), seen)  # the normaliser has seen nothing: mean 0, deviation 1
    distribution, _ = actor(obs)
    assert distribution.mean.shape == (3, 5, 2)


def test_what_is_to_be_scaled_has_to_be_read():
    cfg = ActorCfg(network=SMALL, cnn=CNN, obs_normalization=("camera", "policy"))
    assert build_actor(cfg, ("policy", "camera"), SPEC, 2).inputs.image_normalizers.keys() == {"camera"}
    with pytest.raises(ConfigError, match=r"got 'camera'; expected a group among those that are read: policy\.$"):
        build_actor(cfg, ("policy",), SPEC, 2)


def test_an_image_without_a_network_is_refused():
    with pytest.raises(ConfigError) as caught:
        build_actor(ActorCfg(network=SMALL), ("policy", "camera"), SPEC, 2)
    assert str(caught.value) == (
        "agent.actor.cnn: got null; expected a network to see an image of 3 x 64 x 64 in group 'camera'. "
        "Set agent.actor.cnn.kind=cnn."
    )


def test_a_network_for_what_is_no_image_is_refused():
    with pytest.raises(ConfigError, match=r"^agent\.critic\.cnn_by_group\.policy: got 'policy'; expected an image"):
        build_critic(CriticCfg(network=SMALL, cnn_by_group={"policy": CNN}), ("policy",), SPEC)


def test_one_group_may_be_seen_in_another_way():
    cfg = CriticCfg(network=SMALL, cnn_by_group={"camera": CNN})
    assert build_critic(cfg, ("camera",), SPEC).inputs.encoders["camera"].layers[0].out_channels == 2


@pytest.mark.parametrize(
    ("build", "where"),
    [
        (lambda: build_actor(ActorCfg(), ("x",), SPEC, 2), "agent.obs_groups.actor"),
        (lambda: build_critic(CriticCfg(), ("x",), SPEC), "agent.obs_groups.critic"),
    ],
)
def test_building_says_whose_groups_are_wrong(build, where):
    with pytest.raises(ConfigError, match=f"^{where}: got 'x'"):
        build()
