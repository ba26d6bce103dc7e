import pytest
import torch

from fleetfoot.errors import ExportError
from fleetfoot.export.parity import parity_error
from fleetfoot.export.policy import ExportedPolicy


def test_the_same_policy_has_no_error(actor, tmp_path):
    policy = ExportedPolicy(actor)
    assert parity_error(policy, policy, tmp_path / "p") == 0.0


def test_the_error_is_the_largest_difference(actor, tmp_path):
    policy = ExportedPolicy(actor)

    def off(obs):
        (actions,) = policy(obs)
        actions[0, 1] += 5e-5 * max(1.0, actions[0, 1].abs().item())
        return (actions,)

    assert parity_error(policy, off, tmp_path / "p") == pytest.approx(5e-5, rel=0.01)


def test_a_large_action_may_differ_in_proportion(plain_actor, tmp_path):
    policy = ExportedPolicy(plain_actor)
    torch.nn.init.constant_(policy.network.layers[-1].bias, 1e4)
    assert parity_error(policy, lambda obs: (policy(obs)[0] * (1 + 5e-5),), tmp_path / "p") == pytest.approx(
        5e-5, rel=0.01
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda actions: actions + 2e-4,
        lambda actions: actions * 1.1,
        lambda actions: actions * torch.nan,
        lambda actions: actions / 0.0,
    ],
)
def test_other_actions_are_refused(actor, tmp_path, wrong):
    policy = ExportedPolicy(actor)
    with pytest.raises(ExportError, match=f"^{tmp_path}/p: got actions that differ by up to "):
        parity_error(policy, lambda obs: (wrong(policy(obs)[0]),), tmp_path / "p")


def test_one_weight_that_is_off_is_noticed(actor, tmp_path):
    policy, exported = ExportedPolicy(actor), ExportedPolicy(actor)
    with torch.no_grad():
        exported.network.layers[2].weight[0, 0] += 0.01
    with pytest.raises(ExportError):
        parity_error(policy, exported, tmp_path / "p")


def test_a_normaliser_that_was_forgotten_is_noticed(actor, tmp_path):
    policy, exported = ExportedPolicy(actor), ExportedPolicy(actor)
    exported.inputs.normalizer = None
    with pytest.raises(ExportError):
        parity_error(policy, exported, tmp_path / "p")


def test_a_file_that_only_takes_single_observations_is_noticed(actor, tmp_path):
    policy = ExportedPolicy(actor)
    with pytest.raises(ExportError):
        parity_error(policy, lambda obs: (policy(obs[:1])[0].expand(len(obs), -1),), tmp_path / "p")


def seen_by_the_file(policy: ExportedPolicy, path) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []

    def exported(obs):
        seen.append(obs)
        return policy(obs)

    parity_error(policy, exported, path)
    return seen


def test_observations_are_like_those_of_the_training_and_then_far_beyond(actor, tmp_path):
    """The normaliser of the fixture has seen means of 0 to 5, with a standard deviation of 5."""
    one, near, far = seen_by_the_file(ExportedPolicy(actor), tmp_path / "p")
    assert len(one) == 1
    for obs, scale in ((near, 1.0), (far, 10.0)):
        torch.testing.assert_close(obs.mean(0), torch.arange(6.0), atol=1.5 * scale, rtol=0.0)
        torch.testing.assert_close(obs.std(0), torch.full((6,), 5.0 * scale), atol=1.0 * scale, rtol=0.0)


def test_an_observation_that_never_changed_is_changed_here(actor, tmp_path):
    """Else a weight on it could be anything."""
    policy = ExportedPolicy(actor)
    policy.inputs.normalizer.var[2] = 0.0
    _, near, _ = seen_by_the_file(policy, tmp_path / "p")
    assert policy.inputs.normalizer(near)[:, 2].std().item() == pytest.approx(1.0, abs=0.2)


def test_without_a_normaliser_observations_are_around_zero(plain_actor, tmp_path):
    _, near, far = seen_by_the_file(ExportedPolicy(plain_actor), tmp_path / "p")
    torch.testing.assert_close(near.std(0), torch.ones(4), atol=0.15, rtol=0.0)
    torch.testing.assert_close(far.std(0), torch.full((4,), 10.0), atol=1.5, rtol=0.0)
