import pytest

from fleetfoot.errors import ConfigError
from fleetfoot.models.build import build_actor, build_critic, check_groups
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg

SPEC = {"policy": (4,), "critic": (6,), "camera": (3, 64, 64), "nothing": ()}
SMALL = MlpCfg(hidden_dims=(8,))


def test_the_network_is_as_wide_as_its_groups_together():
    actor = build_actor(ActorCfg(network=SMALL), ("policy", "critic"), SPEC, 2)
    assert actor.network.layers[0].in_features == 10
    assert actor.network.layers[-1].out_features == 2
    assert build_critic(CriticCfg(network=SMALL), ("critic",), SPEC).network.layers[0].in_features == 6


@pytest.mark.parametrize("normalize", [True, False])
def test_there_is_a_normaliser_where_one_is_asked_for(normalize):
    actor = build_actor(ActorCfg(network=SMALL, obs_normalization=normalize), ("policy",), SPEC, 2)
    assert (actor.inputs.normalizer is not None) == normalize


def test_a_group_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(ConfigError) as caught:
        check_groups(("policy", "critics"), SPEC, "agent.obs_groups.critic")
    assert str(caught.value) == (
        "agent.obs_groups.critic: got 'critics'; expected one of the environment's observation groups: "
        "policy, critic, camera, nothing. Did you mean 'critic'?"
    )


@pytest.mark.parametrize(("group", "shape"), [("camera", "[3, 64, 64]"), ("nothing", "[]")])
def test_a_group_that_is_not_flat_is_refused(group, shape):
    with pytest.raises(ConfigError) as caught:
        check_groups((group,), SPEC, "agent.obs_groups.actor")
    expected = f"agent.obs_groups.actor: got group {group!r} of shape {shape}; expected flat groups, of shape [O]."
    assert str(caught.value) == expected


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
