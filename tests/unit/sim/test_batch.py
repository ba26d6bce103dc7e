"""MuJoCo's batch behind the simulator interface: a bead on a wire is simple enough to compute by hand."""

from __future__ import annotations

import math

import mujoco
import pytest
import torch

from fleetfoot.core.threads import share_cpus, usable_cpus
from fleetfoot.errors import ConfigError, ContractError
from fleetfoot.sim.batch import MujocoBatch

BEAD = """
<mujoco>
  <option timestep="0.01" integrator="Euler" gravity="0 0 0"/>
  <worldbody>
    <body name="bead"><joint name="x" type="slide" axis="1 0 0"/><geom size="0.1" mass="2"/></body>
  </worldbody>
  <actuator><motor joint="x"/></actuator>
  <sensor><jointpos name="where" joint="x"/><jointvel name="how_fast" joint="x"/></sensor>
</mujoco>
"""


def make(num_envs: int = 3) -> MujocoBatch:
    return MujocoBatch(mujoco.MjModel.from_xml_string(BEAD), num_envs, num_threads=1)


def test_there_are_as_many_threads_as_cpus_that_may_be_used() -> None:
    model = mujoco.MjModel.from_xml_string(BEAD)
    assert MujocoBatch(model, 64).batch.nthread == usable_cpus()
    assert MujocoBatch(model, 64, num_threads=1).batch.nthread == 1
    with share_cpus(usable_cpus()):
        assert MujocoBatch(model, 64).batch.nthread == 1


def test_force_accelerates_mass() -> None:
    sim = make()
    assert sim.step(torch.tensor([[0.0], [4.0], [-4.0]]), 1) is None
    torch.testing.assert_close(sim.state.qacc[:, 0], torch.tensor([0.0, 2.0, -2.0]))
    torch.testing.assert_close(sim.state.qvel[:, 0], torch.tensor([0.0, 0.02, -0.02]))
    torch.testing.assert_close(sim.state.qpos[:, 0], torch.tensor([0.0, 2e-4, -2e-4]))


def test_derived_values_are_of_the_last_substep() -> None:
    sim = make()
    sim.step(torch.full((3, 1), 2.0), 2)
    torch.testing.assert_close(sim.state.qvel[:, 0], torch.full((3,), 0.02))
    how_fast = sim.state.sensordata[:, sim.sensor_columns("how_fast")]
    torch.testing.assert_close(how_fast, torch.full((3, 1), 0.01))


def test_each_environment_has_its_own_mass() -> None:
    sim = make(2)
    mass = torch.tensor([[0.0, 1.0], [0.0, 4.0]], dtype=torch.float64)
    sim.write_fields({"body_mass": mass})
    sim.step(torch.full((2, 1), 4.0), 1)
    torch.testing.assert_close(sim.state.qacc[:, 0], torch.tensor([4.0, 1.0]))


def test_fields_of_another_shape_are_refused() -> None:
    with pytest.raises(ContractError, match=r"write_fields\('body_mass'\): got \(3,\)"):
        make().write_fields({"body_mass": torch.ones(3)})


def test_written_state_has_no_past() -> None:
    sim = make()
    sim.step(torch.ones(3, 1), 4)
    sim.write_state(torch.tensor([1]), torch.tensor([[0.5]]), torch.tensor([[-1.0]]))
    shot = sim.snapshot(1)
    assert (shot["qpos"], shot["qvel"], shot["time"]) == ([0.5], [-1.0], 0.0)
    assert sim.snapshot(0)["time"] == pytest.approx(0.04)
    assert sim.state.qpos[1] == 0.5


def test_push_adds_to_the_velocity() -> None:
    sim = make()
    sim.add_velocity(torch.tensor([2]), torch.tensor([[0.25]]))
    sim.step(torch.zeros(3, 1), 1)
    torch.testing.assert_close(sim.state.qvel[:, 0], torch.tensor([0.0, 0.0, 0.25]))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_controls_that_are_no_numbers_fail_only_their_environment(bad: float) -> None:
    sim = make()
    failed = sim.step(torch.tensor([[1.0], [bad], [1.0]]), 1)
    assert failed is not None
    assert failed.tolist() == [1]
    assert sim.state.qvel.isfinite().all()
    assert sim.step(torch.zeros(3, 1), 1) is None


def test_a_simulation_that_explodes_is_reported_until_it_is_written() -> None:
    sim = make()
    sim.write_state(torch.tensor([0]), torch.zeros(1, 1), torch.tensor([[1e6]]))
    failed = sim.step(torch.zeros(3, 1), 1)
    assert failed is not None
    assert failed.tolist() == [0]
    sim.write_state(failed, torch.zeros(1, 1), torch.zeros(1, 1))
    assert sim.step(torch.zeros(3, 1), 1) is None


def test_a_state_continues_bit_for_bit() -> None:
    sim = make()
    sim.write_fields({"body_mass": torch.tensor([[0.0, 1.0], [0.0, 3.0], [0.0, 7.0]], dtype=torch.float64)})
    sim.step(torch.rand(3, 1), 3)
    other = make()
    other.load_state_dict(sim.state_dict())
    controls = torch.rand(3, 1)
    sim.step(controls, 5)
    other.step(controls, 5)
    assert torch.equal(torch.from_numpy(sim.batch.state), torch.from_numpy(other.batch.state))


def test_unknown_sensor_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="where, how_fast"):
        make().sensor_columns("whree")


def test_the_device_has_the_name_that_its_tensors_give() -> None:
    sim = MujocoBatch(mujoco.MjModel.from_xml_string(BEAD), 1, num_threads=1, device="cpu:0")
    assert sim.device == sim.state.qpos.device


def test_a_closed_simulator_cannot_be_stepped() -> None:
    sim = make()
    sim.close()
    with pytest.raises(ContractError, match=r"close\(\)"):
        sim.step(torch.zeros(3, 1), 1)
