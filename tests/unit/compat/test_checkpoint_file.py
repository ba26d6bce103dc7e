from pathlib import Path

import pytest
import torch

from fleetfoot.compat.checkpoint_file import Learned, read_checkpoint_file, write_checkpoint_file
from fleetfoot.errors import CheckpointError
from fleetfoot.runners.checkpoint import Checkpoint, save_checkpoint

OLD = Path(__file__).parents[2] / "data" / "rsl_rl" / "3.0.1-mlp.pt"


def saved(path, **content):
    torch.save(content, path)
    return path


def adam(*parameters, indices=None):
    state = {i: {"step": torch.tensor(1.0), "exp_avg": p, "exp_avg_sq": p} for i, p in enumerate(parameters)}
    return {"state": state, "param_groups": [{"lr": 0.5, "params": indices or list(range(len(parameters)))}]}


def test_names_of_version_3_become_those_of_version_5():
    learned = read_checkpoint_file(OLD)
    layers = [f"mlp.{i}.{kind}" for i in (0, 2, 4) for kind in ("weight", "bias")]
    normalizer = [f"obs_normalizer.{name}" for name in ("_mean", "_var", "_std", "count")]
    assert list(learned.networks["actor"]) == ["distribution.std_param", *layers, *normalizer]
    assert list(learned.networks["critic"]) == [*layers, *normalizer]
    trained = ["actor.distribution.std_param", *(f"{name}.{key}" for name in ("actor", "critic") for key in layers)]
    assert list(learned.moments) == trained
    for name, moments in learned.moments.items():
        network, _, key = name.partition(".")
        assert moments["exp_avg"].shape == learned.networks[network][key].shape


def test_student_and_teacher_of_version_3(tmp_path):
    keys = ("std", "memory_s.rnn.bias_hh_l0", "student.0.weight", "teacher.0.weight", "teacher_obs_normalizer._mean")
    model = {key: torch.full((1,), float(i)) for i, key in enumerate(keys)}
    optimizer = adam(*list(model.values())[:3], indices=[0, 1, 2, 3])
    path = saved(tmp_path / "m.pt", model_state_dict=model, optimizer_state_dict=optimizer, iter=4, infos=None)
    learned = read_checkpoint_file(path)
    assert {name: {k: v.item() for k, v in state.items()} for name, state in learned.networks.items()} == {
        "student": {"distribution.std_param": 0.0, "rnn.rnn.bias_hh_l0": 1.0, "mlp.0.weight": 2.0},
        "teacher": {"mlp.0.weight": 3.0, "obs_normalizer._mean": 4.0},
    }
    assert [name for name in learned.moments] == [f"student.{key}" for key in learned.networks["student"]]
    assert (learned.iteration, learned.learning_rate) == (5, 0.5)


def test_the_optimiser_of_a_distillation_has_the_student_only(tmp_path):
    student, teacher = {"mlp.0.weight": torch.ones(2)}, {"mlp.0.weight": torch.zeros(3)}
    learned = Learned(
        networks={"student": student, "teacher": teacher},
        moments={"student.mlp.0.weight": adam(torch.ones(2))["state"][0]},
        learning_rate=0.1,
        iteration=1,
    )
    write_checkpoint_file(tmp_path / "d.pt", learned)
    content = torch.load(tmp_path / "d.pt", weights_only=True)
    assert set(content) == {"student_state_dict", "teacher_state_dict", "optimizer_state_dict", "iter", "infos"}
    assert content["optimizer_state_dict"]["param_groups"][0]["params"] == [0]
    assert read_checkpoint_file(tmp_path / "d.pt").moments.keys() == learned.moments.keys()


def test_parameters_are_written_in_the_order_of_their_optimiser(tmp_path):
    keys = ("mlp.0.weight", "rnn.rnn.bias_hh_l0", "obs_normalizer._mean", "distribution.std_param")
    state = {key: torch.full((1,), float(i)) for i, key in enumerate(keys)}
    moments = {f"actor.{key}": adam(value)["state"][0] for key, value in state.items() if not key.endswith("_mean")}
    write_checkpoint_file(
        tmp_path / "m.pt", Learned(networks={"actor": state}, moments=moments, learning_rate=0.1, iteration=7)
    )
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    assert list(content["actor_state_dict"]) == [keys[2], keys[3], keys[0], keys[1]]
    firsts = [content["optimizer_state_dict"]["state"][i]["exp_avg"].item() for i in range(3)]
    assert firsts == [3.0, 0.0, 1.0]
    assert content["iter"] == 6


def test_another_optimiser_is_left_out(tmp_path):
    model = {"actor_state_dict": {"mlp.0.weight": torch.ones(1)}, "critic_state_dict": {}}
    sgd = {"state": {0: {"momentum_buffer": torch.ones(1)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    more = {"optimizer_state_dict": sgd, "rnd_state_dict": {}, "iter": 0, "infos": None}
    learned = read_checkpoint_file(saved(tmp_path / "m.pt", **model, **more))
    assert learned.moments == {}
    assert set(learned.left_out) == {"optimizer_state_dict", "rnd_state_dict"}


def test_curiosity_has_an_optimiser_of_its_own(tmp_path):
    rnd = {"predictor.0.bias": torch.ones(2), "target.0.bias": torch.zeros(2), "state_normalizer.count": torch.ones(1)}
    learned = Learned(
        networks={"actor": {"mlp.0.bias": torch.ones(1)}, "critic": {}, "rnd": rnd},
        moments={"rnd.predictor.0.bias": adam(torch.full((2,), 3.0))["state"][0]},
        learning_rate=0.5,
        iteration=1,
        rnd_learning_rate=0.25,
    )
    write_checkpoint_file(tmp_path / "m.pt", learned)
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    own = content["rnd_optimizer_state_dict"]
    assert content["rnd_state_dict"].keys() == rnd.keys()
    assert (own["param_groups"][0]["params"], own["param_groups"][0]["lr"]) == ([0], 0.25)
    assert content["optimizer_state_dict"]["state"] == {}
    again = read_checkpoint_file(tmp_path / "m.pt")
    assert list(again.networks["rnd"]) == list(rnd)
    assert again.moments["rnd.predictor.0.bias"]["exp_avg"].tolist() == [3.0, 3.0]
    assert (again.rnd_learning_rate, again.left_out) == (0.25, ())


def test_encoders_that_are_shared_are_twice_in_the_optimiser(tmp_path):
    """As torch writes a parameter that it was given twice: one number, in two places."""
    networks = {
        "actor": {"mlp.0.bias": torch.ones(1), "cnns.eye.0.bias": torch.ones(2)},
        "critic": {"mlp.0.bias": torch.ones(1), "cnns.eye.0.bias": torch.ones(2)},
    }
    names = ("actor.mlp.0.bias", "actor.cnns.eye.0.bias", "critic.mlp.0.bias")
    moments = {name: adam(torch.full((1,), float(i)))["state"][0] for i, name in enumerate(names)}
    learned = Learned(networks=networks, moments=moments, learning_rate=0.5, iteration=1, shares_encoders=True)
    write_checkpoint_file(tmp_path / "m.pt", learned)
    optimizer = torch.load(tmp_path / "m.pt", weights_only=True)["optimizer_state_dict"]
    assert optimizer["param_groups"][0]["params"] == [0, 1, 2, 1]
    assert [optimizer["state"][i]["exp_avg"].item() for i in range(3)] == [0.0, 1.0, 2.0]
    again = read_checkpoint_file(tmp_path / "m.pt")
    assert again.shares_encoders
    assert {name: state["exp_avg"].item() for name, state in again.moments.items()} == dict(
        zip(names, (0, 1, 2), strict=True)
    )


def test_an_optimiser_of_other_parameters_is_left_out(tmp_path):
    model = {"actor_state_dict": {"mlp.0.weight": torch.ones(1), "extra.weight": torch.ones(1)}}
    optimizer = adam(torch.ones(1))
    learned = read_checkpoint_file(
        saved(tmp_path / "m.pt", **model, optimizer_state_dict=optimizer, iter=0, infos=None)
    )
    assert (learned.moments, learned.left_out) == ({}, ("optimizer_state_dict",))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pt: got no file; expected a checkpoint of rsl_rl"):
        read_checkpoint_file(tmp_path / "none.pt")


def test_a_file_with_code_in_it_is_not_run(tmp_path):
    path = tmp_path / "evil.pt"
    torch.save({"model_state_dict": {}, "infos": Path("x")}, path)
    with pytest.raises(
        CheckpointError, match=r"evil\.pt: got a file that cannot be read.*Only tensors and plain values"
    ):
        read_checkpoint_file(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "half.pt"
    path.write_bytes(OLD.read_bytes()[:3000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint_file(path)


def test_a_checkpoint_of_ours_is_none_of_theirs(tmp_path):
    save_checkpoint(tmp_path / "ours.pt", Checkpoint(metadata={}, state={}))
    with pytest.raises(CheckpointError, match=r"got a file with \['format', .*expected a checkpoint of rsl_rl"):
        read_checkpoint_file(tmp_path / "ours.pt")


def test_a_parameter_of_an_unknown_network_is_named(tmp_path):
    model = {"std": torch.ones(1), "estimator.0.weight": torch.ones(1)}
    path = saved(tmp_path / "m.pt", model_state_dict=model, optimizer_state_dict=adam(), iter=0, infos=None)
    with pytest.raises(CheckpointError, match=r"got a parameter 'estimator\.0\.weight'"):
        read_checkpoint_file(path)
