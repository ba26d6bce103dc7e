from dataclasses import replace

import pytest
import torch

from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.errors import CheckpointError
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg
from fleetfoot.runners.checkpoint import Checkpoint, load_checkpoint
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner
from fleetfoot.runners.policy import build_policy, check_fits

SMALL = MlpCfg(hidden_dims=(4,))
CFG = OnPolicyRunnerCfg(
    experiment_name="toy",
    num_steps_per_env=4,
    actor=ActorCfg(network=SMALL, obs_normalization=True),
    critic=CriticCfg(network=SMALL),
)


@pytest.fixture
def trained(tmp_path) -> tuple[OnPolicyRunner, Checkpoint]:
    runner = OnPolicyRunner(ToyEnv(4), CFG)
    runner.learn(2)
    runner.save(tmp_path / "model.pt")
    return runner, load_checkpoint(tmp_path / "model.pt")


def test_a_checkpoint_rebuilds_the_policy_for_any_number_of_environments(trained):
    runner, checkpoint = trained
    env = ToyEnv(9)
    obs = env.reset(1)
    actions = build_policy(checkpoint, CFG, env, "model.pt")(obs)
    assert actions.shape == (9, 1)
    assert torch.equal(actions, runner.get_inference_policy()(obs))


def test_using_a_policy_needs_no_gradient(trained):
    policy = build_policy(trained[1], CFG, ToyEnv(2), "model.pt")
    assert not policy(ToyEnv(2).reset(1)).requires_grad
    assert not any(p.requires_grad for p in policy.actor.parameters())
    assert not policy.actor.training


def test_a_policy_can_forget(trained):
    policy, obs = build_policy(trained[1], CFG, ToyEnv(2), "model.pt"), ToyEnv(2).reset(1)
    before = policy(obs)
    policy.reset(torch.tensor([True, False]))
    policy.reset()
    assert torch.equal(policy(obs), before)


def test_another_network_than_the_one_that_was_saved_is_refused(trained):
    cfg = replace(CFG, actor=replace(CFG.actor, network=MlpCfg(hidden_dims=(5,))))
    with pytest.raises(CheckpointError, match=r"expected the parameters of agent\.actor as configured"):
        build_policy(trained[1], cfg, ToyEnv(4), "model.pt")


@pytest.mark.parametrize("normalize", [True, False])
def test_a_normaliser_more_or_less_is_refused(trained, normalize, tmp_path):
    runner = OnPolicyRunner(ToyEnv(4), replace(CFG, actor=replace(CFG.actor, obs_normalization=not normalize)))
    runner.save(tmp_path / "other.pt")
    cfg = replace(CFG, actor=replace(CFG.actor, obs_normalization=normalize))
    with pytest.raises(CheckpointError, match="normalizer"):
        build_policy(load_checkpoint(tmp_path / "other.pt"), cfg, ToyEnv(4), "other.pt")


def test_another_number_of_actions_is_named(trained):
    checkpoint = Checkpoint({**trained[1].metadata, "num_actions": 12}, {})
    with pytest.raises(CheckpointError) as caught:
        check_fits(checkpoint, ToyEnv(4), "model.pt")
    assert str(caught.value) == "model.pt: got trained with 12 actions; expected 1."
