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
        actions = policy(obs)
        actions[0, 1] += 5e-5 * max(1.0, actions[0, 1].abs().item())
        return actions

    assert parity_error(policy, off, tmp_path / "p") == pytest.approx(5e-5, rel=0.01)


def test_a_large_action_may_differ_in_proportion(plain_actor, tmp_path):
    policy = ExportedPolicy(plain_actor)
    torch.nn.init.constant_(policy.network[-1].bias, 1e4)
    assert parity_error(policy, lambda obs: policy(obs) * (1 + 5e-5), tmp_path / "p") == pytest.approx(5e-5, rel=0.01)


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
        parity_error(policy, lambda obs: wrong(policy(obs)), tmp_path / "p")


def test_one_weight_that_is_off_is_noticed(actor, tmp_path):
    policy, exported = ExportedPolicy(actor), ExportedPolicy(actor)
    with torch.no_grad():
        exported.network[2].weight[0, 0] += 0.01
    with pytest.raises(ExportError):
        parity_error(policy, exported, tmp_path / "p")


def test_a_normaliser_that_was_forgotten_is_noticed(actor, tmp_path):
    policy, exported = ExportedPolicy(actor), ExportedPolicy(actor)
    exported.normalizer = torch.nn.Identity()
    with pytest.raises(ExportError):
        parity_error(policy, exported, tmp_path / "p")


def test_a_file_that_only_takes_single_observations_is_noticed(actor, tmp_path):
    policy = ExportedPolicy(actor)
    with pytest.raises(ExportError):
        parity_error(policy, lambda obs: policy(obs[:1]).expand(len(obs), -1), tmp_path / "p")
