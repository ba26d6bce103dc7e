import typing

import pytest
import torch
from torch import nn

from fleetfoot.models.config import Activation, MlpCfg
from fleetfoot.models.mlp import Mlp, make_activation


@pytest.mark.parametrize("leading", [(), (5,), (3, 5)])
def test_leading_axes_are_free(leading):
    out = Mlp(4, 2, MlpCfg(hidden_dims=(8, 6)))(torch.zeros(*leading, 4))
    assert out.shape == (*leading, 2)


def test_layers_are_as_wide_as_configured():
    layers = Mlp(4, 2, MlpCfg(hidden_dims=(8, 6), activation="tanh")).layers
    assert [(m.in_features, m.out_features) for m in layers if isinstance(m, nn.Linear)] == [(4, 8), (8, 6), (6, 2)]
    assert [type(m) for m in layers] == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]


def test_it_computes_what_its_equation_says():
    net = Mlp(2, 1, MlpCfg(hidden_dims=(2,), activation="relu"))
    first, _, last = net.layers
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, -1.0], [2.0, 0.5]]))
        first.bias.copy_(torch.tensor([0.5, -10.0]))
        last.weight.copy_(torch.tensor([[3.0, 7.0]]))
        last.bias.fill_(-1.0)
    # hidden: relu(3 - 1 + 0.5) = 2.5 and relu(6 + 0.5 - 10) = 0; 3 * 2.5 + 7 * 0 - 1 = 6.5
    assert net(torch.tensor([3.0, 1.0])).item() == 6.5


def test_a_batch_is_each_of_its_rows(generator):
    net, x = Mlp(3, 2, MlpCfg(hidden_dims=(8,))), torch.randn(4, 6, 3, generator=generator)
    rows = torch.stack([torch.stack([net(row) for row in block]) for block in x])
    torch.testing.assert_close(net(x), rows)


@pytest.mark.parametrize("name", typing.get_args(Activation))
def test_every_activation_of_the_config_exists(name):
    x = torch.linspace(-2, 2, 9)
    assert make_activation(name)(x).isfinite().all()


@pytest.mark.parametrize(
    ("name", "at_minus_one"),
    [
        ("elu", -0.6321206),
        ("relu", 0.0),
        ("leaky_relu", -0.01),
        ("tanh", -0.7615942),
        ("sigmoid", 0.2689414),
        ("softplus", 0.3132617),
        ("silu", -0.2689414),
        ("identity", -1.0),
    ],
)
def test_an_activation_is_the_function_of_its_name(name, at_minus_one):
    assert make_activation(name)(torch.tensor(-1.0)).item() == pytest.approx(at_minus_one, abs=1e-6)
