import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field

import fleetfoot.algorithms.config
import fleetfoot.models.config
import fleetfoot.runners.config
import fleetfoot.sim.config
import fleetfoot.tasks.cartpole
import fleetfoot.tasks.cartpole_camera
import fleetfoot.tasks.velocity.config
from fleetfoot.algorithms.config import AdaptiveKlCfg, FixedCfg, GammaWarmupCfg, PpoCfg, RndCfg
from fleetfoot.core.config import (
    Count,
    PositiveFloat,
    UnitInterval,
    apply_overrides,
    config,
    decode,
    encode,
    field_options,
    nearest,
)
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import ActorCfg, BetaCfg, GaussianCfg, MlpCfg, SquashedGaussianCfg
from fleetfoot.runners.config import OnPolicyRunnerCfg

MODULES = (
    fleetfoot.algorithms.config,
    fleetfoot.models.config,
    fleetfoot.runners.config,
    fleetfoot.sim.config,
    fleetfoot.tasks.cartpole,
    fleetfoot.tasks.cartpole_camera,
    fleetfoot.tasks.velocity.config,
)
CONFIG_CLASSES = sorted(
    {
        cls
        for module in MODULES
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if dataclasses.is_dataclass(cls) and hasattr(cls, "__pydantic_fields__")
    },
    key=lambda cls: (cls.__module__, cls.__name__),
)
AGENT = OnPolicyRunnerCfg(experiment_name="toy")


@config
class WaveCfg:
    kind: Literal["wave"] = "wave"
    height: PositiveFloat = 1.0


@config
class FlatCfg:
    kind: Literal["flat"] = "flat"


@config
class SkyCfg:
    """A choice that may be switched off."""

    weather: Annotated[FlatCfg | WaveCfg, Field(discriminator="kind")] | None = None


@config
class WorldCfg:
    """One field of each form that our configs use."""

    ground: Annotated[FlatCfg | WaveCfg, Field(discriminator="kind")] = FlatCfg()
    share: UnitInterval = 0.5
    count: Count = 3
    limit: PositiveFloat | None = 2.0
    pair: tuple[float, float] = (0.0, 1.0)
    sizes: tuple[Count, ...] = (4, 5)
    weights: typing.Mapping[str, float] = dataclasses.field(default_factory=lambda: {"a": 1.0})
    label: str = "x"
    flag: bool = True


# --- values of every config class, drawn from the types of its fields


def limits_of(metadata) -> dict[str, float]:
    found = {}
    for meta in metadata:
        for constraint in getattr(meta, "metadata", [meta]):
            for name in ("ge", "gt", "le", "lt", "min_length", "pattern"):
                if getattr(constraint, name, None) is not None:
                    found[name] = getattr(constraint, name)
    return found


def numbers(hint, limits) -> st.SearchStrategy:
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if hint is int:
        return st.integers(-(10**6) if low is None else int(low) + ("gt" in limits), 10**9 if high is None else high)
    return st.floats(
        min_value=-1e9 if low is None else float(low),
        max_value=1e9 if high is None else float(high),
        exclude_min="gt" in limits,
        exclude_max="lt" in limits,
    )


def values(hint, limits=types.MappingProxyType({})) -> st.SearchStrategy:
    """Any value that a field of this type accepts."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        drawn = values(arguments[0], limits_of(arguments[1:]))
        checks = [meta.func for meta in arguments[1:] if isinstance(meta, AfterValidator)]
        if checks and typing.get_origin(arguments[0]) is tuple:
            drawn = drawn.map(lambda bounds: tuple(sorted(bounds)))
        return drawn.filter(lambda value: all(is_accepted(check, value) for check in checks))
    if origin is not None:
        return composed(origin, arguments, limits.get("min_length", 0))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        return st.builds(hint, **{name: values(field) for name, field in hints.items()})
    if hint in (int, float):
        return numbers(hint, limits)
    if hint is str:
        return st.from_regex("[a-z0-9_.-]{1,12}", fullmatch=True) if limits else st.text(max_size=12)
    return {bool: st.booleans(), type(None): st.none()}[hint]


def is_accepted(check, value) -> bool:
    try:
        check(value)
    except ValueError:
        return False
    return True


def composed(origin, arguments, min_size: int) -> st.SearchStrategy:
    """Any value of a type that is made of others."""
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([values(argument) for argument in arguments])
    if origin is Mapping:
        return st.dictionaries(*map(values, arguments), min_size=min_size, max_size=4)
    assert origin is tuple
    if Ellipsis in arguments:
        return st.lists(values(arguments[0]), min_size=min_size, max_size=4).map(tuple)
    return st.tuples(*map(values, arguments))


@pytest.mark.parametrize(
    "cls", CONFIG_CLASSES, ids=lambda cls: f"{cls.__module__.removeprefix('fleetfoot.')}.{cls.__name__}"
)
def test_what_is_written_down_reads_back_equal(cls):
    @settings(max_examples=12, deadline=None)  # for each class, and many hold the same parts
    @given(values(cls))
    def check(cfg):
        assert decode(cls, encode(cfg), where="cfg") == cfg

    check()


def test_every_config_class_is_among_those_tried():
    names = {cls.__name__ for cls in CONFIG_CLASSES}
    assert names >= {"PpoCfg", "AdaptiveKlCfg", "GaussianCfg", "OnPolicyRunnerCfg", "CartpoleEnvCfg", "VelocityEnvCfg"}


def test_the_written_form_is_plain_data():
    assert encode(AdaptiveKlCfg()) == {
        "kind": "adaptive_kl",
        "desired_kl": 0.01,
        "factor": 1.5,
        "min_learning_rate": 1e-05,
        "max_learning_rate": 0.01,
    }
    assert encode(MlpCfg(hidden_dims=(8, 4)))["hidden_dims"] == [8, 4]


def test_fields_that_are_left_out_have_their_defaults():
    assert decode(MlpCfg, {"hidden_dims": [8]}, where="x") == MlpCfg(hidden_dims=(8,), activation="elu")


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        AGENT.seed = 3


def test_fields_are_given_by_name_only():
    with pytest.raises(ValueError, match="positional"):
        MlpCfg((8, 8))


def test_a_config_made_in_python_is_checked_too():
    with pytest.raises(ValueError, match="greater than 0"):
        PpoCfg(learning_rate=-1.0)


# --- overrides


def overridden(text: str, cfg=None, where: str = "agent"):
    path, _, value = text.partition("=")
    return apply_overrides(cfg or AGENT, {path: value}, where=where)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("share=0.25", 0.25),
        ("share=1e-2", 0.01),
        ("count=7", 7),
        ("limit=null", None),
        ("limit=3", 3.0),
        ("pair=[-1, 2.5]", (-1.0, 2.5)),
        ("sizes=[7]", (7,)),
        ("sizes=[]", ()),
        ("flag=false", False),
        ("label=some words", "some words"),
        ("weights={b: 2}", {"b": 2.0}),
    ],
)
def test_a_value_is_read_as_its_field_wants_it(text, expected):
    assert getattr(overridden(text, WorldCfg(), "env"), text.partition("=")[0]) == expected


@pytest.mark.parametrize("text", ["2024", "007", "1e3", "no", "null", "2024-01-31", "[1]", "a: b", "", "{"])
def test_text_stays_the_text_that_was_typed(text):
    assert overridden(f"label={text}", WorldCfg(), "env").label == text


def test_a_path_reaches_into_nested_configs():
    cfg = overridden("actor.network.hidden_dims=[32, 16]")
    assert cfg.actor.network == MlpCfg(hidden_dims=(32, 16))
    assert cfg.critic == AGENT.critic


def test_an_entry_of_a_mapping_is_set_or_added():
    cfg = apply_overrides(WorldCfg(), {"weights.a": "3", "weights.b": "4"}, where="env")
    assert cfg.weights == {"a": 3.0, "b": 4.0}


def test_the_config_overridden_stays_as_it_was():
    before = encode(AGENT)
    overridden("algorithm.gamma=0.5")
    assert encode(AGENT) == before


def test_a_kind_switches_to_another_member_with_its_defaults():
    assert overridden("algorithm.schedule.kind=fixed").algorithm.schedule == FixedCfg()


def test_the_distribution_of_actions_is_chosen_by_its_kind():
    assert overridden("actor.distribution.kind=beta").actor.distribution == BetaCfg()
    typed = {"actor.distribution.kind": "squashed_gaussian", "actor.distribution.action_range": "[-2, 2]"}
    cfg = apply_overrides(AGENT, typed, where="agent")
    assert cfg.actor.distribution == SquashedGaussianCfg(action_range=(-2.0, 2.0))


def test_naming_the_kind_that_is_there_keeps_its_fields():
    cfg = WorldCfg(ground=WaveCfg(height=3.0))
    assert overridden("ground.kind=wave", cfg, "env").ground == WaveCfg(height=3.0)


@pytest.mark.parametrize("order", [("ground.kind", "ground.height"), ("ground.height", "ground.kind")])
def test_fields_of_the_kind_that_is_chosen_can_be_set_with_it(order):
    typed = {"ground.kind": "wave", "ground.height": "0.5"}
    assert apply_overrides(WorldCfg(), {path: typed[path] for path in order}, where="env").ground == WaveCfg(height=0.5)


def test_a_field_of_a_kind_that_is_left_behind_is_refused():
    with pytest.raises(ConfigError, match=r"ground\.height: got an unknown field"):
        apply_overrides(WorldCfg(ground=WaveCfg()), {"ground.height": "2", "ground.kind": "flat"}, where="env")


def test_a_whole_config_is_set_as_a_mapping():
    cfg = overridden("algorithm.schedule={kind: adaptive_kl, desired_kl: 0.03}")
    assert cfg.algorithm.schedule == AdaptiveKlCfg(desired_kl=0.03)


@pytest.mark.parametrize("below", ["algorithm.gamma", "algorithm.schedule.factor", "actor.network.activation"])
def test_a_path_below_what_was_just_replaced_by_a_number_is_refused(below):
    above = below.rpartition(".")[0]
    with pytest.raises(ConfigError, match=rf"^agent\.{above}: got a path below it"):
        apply_overrides(AGENT, {above: "3", below: "4"}, where="agent")


def test_an_entry_of_a_mapping_may_be_called_kind():
    assert overridden("weights.kind=2", WorldCfg(), "env").weights == {"a": 1.0, "kind": 2.0}


# --- messages

LIKELY_MISTAKES = {
    "algorithm.gama=0.9": "agent.algorithm.gama: got an unknown field; expected a field of agent.algorithm. "
    "Did you mean 'gamma'?",
    "algorithm.gamma=1.5": "agent.algorithm.gamma: got 1.5; expected less than or equal to 1.",
    "algorithm.learning_rate=0": "agent.algorithm.learning_rate: got 0; expected greater than 0.",
    "algorithm.learning_rate=fast": 'agent.algorithm.learning_rate: got "fast"; expected a valid number, '
    "unable to parse string as a number.",
    "max_iterations=many": 'agent.max_iterations: got "many"; expected a valid integer.',
    "max_iterations=0": "agent.max_iterations: got 0; expected greater than or equal to 1.",
    "actor.network.hidden_dims=128": "agent.actor.network.hidden_dims: got 128; expected a valid tuple.",
    "actor.network.hidden_dims=[128, x]": 'agent.actor.network.hidden_dims[1]: got "x"; expected a valid integer.',
    "actor.network.activation=swish": 'agent.actor.network.activation: got "swish"; expected '
    "'elu', 'selu', 'relu', 'celu', 'leaky_relu', 'tanh', 'sigmoid', 'softplus', 'gelu', 'silu', 'mish' or 'identity'.",
    "algorithm.schedule.kind=adaptive": "agent.algorithm.schedule.kind: got 'adaptive'; "
    "expected one of 'fixed', 'step', 'linear', 'adaptive_kl'. Did you mean 'adaptive_kl'?",
    "actor.distribution.kind=normal": "agent.actor.distribution.kind: got 'normal'; expected one of 'gaussian', "
    "'state_dependent_gaussian', 'beta', 'squashed_gaussian'. Known: beta, gaussian, squashed_gaussian, "
    "state_dependent_gaussian.",
    "seed.x=3": "agent.seed: got a path below it ('x'); expected no further path: it is a plain value.",
    "run_name=a/b": "agent.run_name: got \"a/b\"; expected text of the form '^[\\w.-]*$'.",
}


@pytest.mark.parametrize("text", LIKELY_MISTAKES, ids=lambda text: text)
def test_a_likely_mistake_gets_this_message(text):
    with pytest.raises(ConfigError) as caught:
        overridden(text)
    assert str(caught.value) == LIKELY_MISTAKES[text]


def test_the_first_problem_in_a_file_is_named_with_its_path():
    data = encode(AGENT)
    data["algorithm"]["schedule"]["factor"] = 0.5
    with pytest.raises(ConfigError) as caught:
        decode(OnPolicyRunnerCfg, data, where="agent")
    assert str(caught.value) == "agent.algorithm.schedule.factor: got 0.5; expected greater than 1."


def test_an_unknown_field_in_a_file_is_refused():
    with pytest.raises(ConfigError, match=r"x\.hidden_dimensions: got an unknown field"):
        decode(MlpCfg, {"hidden_dimensions": [3]}, where="x")


def test_a_required_field_that_is_missing_is_named():
    with pytest.raises(ConfigError, match=r"^agent\.experiment_name: got nothing; expected "):
        decode(OnPolicyRunnerCfg, {}, where="agent")


@pytest.mark.parametrize(
    "value", ["os.system", "fleetfoot.models.mlp.Mlp", {"class_name": "os.system"}, "!!python/name:os.system"]
)
def test_no_code_can_be_named_in_data(value):
    with pytest.raises(ConfigError):
        decode(ActorCfg, {"network": value}, where="agent.actor")


def test_a_yaml_tag_that_would_make_an_object_is_only_text(tmp_path):
    trap = tmp_path / "trap"
    with pytest.raises(ConfigError):
        overridden(f"seed=!!python/object/apply:os.mkdir ['{trap}']")
    assert not trap.exists()


def test_nearest_offers_what_is_close_and_else_lists_all():
    assert nearest("gama", ["gamma", "lam"]) == "Did you mean 'gamma'?"
    assert nearest("zzz", ["lam", "gamma"]) == "Known: gamma, lam."


def test_the_members_of_a_union_are_found():
    assert field_options(Annotated[FlatCfg | WaveCfg, Field(discriminator="kind")]) == [FlatCfg, WaveCfg]
    assert field_options(GaussianCfg) == [GaussianCfg]
    assert field_options(float | None) == []


def test_a_field_of_what_is_switched_off_switches_it_on():
    assert PpoCfg().gamma_warmup is None
    cfg = apply_overrides(PpoCfg(), {"gamma_warmup.start": "0.9"}, where="algorithm")
    assert cfg.gamma_warmup == GammaWarmupCfg(start=0.9)


def test_a_kind_switches_a_choice_on():
    typed = {"weather.height": "0.5", "weather.kind": "wave"}
    assert apply_overrides(SkyCfg(), typed, where="sky").weather == WaveCfg(height=0.5)
    assert apply_overrides(SkyCfg(weather=WaveCfg()), {"weather": "null"}, where="sky").weather is None


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            {"weather.height": "0.5"},
            "sky.weather.kind: got null; expected one of flat, wave. Set sky.weather.kind as well.",
        ),
        ({"weather.kind": "wove"}, "sky.weather.kind: got 'wove'; expected one of flat, wave. Did you mean 'wave'?"),
    ],
)
def test_a_choice_that_is_off_is_not_guessed(typed, message):
    with pytest.raises(ConfigError) as error:
        apply_overrides(SkyCfg(), typed, where="sky")
    assert str(error.value) == message


def test_several_fields_of_what_is_switched_off_are_all_set():
    cfg = apply_overrides(PpoCfg(), {"gamma_warmup.start": "0.9", "gamma_warmup.begin": "7"}, where="algorithm")
    assert cfg.gamma_warmup == GammaWarmupCfg(start=0.9, begin=7)
    whole = {"rnd": "{weight: 3}", "rnd.learning_rate": "1e-4", "rnd.predictor.activation": "tanh"}
    cfg = apply_overrides(PpoCfg(), whole, where="algorithm")
    assert cfg.rnd == RndCfg(weight=3.0, learning_rate=1e-4, predictor=MlpCfg(activation="tanh"))


def test_an_entry_of_a_mapping_that_is_set_with_it_is_set():
    weights = {"reward_groups": "{goal: 1, effort: 1}", "reward_groups.effort": "0.5"}
    assert apply_overrides(PpoCfg(), weights, where="algorithm").reward_groups == {"goal": 1.0, "effort": 0.5}


def test_an_entry_of_a_mapping_that_is_switched_off_is_refused():
    with pytest.raises(ConfigError, match=r"^algorithm\.reward_groups: got a path below it"):
        apply_overrides(PpoCfg(), {"reward_groups.goal": "1"}, where="algorithm")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"seed": "true"}, "agent.seed: got true; expected a valid integer."),
        ({"algorithm.gamma": ".nan"}, "agent.algorithm.gamma: got NaN; expected a finite number."),
        (
            {"algorithm.schedule.factor": ".inf"},
            "agent.algorithm.schedule.factor: got Infinity; expected a finite number.",
        ),
        (
            {"actor.distribution.std_range": "[1.0, 0.1]"},
            "agent.actor.distribution.std_range: got [1.0, 0.1]; expected the lower bound first.",
        ),
        (
            {"actor.distribution.kind": "beta", "actor.distribution.action_range": "[1, 1]"},
            "agent.actor.distribution.action_range: got [1, 1]; expected two different bounds.",
        ),
    ],
)
def test_what_no_agent_can_use_is_refused(override, message):
    with pytest.raises(ConfigError) as error:
        apply_overrides(AGENT, override, where="agent")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"rewards.action_rate_l2": ".nan"}, "env.rewards.action_rate_l2: got NaN; expected a finite number."),
        ({"sim.dt": ".inf"}, "env.sim.dt: got Infinity; expected a finite number."),
        ({"commands.lin_vel_x": "[1,-1]"}, "env.commands.lin_vel_x: got [1, -1]; expected the lower bound first."),
        ({"scene.num_envs": "true"}, "env.scene.num_envs: got true; expected a valid integer."),
        (
            {"events.base_mass_offset": "[-50,-40]"},
            "env.events.base_mass_offset[0]: got -50; expected greater than or equal to -15.",
        ),
        (
            {"events.base_mass_offset": "[5,-5]"},
            "env.events.base_mass_offset: got [5, -5]; expected the lower bound first.",
        ),
        ({"rewards.floor": ".inf"}, "env.rewards.floor: got Infinity; expected a finite number."),
        ({"sim.dt": "true"}, "env.sim.dt: got true; expected a number, not true or false."),
        ({"seed": "true"}, "env.seed: got true; expected a valid integer."),
    ],
)
def test_what_no_simulation_can_use_is_refused(override, message):
    with pytest.raises(ConfigError) as error:
        apply_overrides(fleetfoot.tasks.velocity.config.VelocityEnvCfg(), override, where="env")
    assert str(error.value) == message
