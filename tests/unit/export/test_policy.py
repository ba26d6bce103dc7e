import torch

from fleetfoot.export.policy import ExportedPolicy


def test_it_maps_observations_side_by_side_to_the_most_likely_actions(actor, generator):
    obs = {"policy": torch.randn(7, 4, generator=generator), "command": torch.randn(7, 2, generator=generator)}
    policy = ExportedPolicy(actor)
    assert (policy.input_names, policy.output_names) == (("obs",), ("actions",))
    (actions,) = policy(torch.cat((obs["policy"], obs["command"]), dim=-1))
    torch.testing.assert_close(actions, actor(obs)[0].mean)


def test_it_is_a_copy(actor):
    policy = ExportedPolicy(actor)
    (before,) = policy(torch.ones(1, 6))
    torch.nn.init.zeros_(actor.network.layers[0].weight)
    actor.inputs.normalizer.update(torch.full((1000, 6), 99.0))
    assert torch.equal(policy(torch.ones(1, 6))[0], before)


def test_it_does_not_learn(actor):
    policy = ExportedPolicy(actor)
    assert not policy.training
    assert not any(p.requires_grad for p in policy.parameters())
    assert actor.training
    assert all(p.requires_grad for p in actor.parameters())


def test_without_a_normaliser_observations_go_straight_in(plain_actor):
    x = torch.ones(2, 4)
    torch.testing.assert_close(ExportedPolicy(plain_actor)(x)[0], plain_actor({"policy": x})[0].mean)
