"""Two ranks train: what each does, what they agree on, and what one of them writes."""

from pathlib import Path

import pytest
import torch

from fleetfoot.algorithms.config import AdaptiveKlCfg, PpoCfg, SymmetryCfg
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.models.config import ActorCfg, CriticCfg, MlpCfg
from fleetfoot.runners.checkpoint import load_checkpoint
from fleetfoot.runners.config import OnPolicyRunnerCfg
from fleetfoot.runners.on_policy import OnPolicyRunner

pytestmark = pytest.mark.slow
SMALL = MlpCfg(hidden_dims=(8,))
CFG = OnPolicyRunnerCfg(
    experiment_name="toy",
    num_steps_per_env=6,
    save_interval=2,
    algorithm=PpoCfg(num_learning_epochs=2, num_mini_batches=2, schedule=AdaptiveKlCfg(), symmetry=SymmetryCfg()),
    actor=ActorCfg(network=SMALL, obs_normalization=True),
    critic=CriticCfg(network=SMALL, obs_normalization=True),
)


@pytest.fixture(scope="module")
def both(as_two_ranks, tmp_path_factory):
    """What two ranks found, of which each had four environments."""
    given = tmp_path_factory.mktemp("given")
    torch.save(CFG, given / "cfg.pt")
    alone = OnPolicyRunner(ToyEnv(4), CFG)
    alone.learn(2)
    alone.save(given / "alone.pt")
    words = (str(given / "cfg.pt"), str(given / "alone.pt"))
    return [
        {**found, "alone": given / "alone.pt"}
        for found in as_two_ranks(Path(__file__).with_name("together.py"), *words)
    ]


@pytest.fixture(scope="module")
def trained(both):
    return [found["trained"] for found in both]


def test_both_have_the_same_networks_and_rate_and_other_environments(trained):
    one, other = trained
    for name, parameters in one["networks"].items():
        assert all(torch.equal(x, other["networks"][name][key]) for key, x in parameters.items())
    assert torch.equal(one["rate"], other["rate"])
    assert not torch.equal(one["x"], other["x"])


def test_everything_is_counted_on_all_ranks(trained):
    assert [found["counts"] for found in trained] == [(4, 4 * 6 * 8)] * 2
    one, _ = trained
    assert one["reports"] == [48, 96, 144, 192]
    assert one["num_envs"] == 8
    assert all(fps == pytest.approx(48 / seconds) for fps, seconds in one["fps"])


def test_both_know_what_either_says(trained):
    for found in trained:
        assert found["scalars"]["Metrics/rank"] == 0.5
        assert found["scalars"]["Metrics/second"] == 1.0
    shared = [{k: v for k, v in found["scalars"].items() if not k.startswith("Perf/")} for found in trained]
    assert shared[0] == shared[1]


def test_only_the_first_writes(trained, both):
    _, other = trained
    assert other["reports"] == []
    assert other["num_envs"] is None
    folder = both[0]["folder"] / "whole" / "checkpoints"
    assert {path.name for path in folder.iterdir()} == {"best.pt", "model_2.pt", "model_4.pt"}


@pytest.mark.parametrize("names", [("whole.pt", "halves.pt"), ("distilled.pt", "distilled_in_halves.pt")])
def test_stopping_in_the_middle_changes_no_bit_on_either(both, names):
    folder = both[0]["folder"]
    whole, halves = (load_checkpoint(folder / name).state for name in names)
    assert len(whole["ranks"]) == 2
    assert not torch.equal(*(own["environment"]["x"] for own in whole["ranks"]))
    for name in ("seconds", "best_reward"):  # only a run with a folder looks for its best checkpoint
        del whole[name], halves[name]
    assert differing(whole, halves) == []


def differing(one, other, path="") -> list[str]:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return [found for key in one for found in differing(one[key], other[key], f"{path}/{key}")]
    if isinstance(one, (list, tuple)):
        return [
            found for i, (x, y) in enumerate(zip(one, other, strict=True)) for found in differing(x, y, f"{path}/{i}")
        ]
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if same else [path]


def test_what_is_random_is_each_ones_own(both):
    folder = both[0]["folder"]
    one, other = (own["algorithm"] for own in load_checkpoint(folder / "whole.pt").state["ranks"])
    for name in ("exploration", "shuffling"):
        assert not torch.equal(one[name], other[name])
    assert not torch.equal(*(own["extensions"]["symmetry"]["generator"] for own in (one, other)))
    one, other = (own["algorithm"]["generators"] for own in load_checkpoint(folder / "distilled.pt").state["ranks"])
    for name in ("exploration", "shuffling", "mixing"):
        assert not torch.equal(one[name], other[name])


def test_both_distil_the_same_student_of_the_same_teacher(both):
    one, other = (found["distilled"] for found in both)
    for name, parameters in one.items():
        assert all(torch.equal(x, other[name][key]) for key, x in parameters.items())
    teacher = load_checkpoint(both[0]["alone"]).state["algorithm"]["actor"]
    assert all(torch.equal(x, teacher[key]) for key, x in one["teacher"].items())


def test_the_run_of_another_number_of_ranks_goes_on_with_new_episodes(both):
    for found in both:
        assert found["other"]["at"] == 3
        assert found["other"]["said"] == ["ranks: 2 now, 1 when the checkpoint was saved. The episodes begin afresh."]
    assert not torch.equal(*(found["other"]["exploration"] for found in both))
    assert not torch.equal(*(found["other"]["mirroring"] for found in both))


def test_what_one_has_written_is_there_for_both_and_what_it_could_not_is_an_error_on_both(both):
    path = str(both[0]["folder"] / "at_once.pt" / "below_a_file.pt")
    assert [found["at once"] for found in both] == [(1, path)] * 2


def test_a_request_on_one_stops_both_after_the_same_iteration(both):
    assert [found["stopped"] for found in both] == [3, 3]


def test_nan_on_one_is_an_error_on_both(both):
    one, other = (found["bad"] for found in both)
    assert one == other
    assert one.startswith("iteration 2: got NaN or infinity in reward (8)")  # two environments, four of six steps


def test_ranks_of_different_sizes_are_refused(both):
    assert [found["unlike"] for found in both] == [
        "env.scene.num_envs: got [4, 5] on the ranks; expected as many on each."
    ] * 2
