import pytest
import torch

from fleetfoot.compat.checkpoint_file import Learned, read_checkpoint_file
from fleetfoot.compat.weights import load_rsl_rl_checkpoint, save_rsl_rl_checkpoint
from fleetfoot.errors import CheckpointError
from fleetfoot.models.config import (
    ActorCfg,
    AttentionCfg,
    CnnCfg,
    CriticCfg,
    GaussianCfg,
    GruCfg,
    LstmCfg,
    SquashedGaussianCfg,
)
from fleetfoot.runners.config import OnPolicyRunnerCfg


def learned(network="actor", **tensors):
    return Learned(networks={network: tensors}, moments={}, learning_rate=0.1, iteration=1)


def run(**networks):
    return OnPolicyRunnerCfg(experiment_name="test", **networks)


@pytest.mark.parametrize(("std_type", "key"), [("scalar", "std_param"), ("log", "log_std_param")])
def test_the_form_of_the_standard_deviation_is_in_its_name(std_type, key, tmp_path):
    ours = learned(**{"head.std_param": torch.tensor([0.5])})
    save_rsl_rl_checkpoint(tmp_path / "m.pt", ours, run(actor=ActorCfg(distribution=GaussianCfg(std_type=std_type))))
    assert list(read_checkpoint_file(tmp_path / "m.pt").networks["actor"]) == [f"distribution.{key}"]
    assert torch.equal(
        load_rsl_rl_checkpoint(tmp_path / "m.pt").networks["actor"]["head.std_param"], torch.tensor([0.5])
    )


def test_moments_of_observations_have_an_axis_for_the_batch_there(tmp_path):
    normalizer = {"mean": torch.tensor([1.0, 2.0]), "var": torch.tensor([4.0, 9.0]), "count": torch.tensor(3)}
    ours = learned(**{f"inputs.normalizer.{name}": value for name, value in normalizer.items()})
    save_rsl_rl_checkpoint(tmp_path / "m.pt", ours, run())
    theirs = {key: x.tolist() for key, x in read_checkpoint_file(tmp_path / "m.pt").networks["actor"].items()}
    assert theirs == {
        "obs_normalizer._mean": [[1.0, 2.0]],
        "obs_normalizer._var": [[4.0, 9.0]],
        "obs_normalizer._std": [[2.0, 3.0]],
        "obs_normalizer.count": 3,
    }
    back = load_rsl_rl_checkpoint(tmp_path / "m.pt").networks["actor"]
    assert {key: x.tolist() for key, x in back.items()} == {
        f"inputs.normalizer.{name}": value.tolist() for name, value in normalizer.items()
    }


@pytest.mark.parametrize(
    ("network", "ours", "theirs"),
    [
        ("actor", "inputs.encoders.left_eye.layers.0.weight", "cnns.left_eye.0.weight"),
        ("actor", "inputs.encoders.eye.layers.1.num_batches_tracked", "cnns.eye.1.num_batches_tracked"),
        ("critic", "memory.rnn.bias_hh_l1", "rnn.rnn.bias_hh_l1"),
        ("critic", "network.layers.4.bias", "mlp.4.bias"),
        ("rnd", "predictor.layers.0.weight", "predictor.0.weight"),
        ("rnd", "target.layers.2.bias", "target.2.bias"),
        ("rnd", "sums.mean", "reward_normalizer.emp_norm._mean"),
        ("rnd", "sums.count", "reward_normalizer.emp_norm.count"),
    ],
)
def test_names_there_and_here(network, ours, theirs, tmp_path):
    last = {"network.layers.6.weight": torch.ones(1, 2), "network.layers.6.bias": torch.ones(1)}
    networks = {"actor": {}, "critic": last, "rnd": {}}
    networks[network] = networks[network] | {ours: torch.ones(1)}
    everything = Learned(networks=networks, moments={}, learning_rate=0.1, iteration=1)
    save_rsl_rl_checkpoint(tmp_path / "m.pt", everything, run())
    assert theirs in read_checkpoint_file(tmp_path / "m.pt").networks[network]
    assert ours in load_rsl_rl_checkpoint(tmp_path / "m.pt").networks[network]


def test_a_parameter_that_rsl_rl_does_not_have_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"got a parameter 'extra\.weight'.*kind that rsl_rl has"):
        save_rsl_rl_checkpoint(tmp_path / "m.pt", learned(**{"extra.weight": torch.ones(1)}), run())


def test_a_critic_of_several_values_is_refused(tmp_path):
    two = {"network.layers.0.weight": torch.ones(2, 3), "network.layers.0.bias": torch.ones(2)}
    with pytest.raises(CheckpointError, match="got a critic of 2 values; expected one value"):
        save_rsl_rl_checkpoint(tmp_path / "m.pt", learned("critic", **two), run())


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (
            run(actor=ActorCfg(distribution=SquashedGaussianCfg())),
            r"got agent\.actor\.distribution\.kind=squashed_gaussian",
        ),
        (run(critic=CriticCfg(memory=AttentionCfg())), r"got agent\.critic\.memory\.kind=attention; expected"),
        (run(actor=ActorCfg(memory=GruCfg(), cnn=CnnCfg())), r"agent\.actor\.memory\.kind=gru behind images"),
        (
            run(critic=CriticCfg(memory=LstmCfg(), cnn_by_group={"eye": CnnCfg()})),
            r"agent\.critic\.memory\.kind=lstm behind images",
        ),
    ],
)
def test_networks_that_rsl_rl_does_not_have_are_named(cfg, message, tmp_path):
    with pytest.raises(CheckpointError, match=message):
        save_rsl_rl_checkpoint(tmp_path / "m.pt", learned(), cfg)
    assert not (tmp_path / "m.pt").exists()
