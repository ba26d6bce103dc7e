import dataclasses
import re
import subprocess
import sys
import typing
from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from pydantic import Field

from fleetfoot.cli.arguments import COMMANDS, build_parser
from fleetfoot.cli.help import describe_fields, describe_type, describe_values, help_text
from fleetfoot.core.config import Count, UnitInterval, config, encode, field_docs, field_options
from fleetfoot.tasks.registry import all_tasks

AGENTS = [(task.name, agent) for task in all_tasks().values() for agent in task.agents]


def leaves(data, path: str):
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}")
    else:
        yield path


@pytest.mark.parametrize(("name", "agent"), AGENTS)
def test_every_field_is_listed_with_what_it_is_now(name, agent):
    task = all_tasks()[name]
    lines = help_text("train", task, agent).splitlines()
    shown = {line.strip().partition("=")[0] for line in lines if line.startswith("  ") and "=" in line}
    fields = [*leaves(encode(task.env_cfg()), "env"), *leaves(encode(task.agents[agent]()), "agent")]
    # A `kind` is shown where there is more than one to choose from.
    assert [field for field in fields if not field.endswith(".kind") and field not in shown] == []
    assert ("agent.algorithm.schedule.kind" in shown) != ("agent.algorithm.loss.kind" in shown)
    assert len(fields) > 30


def test_a_field_is_shown_with_its_value_type_range_unit_and_meaning():
    text = help_text("train", all_tasks()["Cartpole"], "ppo")
    assert "  env.effort_scale=100.0\n      number > 0. Force on the cart per unit of action [N].\n" in text
    assert (
        "  agent.actor.network.hidden_dims=[32,32]\n      list of integer >= 1. Width of each hidden layer.\n" in text
    )


@config
class NoneCfg:
    """Nothing happens.

    More of it.
    """

    kind: Literal["none"] = "none"


@config
class FallCfg:
    """It falls."""

    kind: Literal["fall"] = "fall"
    to: float = 0.5
    """Where to."""


@config
class WarmCfg:
    """Begin slowly."""

    steps: int = 3
    """How long."""


ChoiceCfg = Annotated[NoneCfg | FallCfg, Field(discriminator="kind")]


@config
class RatesCfg:
    chosen: ChoiceCfg = FallCfg(to=0.1)
    """How it goes on."""
    some: ChoiceCfg | None = NoneCfg()
    """What goes with it; null for nothing."""
    maybe: ChoiceCfg | None = None
    """What comes after; null for nothing."""
    on: WarmCfg | None = WarmCfg(steps=4)
    """What comes before."""
    off: WarmCfg | None = None
    """What came before that."""
    by_name: Mapping[str, FallCfg] = dataclasses.field(default_factory=dict)
    """Those that fall in another way."""


def test_choices_are_shown_by_their_kinds_with_the_fields_of_each_below_it():
    expected = """\
  x.chosen.kind=fall
      one of none, fall. Another one begins with its own defaults. How it goes
      on.
    kind=none
        Nothing happens.
    kind=fall (default)
        It falls.
      x.chosen.to=0.1
          number. Where to.
  x.some.kind=none
      one of none, fall. Another one begins with its own defaults. x.some=null
      for none. What goes with it; null for nothing.
    kind=none (default)
        Nothing happens.
    kind=fall
        It falls.
      x.some.to=0.5
          number. Where to.
  x.maybe=null
      null, or x.maybe.kind, one of none, fall. What comes after; null for
      nothing.
    kind=none
        Nothing happens.
    kind=fall
        It falls.
      x.maybe.to=0.5
          number. Where to.
  x.on
      the fields below, or null. What comes before.
    x.on.steps=4
        integer. How long.
  x.off=null
      null, or the fields below: setting one of them switches it on. What came
      before that.
    x.off.steps=3
        integer. How long.
  x.by_name={}
      mapping of text to {to}. Those that fall in another way.
"""
    assert "\n".join(describe_fields(RatesCfg(), "x", 80)) + "\n" == expected


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    for name, agent in AGENTS:
        lines = help_text("train", all_tasks()[name], agent, width).splitlines()
        ours = lines[next(number for number, line in enumerate(lines) if line.startswith("fields of")) :]
        assert [line for line in ours if len(line) > width] == []
        assert max(map(len, ours)) > width - 5


def test_what_can_be_remembered_is_shown_although_nothing_is():
    text = help_text("train", all_tasks()["Cartpole"], "ppo")
    (section,) = re.findall(r"  agent\.actor\.memory=null\n(.*?)\n  agent", text, re.DOTALL)
    assert re.findall("    kind=(.*)", section) == ["lstm", "gru", "attention"]
    assert "      agent.actor.memory.num_heads=4" in section.partition("kind=attention")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_is_listed(command):
    text = help_text(command, all_tasks()["Cartpole"], "ppo")
    flags = [option for action in build_parser(command)._actions for option in action.option_strings]
    assert all(flag in text for flag in flags)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Count, "integer >= 1"),
        (UnitInterval, "number >= 0 <= 1"),
        (float | None, "number or null"),
        (tuple[float, float], "[number, number]"),
        (tuple[int, ...], "list of integer"),
        (bool, "true or false"),
        (str, "text"),
        (dict[str, float], "mapping of text to number"),
    ],
)
def test_types_in_words(hint, words):
    assert describe_type(hint) == words


def test_help_imports_no_torch_and_no_simulator():
    code = """
import sys
from fleetfoot.cli.main import main
for words in ([], ["--version"], ["train", "--help"], ["play", "-h"], ["list_tasks"]):
    status = main(words)
    heavy = {"torch", "mujoco", "numpy", "matplotlib", "rich", "tensorboard"} & set(sys.modules)
    print("asked:", words, status, sorted(heavy))
"""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    asked = [line for line in said.stdout.splitlines() if line.startswith("asked: ")]
    assert len(asked) == 5
    assert [line for line in asked if not line.endswith(" 0 []")] == []


def undocumented(cls, path):
    """Fields of a config class, and of every class that a field of it may hold, that do not say what they mean."""
    hints = typing.get_type_hints(cls, include_extras=True)
    for item in dataclasses.fields(cls):
        inner = field_options(hints[item.name])
        for option in inner:
            yield from undocumented(option, f"{path}.{item.name}")
        # A config says in its own docstring what it is, and a `kind` is the name of such a config.
        meaning = re.sub(r"\[.*?\]", "", field_docs(cls).get(item.name, ""))
        if not inner and item.name != "kind" and not re.search(r"\w", meaning):
            yield f"{path}.{item.name}"


def test_every_field_says_what_it_means():
    for task in all_tasks().values():
        cfgs = {"env": task.env_cfg(), **{name: make() for name, make in task.agents.items()}}
        assert [line for name, cfg in cfgs.items() for line in undocumented(type(cfg), f"{task.name}: {name}")] == []


@config
class TerseCfg:
    unsaid: float = 1.0
    unit_only: float = 1.0
    """[m/s]"""
    said: float = 1.0
    """Speed [m/s]."""


@config
class OuterCfg:
    terse: TerseCfg | None = None


def test_a_field_that_does_not_is_found_also_where_it_is_switched_off():
    assert list(undocumented(OuterCfg, "env")) == ["env.terse.unsaid", "env.terse.unit_only"]


def test_plain_data_are_listed_by_their_paths():
    data = {"seed": None, "scene": {"num_envs": 4, "extra": {}}, "range": [0.5, 1], "on": True}
    assert describe_values(data, "env") == [
        "  env.seed=null", "  env.scene.num_envs=4", "  env.scene.extra={}", "  env.range=[0.5,1]", "  env.on=true",
    ]  # fmt: skip


def test_configs_of_another_kind_are_shown_as_their_simulator_says():
    class Theirs:
        """Configs that are no dataclasses of ours."""

        def fields(self, cfg):
            return {"scene": {"num_envs": cfg}}

    task = dataclasses.replace(all_tasks()["Cartpole"], env_cfg=lambda: 4096, cfgs=Theirs())
    text = help_text("train", task, "ppo")
    assert "\n  env.scene.num_envs=4096\n\n  agent.experiment_name=cartpole\n" in text


def test_every_simulator_is_named():
    sims = ("isaaclab", "mjlab", "gymnasium", "mujoco")
    text = " ".join(build_parser("train").format_help().split())
    assert all(sim in text.partition("what simulates a task")[2].partition("--device")[0] for sim in sims)
