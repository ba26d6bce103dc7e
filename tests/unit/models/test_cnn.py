import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fleetfoot.errors import ConfigError
from fleetfoot.models.cnn import Cnn, even_padding, shrunk
from fleetfoot.models.config import CnnCfg


def test_a_convolution_by_hand():
    cnn = Cnn((1, 2, 3), CnnCfg(output_channels=(1,), kernel_size=2, activation="relu"))
    with torch.no_grad():
        cnn.layers[0].weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
        cnn.layers[0].bias.fill_(-50.0)
    image = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    # 1 + 4 + 12 + 20 - 50 = -13, which is cut off; 2 + 6 + 15 + 24 - 50 = -3, so is that
    assert cnn(image).tolist() == [0.0, 0.0]
    assert cnn(2 * image).tolist() == [24.0, 44.0]


@pytest.mark.parametrize("leading", [(), (5,), (4, 5)])
def test_leading_axes_are_free(leading, generator):
    cnn = Cnn((2, 6, 7), CnnCfg(output_channels=(3, 4), kernel_size=3, stride=(1, 2)))
    images = torch.randn(*leading, 2, 6, 7, generator=generator)
    y = cnn(images)
    assert y.shape == (*leading, cnn.out_dim)
    rows = torch.stack([cnn(image) for image in images.flatten(0, -4)]) if leading else cnn(images[None])
    torch.testing.assert_close(y.reshape(-1, cnn.out_dim), rows)


def test_layers_are_as_configured():
    cfg = CnnCfg(
        output_channels=(4, 8),
        kernel_size=(5, 3),
        stride=(2, 1),
        dilation=(1, 2),
        padding="zeros",
        norm=("layer", "batch"),
        activation="tanh",
        max_pool=(True, False),
        global_pool="avg",
    )
    cnn = Cnn((3, 16, 12), cfg)
    first, second = (layer for layer in cnn.layers if isinstance(layer, nn.Conv2d))
    assert [type(layer) for layer in cnn.layers] == [
        *(nn.Conv2d, nn.LayerNorm, nn.Tanh, nn.MaxPool2d),
        *(nn.Conv2d, nn.BatchNorm2d, nn.Tanh, nn.AdaptiveAvgPool2d),
    ]
    assert (first.kernel_size, first.stride, first.dilation, first.padding) == ((5, 5), (2, 2), (1, 1), (2, 2))
    assert (second.kernel_size, second.stride, second.dilation, second.padding) == ((3, 3), (1, 1), (2, 2), (2, 2))
    assert cnn.layers[1].normalized_shape == (4, 8, 6)
    assert cnn.out_dim == 8


@pytest.mark.parametrize(("global_pool", "expected"), [("none", [1, 2, 3, 4]), ("max", [4]), ("avg", [2.5])])
def test_what_is_kept_of_the_last_layer(global_pool, expected):
    cnn = Cnn((1, 2, 2), CnnCfg(output_channels=(1,), kernel_size=1, activation="identity", global_pool=global_pool))
    with torch.no_grad():
        cnn.layers[0].weight.fill_(1.0)
        cnn.layers[0].bias.zero_()
    assert cnn(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist() == expected


# 10 pixels, kernel of 3, nothing around: at 0 .. 7; every 2nd: 0, 2, 4, 6; every 3rd pixel read: 0 .. 3
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding", "expected"),
    [(3, 1, 1, 0, 8), (3, 2, 1, 0, 4), (3, 1, 3, 0, 4), (3, 1, 1, 1, 10), (10, 1, 1, 0, 1), (11, 1, 1, 0, 0)],
)
def test_how_often_a_kernel_fits(kernel, stride, dilation, padding, expected):
    assert shrunk(10, kernel, stride, dilation, padding) == expected


@given(size=st.integers(1, 200), kernel=st.integers(1, 9), stride=st.integers(1, 6), dilation=st.integers(1, 4))
def test_padding_leaves_nothing_but_the_stride_to_shrink_an_image(size, kernel, stride, dilation):
    padding = even_padding(size, kernel, stride, dilation)
    assert shrunk(size, kernel, stride, dilation, padding) >= size // stride
    assert shrunk(size, kernel, stride, dilation, padding - 1) < size // stride


def per_layer(values) -> st.SearchStrategy:
    return st.lists(values, min_size=2, max_size=2).map(tuple) | values


@settings(max_examples=60, deadline=None)
@given(
    cfg=st.builds(
        CnnCfg,
        output_channels=st.lists(st.integers(1, 3), min_size=2, max_size=2).map(tuple),
        kernel_size=per_layer(st.integers(1, 5)),
        stride=per_layer(st.integers(1, 3)),
        dilation=per_layer(st.integers(1, 3)),
        padding=st.sampled_from(["none", "zeros", "reflect", "replicate", "circular"]),
        norm=per_layer(st.sampled_from(["none", "batch", "layer"])),
        max_pool=per_layer(st.booleans()),
        global_pool=st.sampled_from(["none", "max", "avg"]),
    ),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_what_is_not_refused_works_and_is_as_wide_as_announced(cfg, size):
    try:
        cnn = Cnn((2, *size), cfg)
    except ConfigError:
        return
    assert cnn.eval()(torch.zeros(3, 2, *size)).shape == (3, cnn.out_dim)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"stride": (1, 2)},
            "agent.actor.cnn.stride: got 2 values; expected one value, or 3: one for each layer that output_channels "
            "lists.",
        ),
        (
            {"max_pool": True},
            "agent.actor.cnn.kernel_size: got an image that is 2 pixels high when it comes to layer 3; expected at "
            "least the 3 that the kernel covers. Use fewer layers, smaller kernels, or larger images.",
        ),
        (
            {"kernel_size": (1, 1, 9), "stride": (3, 2, 1), "padding": "reflect"},
            "agent.actor.cnn.padding: got an image that is 2 pixels high when it comes to layer 3; expected at least "
            "5, to pad 4 of them at each end. Use fewer layers, smaller kernels, or larger images.",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_tried(fields, message):
    with pytest.raises(ConfigError) as caught:
        Cnn((1, 13, 13), CnnCfg(output_channels=(4, 4, 4), **fields), where="agent.actor.cnn")
    assert str(caught.value) == message


class Encoder(nn.Module):
    """As a module of tensors alone."""

    def __init__(self, cnn) -> None:
        super().__init__()
        self.cnn = cnn

    def forward(self, *tensors):
        return (self.cnn(*tensors),)


@pytest.mark.parametrize("global_pool", ["none", "max", "avg"])
def test_an_encoder_leaves_torch(global_pool, convert, generator):
    cfg = CnnCfg(
        output_channels=(4, 5),
        padding="replicate",
        norm=("batch", "layer"),
        max_pool=(True, False),
        global_pool=global_pool,
    )
    cnn = Cnn((2, 12, 9), cfg).eval().requires_grad_(False)
    run = convert(Encoder(cnn), (torch.zeros(2, 2, 12, 9),), 0)
    for batch in (1, 2, 7):
        images = torch.randn(batch, 2, 12, 9, generator=generator)
        torch.testing.assert_close(run(images)[0], cnn(images), rtol=1e-5, atol=1e-5)
