from math import exp, tanh

import pytest
import torch
from torch import nn

from fleetfoot.models.config import GruCfg, LstmCfg
from fleetfoot.models.recurrent import Gru, Lstm

T, B, IN, H = 6, 3, 4, 5
PAIRS = [(Lstm, LstmCfg, nn.LSTM), (Gru, GruCfg, nn.GRU)]
of_torch = pytest.mark.parametrize(("cls", "cfg_cls", "torch_cls"), PAIRS, ids=["lstm", "gru"])


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def fill(rnn, weight_ih, weight_hh, bias_ih, bias_hh) -> None:
    """Parameters of a layer with one input and one hidden unit: a number for each gate."""
    with torch.no_grad():
        for parameter, values in zip(rnn.all_weights[0], (weight_ih, weight_hh, bias_ih, bias_hh), strict=True):
            parameter.copy_(torch.tensor(values).view_as(parameter))


def test_an_lstm_step_by_hand():
    memory = Lstm(1, LstmCfg(hidden_dim=1))
    # in the order of torch: input gate, forget gate, what may be written, output gate
    fill(memory.rnn, [0.5, -1.0, 2.0, 1.5], [1.0, 0.3, -0.4, 0.2], [0.1, 0.2, 0.3, 0.4], [0.0, 0.5, -0.1, 0.6])
    y, (h, c) = memory(torch.tensor([[[2.0]]]), (torch.tensor([[[0.5]]]), torch.tensor([[[-0.8]]])))
    i, f = sigmoid(0.5 * 2 + 0.1 + 1.0 * 0.5 + 0.0), sigmoid(-1.0 * 2 + 0.2 + 0.3 * 0.5 + 0.5)
    g, o = tanh(2.0 * 2 + 0.3 - 0.4 * 0.5 - 0.1), sigmoid(1.5 * 2 + 0.4 + 0.2 * 0.5 + 0.6)
    expected_c = f * -0.8 + i * g
    assert c.item() == pytest.approx(expected_c, rel=1e-6)
    assert y.item() == h.item() == pytest.approx(o * tanh(expected_c), rel=1e-6)


def test_a_gru_step_by_hand():
    memory = Gru(1, GruCfg(hidden_dim=1))
    # in the order of torch: reset gate, update gate, what may be written
    fill(memory.rnn, [0.5, -1.0, 2.0], [1.0, 0.3, -0.4], [0.1, 0.2, 0.3], [0.0, 0.5, -0.1])
    y, (h,) = memory(torch.tensor([[[2.0]]]), (torch.tensor([[[0.5]]]),))
    r, z = sigmoid(0.5 * 2 + 0.1 + 1.0 * 0.5 + 0.0), sigmoid(-1.0 * 2 + 0.2 + 0.3 * 0.5 + 0.5)
    n = tanh(2.0 * 2 + 0.3 + r * (-0.4 * 0.5 - 0.1))
    assert y.item() == h.item() == pytest.approx((1 - z) * n + z * 0.5, rel=1e-6)


@of_torch
@pytest.mark.parametrize("layers", [1, 3])
def test_the_parameters_are_those_of_torch(cls, cfg_cls, torch_cls, layers):
    ours = cls(IN, cfg_cls(hidden_dim=H, num_layers=layers)).state_dict()
    theirs = torch_cls(IN, H, layers).state_dict()
    assert {name: x.shape for name, x in ours.items()} == {f"rnn.{name}": x.shape for name, x in theirs.items()}


@of_torch
@pytest.mark.parametrize("layers", [1, 3])
def test_without_resets_it_is_what_torch_computes(cls, cfg_cls, torch_cls, layers, generator):
    ours, theirs = cls(IN, cfg_cls(hidden_dim=H, num_layers=layers)), torch_cls(IN, H, layers)
    theirs.load_state_dict({name.removeprefix("rnn."): x for name, x in ours.state_dict().items()})
    x = torch.randn(T, B, IN, generator=generator)
    state = tuple(torch.randn(layers, B, H, generator=generator) for _ in ours.state_names)
    y, after = ours(x, state)
    expected, last = theirs(x, state if len(state) == 2 else state[0])
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(after, last if len(state) == 2 else (last,))
    (y**3).sum().backward()
    (expected**3).sum().backward()
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(dict(ours.rnn.named_parameters())[name].grad, parameter.grad)


@of_torch
def test_nothing_of_a_spoiled_episode_reaches_the_next(cls, cfg_cls, torch_cls, generator):
    memory = cls(IN, cfg_cls(hidden_dim=H))
    x, reset = torch.randn(T, B, IN, generator=generator), torch.zeros(T, B, dtype=torch.bool)
    x[1, 0], reset[3] = torch.nan, True
    y, after = memory(x, memory.initial_state(B, "cpu"), reset)
    assert y[1:3, 0].isnan().all()
    assert y[:, 1:].isfinite().all()
    assert y[3:].isfinite().all()
    assert all(part.isfinite().all() for part in after)
