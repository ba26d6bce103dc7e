import pytest

from fleetfoot.core.config import apply_overrides, decode
from fleetfoot.errors import ConfigError
from fleetfoot.models.config import AttentionCfg, CnnCfg


def test_one_value_for_all_layers_needs_no_list():
    assert CnnCfg(kernel_size=5, norm="batch", max_pool=True) == CnnCfg(
        kernel_size=(5,), norm=("batch",), max_pool=(True,)
    )


@pytest.mark.parametrize(("text", "expected"), [("5", (5,)), ("[5]", (5,)), ("[5, 3, 3]", (5, 3, 3))])
def test_values_of_layers_on_the_command_line(text, expected):
    assert apply_overrides(CnnCfg(), {"kernel_size": text}, where="cnn").kernel_size == expected


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("kernel_size", 0, "cnn.kernel_size[0]"),
        ("stride", [1, 0], "cnn.stride[1]"),
        ("dilation", [], "cnn.dilation"),
        ("norm", "group", "cnn.norm[0]"),
        ("max_pool", 3, "cnn.max_pool[0]"),
        ("output_channels", [], "cnn.output_channels"),
    ],
)
def test_a_value_that_no_layer_can_have_is_refused(field, value, where):
    with pytest.raises(ConfigError) as caught:
        decode(CnnCfg, {field: value}, where="cnn")
    assert caught.value.where == where


def test_a_context_of_the_present_alone_is_refused():
    with pytest.raises(ConfigError, match="^memory.context: got 1; expected greater than or equal to 2"):
        decode(AttentionCfg, {"context": 1}, where="memory")
