import pytest
import torch

from fleetfoot.compat.checkpoint_file import Learned, read_checkpoint_file
from fleetfoot.compat.weights import load_rsl_rl_checkpoint, save_rsl_rl_checkpoint
from fleetfoot.errors import CheckpointError


def learned(**actor):
    return Learned(networks={"actor": actor}, moments={}, learning_rate=0.1, iteration=1)


@pytest.mark.parametrize(("std_type", "key"), [("scalar", "std_param"), ("log", "log_std_param")])
def test_the_form_of_the_standard_deviation_is_in_its_name(std_type, key, tmp_path):
    ours = learned(**{"head.std_param": torch.tensor([0.5])})
    save_rsl_rl_checkpoint(tmp_path / "m.pt", ours, std_type=std_type)
    assert list(read_checkpoint_file(tmp_path / "m.pt").networks["actor"]) == [f"distribution.{key}"]
    assert torch.equal(
        load_rsl_rl_checkpoint(tmp_path / "m.pt").networks["actor"]["head.std_param"], torch.tensor([0.5])
    )


def test_moments_of_observations_have_an_axis_for_the_batch_there(tmp_path):
    normalizer = {"mean": torch.tensor([1.0, 2.0]), "var": torch.tensor([4.0, 9.0]), "count": torch.tensor(3)}
    ours = learned(**{f"inputs.normalizer.{name}": value for name, value in normalizer.items()})
    save_rsl_rl_checkpoint(tmp_path / "m.pt", ours, std_type="scalar")
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


def test_a_network_that_rsl_rl_does_not_have_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"got a parameter 'scale\.moments\.mean'.*kind that rsl_rl has"):
        save_rsl_rl_checkpoint(tmp_path / "m.pt", learned(**{"scale.moments.mean": torch.ones(1)}), std_type="scalar")
