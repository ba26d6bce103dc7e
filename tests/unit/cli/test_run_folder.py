import re
from dataclasses import replace

import pytest
import yaml

from fleetfoot.cli.arguments import parse
from fleetfoot.cli.plan import make_plan
from fleetfoot.cli.run_folder import new_run_folder, run_folder_of, write_params
from fleetfoot.core.config import decode
from fleetfoot.errors import OutputError


@pytest.fixture
def plan(tmp_path):
    return make_plan(parse("train", ["--task", "Cartpole", "--log_root", str(tmp_path / "logs")]))


def test_a_run_is_called_by_its_time_and_name(plan, tmp_path):
    named = replace(plan, agent_cfg=replace(plan.agent_cfg, run_name="try"))
    folder = new_run_folder(named)
    assert folder.is_dir()
    assert folder.parent == tmp_path / "logs" / "cartpole"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_try", folder.name)


def test_runs_that_begin_together_have_folders_of_their_own(plan):
    assert len({new_run_folder(plan) for _ in range(5)}) == 5


def test_both_configs_are_written_and_read_back(plan):
    folder = new_run_folder(plan)
    write_params(folder, plan)
    for name, cfg in (("env", plan.env_cfg), ("agent", plan.agent_cfg)):
        data = yaml.safe_load((folder / "params" / f"{name}.yaml").read_text())
        assert decode(type(cfg), data, where=name) == cfg


@pytest.mark.parametrize("below", ["checkpoints/model_3.pt", "best.pt"])
def test_a_checkpoint_lies_in_its_run(tmp_path, below):
    assert run_folder_of(tmp_path / "run" / below) == tmp_path / "run"


def test_a_file_in_the_way_is_named(plan, tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(OutputError) as caught:
        new_run_folder(plan)
    assert str(caught.value).startswith(f"{tmp_path}/logs/cartpole/")
    assert str(caught.value).endswith(
        "got Not a directory; expected a folder that can be written. "
        "Choose another place with --log_root, or make room."
    )


def test_params_that_cannot_be_written_are_named(plan):
    folder = new_run_folder(plan)
    (folder / "params").write_text("a file")
    with pytest.raises(OutputError, match=f"^{folder}/params: got "):
        write_params(folder, plan)
