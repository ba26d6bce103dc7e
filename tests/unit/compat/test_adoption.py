from dataclasses import replace

import pytest
import torch

from fleetfoot.algorithms.build import build_algorithm
from fleetfoot.algorithms.config import PpoCfg, RndCfg
from fleetfoot.compat.adoption import adopt, learned_by, learned_in
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.errors import CheckpointError
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg
from fleetfoot.runners.checkpoint import load_checkpoint
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner

SMALL = MlpCfg(hidden_dims=(4,))


def cfg(seed=1, hidden=SMALL, **algorithm):
    return OnPolicyRunnerCfg(
        experiment_name="test",
        seed=seed,
        num_steps_per_env=4,
        algorithm=PpoCfg(num_mini_batches=2, **algorithm),
        actor=ActorCfg(network=hidden),
        critic=CriticCfg(network=hidden),
    )


def trained(cfg, iterations=2):
    env = ToyEnv()
    runner = OnPolicyRunner(env, cfg)
    runner.learn(iterations)
    return runner


@pytest.fixture
def pair():
    """A run of two iterations, and what another run would go on from it with."""
    one, other = cfg(seed=1, rnd=RndCfg()), cfg(seed=2, rnd=RndCfg())
    learned = learned_by(trained(one).algorithm.state_dict(), one, iteration=2)
    return learned, other, build_algorithm(ToyEnv(), other, torch.device("cpu"))


WEIGHTS = {
    "actor": "network.layers.0.weight",
    "critic": "network.layers.0.weight",
    "rnd": "predictor.layers.0.weight",
}


def weights(algorithm):
    state = algorithm.state_dict()
    networks = {"actor": state["actor"], "critic": state["critic"], "rnd": state["extensions"]["rnd"]["networks"]}
    return {name: networks[name][key].clone() for name, key in WEIGHTS.items()}


def test_everything_is_taken_over(pair):
    learned, other, algorithm = pair
    algorithm.load_state_dict(adopt(algorithm.state_dict(), other, learned))
    for name, x in weights(algorithm).items():
        assert torch.equal(x, learned.networks[name][WEIGHTS[name]])
    again = learned_by(algorithm.state_dict(), other, iteration=2)
    assert again.moments.keys() == learned.moments.keys()
    assert any(name.startswith("rnd.predictor") for name in again.moments)
    for name, moments in learned.moments.items():
        assert torch.equal(again.moments[name]["exp_avg"], moments["exp_avg"])
    state = algorithm.state_dict()
    assert state["learning_rate"].item() == pytest.approx(learned.learning_rate)
    assert state["num_updates"] == 2
    assert state["extensions"]["rnd"]["steps"] == 2 * 4


@pytest.mark.parametrize("part", ["actor", "critic", "rnd", "optimizer"])
def test_a_part_is_taken_over_alone(pair, part):
    learned, other, algorithm = pair
    before = weights(algorithm)
    algorithm.load_state_dict(adopt(algorithm.state_dict(), other, learned, parts={part: True, "iteration": True}))
    for name, x in weights(algorithm).items():
        assert torch.equal(x, learned.networks[name][WEIGHTS[name]] if name == part else before[name])
    moments = learned_by(algorithm.state_dict(), other, iteration=2).moments
    expected = {"optimizer": {"actor", "critic"}, "rnd": {"rnd"}}.get(part, set())
    assert {name.split(".")[0] for name in moments} == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"network.layers.0.weight": torch.ones(5, 2)},
            r"got actor\.network\.layers\.0\.weight of shape \[5, 2\]; expected \[4, 2\], as the network here has",
        ),
        ({"memory.rnn.bias_ih_l0": torch.ones(1)}, r"f\.pt: got actor\.memory\.rnn\.bias_ih_l0; expected none"),
        ({"head.std_param": None}, r"got a network without actor\.head\.std_param"),
    ],
)
def test_a_network_that_does_not_fit_is_named_by_its_first_difference(pair, change, message):
    learned, other, algorithm = pair
    actor = {key: x for key, x in (dict(learned.networks["actor"]) | change).items() if x is not None}
    learned = replace(learned, networks={**learned.networks, "actor": actor})
    with pytest.raises(CheckpointError, match=message):
        adopt(algorithm.state_dict(), other, learned, where="f.pt")


def test_what_does_not_fit_can_be_left_out_but_for_shapes(pair):
    learned, other, algorithm = pair
    std = algorithm.actor.head.std_param.clone()
    actor = {key: x for key, x in learned.networks["actor"].items() if key != "head.std_param"}
    actor["memory.rnn.bias_ih_l0"] = torch.ones(1)
    learned = replace(learned, networks={**learned.networks, "actor": actor})
    algorithm.load_state_dict(adopt(algorithm.state_dict(), other, learned, strict=False))
    assert torch.equal(algorithm.actor.head.std_param, std)
    assert torch.equal(weights(algorithm)["actor"], actor["network.layers.0.weight"])


def test_a_network_that_is_not_there_is_missed(pair):
    learned, other, algorithm = pair
    networks = {name: state for name, state in learned.networks.items() if name != "rnd"}
    with pytest.raises(CheckpointError, match="got no rnd, but actor, critic; expected a run with the network rnd"):
        adopt(algorithm.state_dict(), other, replace(learned, networks=networks))


def test_what_a_checkpoint_of_ours_holds(tmp_path):
    one = cfg()
    runner = trained(one)
    runner.save(tmp_path / "ours.pt")
    learned, same = learned_in(load_checkpoint(tmp_path / "ours.pt"), "ours.pt")
    assert same == one
    assert learned.iteration == 2
    assert len(learned.moments) == len(runner.algorithm.optimizer.state)
    actor = runner.algorithm.actor.state_dict()
    assert torch.equal(learned.networks["actor"]["head.std_param"], actor["head.std_param"])
