import math

import pytest
import torch

from fleetfoot.models.attention import Attention
from fleetfoot.models.config import AttentionCfg

IN = 3


def make(generator, **fields) -> Attention:
    """Attention whose parameters are all random."""
    memory = Attention(IN, AttentionCfg(**fields))
    with torch.no_grad():
        for parameter in memory.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator))
    return memory


def by_definition(memory: Attention, episode: torch.Tensor) -> torch.Tensor:
    """The output `[T, D]` of one layer for one episode `[T, I]`, step by step and head by head."""
    (layer,), outputs = memory.layers, []
    embedded = memory.embed(episode)
    for t, x in enumerate(embedded):
        heads = []
        for head in range(layer.num_heads):
            width = memory.out_dim // layer.num_heads
            of_head = slice(head * width, (head + 1) * width)
            query = layer.query(layer.attend_norm(x))[of_head]
            logits, values = [], []
            for distance in range(min(t + 1, memory.context)):
                key, value = layer.key_value(layer.attend_norm(embedded[t - distance])).chunk(2)
                logits.append(query @ key[of_head] / math.sqrt(width) + layer.bias[head, distance])
                values.append(value[of_head])
            heads.append(torch.softmax(torch.stack(logits), 0) @ torch.stack(values))
        y = x + layer.attended(torch.cat(heads))
        outputs.append(memory.norm(y + layer.feed(layer.feed_norm(y))))
    return torch.stack(outputs)


def test_it_computes_what_its_equation_says(generator):
    memory = make(generator, context=3, hidden_dim=8, num_heads=2)
    episode = torch.randn(7, IN, generator=generator)
    y, _ = memory(episode[:, None], memory.initial_state(1, "cpu"))
    torch.testing.assert_close(y[:, 0], by_definition(memory, episode), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("layers", "reach"), [(1, 4), (2, 7)])
def test_a_step_sees_the_context_and_no_more(layers, reach, generator):
    memory = make(generator, context=4, hidden_dim=8, num_heads=2, num_layers=layers)
    x = torch.randn(12, 1, IN, generator=generator, requires_grad=True)
    y, _ = memory(x, memory.initial_state(1, "cpu"))
    for t in range(12):
        (gradient,) = torch.autograd.grad(y[t].square().sum(), x, retain_graph=True)
        seen = gradient.abs().sum((1, 2)) > 0
        assert seen.nonzero().flatten().tolist() == list(range(max(0, t - reach + 1), t + 1))


def test_where_in_a_sequence_a_step_lies_does_not_matter(generator):
    memory = make(generator, context=4, hidden_dim=8, num_heads=2)
    seen = torch.randn(4, 1, IN, generator=generator)
    for before in (0, 1, 9):
        x = torch.cat((torch.randn(before, 1, IN, generator=generator), seen))
        y, _ = memory(x, memory.initial_state(1, "cpu"))
        if before == 0:
            expected = y[-1]
        torch.testing.assert_close(y[-1], expected, rtol=1e-5, atol=1e-5)


def test_the_order_of_the_past_matters(generator):
    memory = make(generator, context=4, hidden_dim=8, num_heads=2)
    x = torch.randn(4, 1, IN, generator=generator)
    forwards, _ = memory(x, memory.initial_state(1, "cpu"))
    swapped, _ = memory(x[[1, 0, 2, 3]], memory.initial_state(1, "cpu"))
    assert (forwards[-1] - swapped[-1]).abs().max() > 1e-3


def test_the_state_holds_what_was_seen_of_the_episode(generator):
    memory = make(generator, context=5, hidden_dim=4, num_heads=2, num_layers=2)
    x, reset = torch.randn(6, 2, IN, generator=generator), torch.zeros(6, 2, dtype=torch.bool)
    reset[4, 1] = True
    _, (past,) = memory(x, memory.initial_state(2, "cpu"), reset)
    assert past.shape == (4, 2, 9)
    assert past[..., -1].tolist() == [[1, 0], [1, 0], [1, 1], [1, 1]]
    assert not past[:2, 1].any()
    torch.testing.assert_close(past[:, 0, :4], memory.embed(x[2:, 0]))


def test_at_first_the_near_past_weighs_more():
    bias = Attention(IN, AttentionCfg(context=3, hidden_dim=8, num_heads=2)).layers[0].bias
    # slopes 2^-4 and 2^-8
    torch.testing.assert_close(bias.detach(), torch.tensor([[0, -1 / 16, -2 / 16], [0, -1 / 256, -2 / 256]]))


@pytest.mark.parametrize("layers", [1, 2])
def test_what_is_not_looked_at_does_not_matter_even_if_it_is_not_a_number(layers, generator):
    """Of the first environment a step is spoiled and its episode ends two steps later; of the second, none is."""
    memory = make(generator, context=4, hidden_dim=8, num_heads=2, num_layers=layers)
    x, reset = torch.randn(9, 2, IN, generator=generator), torch.zeros(9, 2, dtype=torch.bool)
    reset[4, 0] = True
    sound, after_sound = memory(x, memory.initial_state(2, "cpu"), reset)
    for value in (torch.nan, torch.inf):
        x[2, 0] = value
        spoiled, after = memory(x, memory.initial_state(2, "cpu"), reset)
        assert spoiled[2:4, 0].isnan().all()
        spoiled[2:4, 0] = sound[2:4, 0]
        assert torch.equal(spoiled, sound)
        assert torch.equal(after[0], after_sound[0])


def test_what_is_out_of_the_context_does_not_matter_even_if_it_is_not_a_number(generator):
    memory = make(generator, context=3, hidden_dim=8, num_heads=2)
    x = torch.randn(6, 1, IN, generator=generator)
    x[1] = torch.nan
    y, _ = memory(x, memory.initial_state(1, "cpu"))
    assert y[:, 0].isnan().any(dim=-1).tolist() == [False, True, True, True, False, False]
