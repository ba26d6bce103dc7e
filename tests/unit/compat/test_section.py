import pytest

from fleetfoot.algorithms.config import AdaptiveKlCfg, PpoCfg
from fleetfoot.compat.section import REQUIRED, Section
from fleetfoot.errors import ConfigError


class OfTheUser:
    pass


def test_a_key_that_nobody_has_read_is_an_error_with_the_nearest_one():
    section = Section({"gamma": 0.9, "lamm": 0.95}, "train_cfg.algorithm")
    section.build(PpoCfg, same={"gamma": 0.99, "lam": 0.95})
    with pytest.raises(ConfigError, match=r"train_cfg\.algorithm\.lamm: got an unknown key.*'lam'"):
        section.finish()


def test_parts_are_read_to_the_end_as_well():
    section = Section({"inner": {"known": 1, "unknown": 2}}, "train_cfg")
    section.part("inner").take("known")
    with pytest.raises(ConfigError, match=r"train_cfg\.inner\.unknown"):
        section.finish()


def test_what_has_been_read_is_finished():
    section = Section({"a": 1, "b": {"c": 2}, "d": None, "e": 4}, "train_cfg")
    section.take("a")
    section.part("b").take("c")
    section.leave_unset(("d", "not there"))
    section.leave(("e",))
    section.finish()


def test_a_key_of_another_kind_is_left_only_where_it_is_none():
    section = Section({"cnn_cfg": {}}, "train_cfg.actor")
    section.leave_unset(("cnn_cfg",))
    with pytest.raises(ConfigError, match="cnn_cfg"):
        section.finish()


def test_a_missing_key_without_default_names_itself():
    with pytest.raises(ConfigError, match=r"train_cfg\.save_interval: got nothing.*Its keys: other"):
        Section({"other": 1}, "train_cfg").take("save_interval")


def test_what_is_no_dict_is_refused():
    with pytest.raises(ConfigError, match=r"train_cfg\.actor: got 3; expected a dict"):
        Section({"actor": 3}, "train_cfg").part("actor")


def test_a_value_that_a_field_cannot_have_is_named_by_their_key():
    section = Section({"target": -1.0}, "train_cfg")
    with pytest.raises(ConfigError, match=r"train_cfg\.target: got -1\.0; expected greater than 0"):
        section.build(AdaptiveKlCfg, same={}, renamed={"desired_kl": ("target", 0.01)})


def test_an_element_of_a_list_is_named_by_their_key_and_its_place():
    section = Section({"sizes": [4, 0]}, "train_cfg.actor")
    from fleetfoot.models.config import MlpCfg

    with pytest.raises(ConfigError, match=r"train_cfg\.actor\.sizes\[1\]: got 0"):
        section.build(MlpCfg, same={}, renamed={"hidden_dims": ("sizes", REQUIRED)})


def test_names_are_translated_in_any_case_where_that_is_so_there():
    names = {"swish": "silu"}
    assert Section({"activation": "Swish"}, "").choose("activation", "elu", names, any_case=True) == "silu"
    with pytest.raises(ConfigError, match=r"got 'Swish'; expected one of 'swish'"):
        Section({"activation": "Swish"}, "").choose("activation", "elu", names)


def test_true_is_not_one():
    with pytest.raises(ConfigError, match="got True"):
        Section({"stride": True}, "").choose("stride", 1, {1: 1})


def test_only_one_value_may_be_the_only_one():
    section = Section({"rnd_cfg": {"weight": 1.0}}, "train_cfg.algorithm")
    section.only("symmetry_cfg", None)
    with pytest.raises(ConfigError, match=r"train_cfg\.algorithm\.rnd_cfg: got \{'weight': 1\.0\}; expected None"):
        section.only("rnd_cfg", None)


@pytest.mark.parametrize(
    "value", ["PPO", "rsl_rl.algorithms:PPO", "rsl_rl.algorithms.PPO", "rsl_rl.algorithms.ppo:PPO"]
)
def test_a_class_goes_by_any_of_its_names(value):
    assert Section({"class_name": value}, "").class_name("PPO", "Distillation") == "PPO"


def test_a_class_goes_by_itself():
    from rsl_rl.algorithms import PPO

    assert Section({"class_name": PPO}, "").class_name("PPO") == "PPO"


@pytest.mark.parametrize("value", ["APPO", "my.module:PPO", OfTheUser, 3])
def test_other_classes_are_refused(value):
    with pytest.raises(ConfigError, match="expected PPO of rsl_rl itself"):
        Section({"class_name": value}, "").class_name("PPO")


def test_notes_of_parts_come_together():
    section = Section({"a": 1, "part": {"b": 2}}, "train_cfg")
    section.without_effect("a", 1, "it is so anyway")
    section.part("part").without_effect("b", 1, "nobody reads it")
    assert section.notes == ["train_cfg.part.b has no effect: nobody reads it."]
