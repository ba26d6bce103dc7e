"""What holds for every memory, and what holds for none."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fleetfoot.errors import ConfigError
from fleetfoot.models.attention import Attention
from fleetfoot.models.build_memory import build_memory
from fleetfoot.models.config import AttentionCfg, GruCfg, LstmCfg
from fleetfoot.models.memory import NoMemory, reset_state
from fleetfoot.models.recurrent import Gru, Lstm

IN = 3
CONFIGS = {
    "none": None,
    "lstm": LstmCfg(hidden_dim=5),
    "lstm of two layers": LstmCfg(hidden_dim=4, num_layers=2),
    "gru": GruCfg(hidden_dim=5),
    "gru of two layers": GruCfg(hidden_dim=4, num_layers=2),
    "attention": AttentionCfg(context=3, hidden_dim=6, num_heads=2),
    "attention of two layers": AttentionCfg(context=4, hidden_dim=4, num_heads=1, num_layers=2),
}
every_memory = pytest.mark.parametrize("cfg", CONFIGS.values(), ids=CONFIGS.keys())
remembering = pytest.mark.parametrize("cfg", list(CONFIGS.values())[1:], ids=list(CONFIGS)[1:])


def make(cfg, seed: int = 0):
    """A memory whose parameters are all random, so that none of them hides behind a zero."""
    memory, generator = build_memory(cfg, IN), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in memory.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator))
    return memory


def make_past(memory, batch: int, generator):
    """A state that the memory was in after some steps."""
    state = memory.initial_state(batch, "cpu")
    return memory(torch.randn(2, batch, IN, generator=generator), state)[1]


def stepped(memory, x, state, reset):
    """One step at a time, the state zeroed before each where `reset` says so."""
    outputs = []
    for now, forgotten in zip(x, reset, strict=True):
        y, state = memory(now[None], reset_state(state, forgotten))
        outputs.append(y[0])
    return torch.stack(outputs), state


@st.composite
def sequences(draw):
    """A sequence `[T, B, I]`, where episodes begin in it, and a generator for the rest."""
    steps, batch = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    flags = draw(st.lists(st.booleans(), min_size=steps * batch, max_size=steps * batch))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return torch.randn(steps, batch, IN, generator=generator), torch.tensor(flags).view(steps, batch), generator


@every_memory
@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (1, 4), (5, 1), (5, 4)])
def test_shapes(cfg, steps, batch):
    memory = make(cfg)
    state = memory.initial_state(batch, "cpu")
    y, after = memory(torch.zeros(steps, batch, IN), state, torch.zeros(steps, batch, dtype=torch.bool))
    assert y.shape == (steps, batch, memory.out_dim)
    assert [x.shape for x in after] == [x.shape for x in state]
    assert all(x.shape[1] == batch and not x.any() for x in state)
    assert len(memory.state_names) == len(state)


@every_memory
@settings(max_examples=25, deadline=None)
@given(drawn=sequences(), seed=st.integers(0, 100))
def test_a_sequence_is_its_steps_one_after_the_other(cfg, drawn, seed):
    x, reset, generator = drawn
    memory = make(cfg, seed)
    state = make_past(memory, x.shape[1], generator)
    torch.testing.assert_close(memory(x, state, reset), stepped(memory, x, state, reset), rtol=1e-5, atol=1e-5)


@remembering
@settings(max_examples=25, deadline=None)
@given(drawn=sequences())
def test_an_episode_is_the_same_alone(cfg, drawn):
    x, reset, generator = drawn
    memory = make(cfg)
    state = make_past(memory, x.shape[1], generator)
    together, after = memory(x, state, reset)
    for b in range(x.shape[1]):
        starts = [0, *(t for t in range(1, len(x)) if reset[t, b]), len(x)]
        for begin, end in pairwise(starts):
            is_carried_on = begin == 0 and not reset[0, b]
            before = tuple(
                part[:, b : b + 1] for part in (state if is_carried_on else memory.initial_state(b + 1, "cpu"))
            )
            alone, last = memory(x[begin:end, b : b + 1], before)
            torch.testing.assert_close(together[begin:end, b : b + 1], alone, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(tuple(part[:, b : b + 1] for part in after), last, rtol=1e-5, atol=1e-5)


@remembering
@settings(max_examples=15, deadline=None)
@given(drawn=sequences())
def test_gradients_of_a_sequence_are_those_of_its_steps(cfg, drawn):
    x, reset, generator = drawn
    memory = make(cfg)
    state = tuple(part.detach().requires_grad_() for part in make_past(memory, x.shape[1], generator))
    weight = torch.randn(*x.shape[:2], memory.out_dim, generator=generator)
    inputs = (x.requires_grad_(), *state, *memory.parameters())
    gradients = [
        torch.autograd.grad((run()[0] * weight).sum(), inputs, allow_unused=True, materialize_grads=True)
        for run in (lambda: memory(x, state, reset), lambda: stepped(memory, x, state, reset))
    ]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@remembering
def test_what_came_before_matters_until_an_episode_begins(cfg, generator):
    memory = make(cfg)
    x, past = torch.randn(4, 2, IN, generator=generator), make_past(memory, 2, generator)
    reset = torch.zeros(4, 2, dtype=torch.bool)
    reset[2, 0] = True
    fresh, _ = memory(x, memory.initial_state(2, "cpu"), reset)
    carried, _ = memory(x, past, reset)
    differs = (fresh - carried).abs().amax(-1) > 1e-4
    assert differs[:2].all()
    assert not differs[2:, 0].any()


@every_memory
def test_rows_of_a_batch_know_nothing_of_each_other(cfg, generator):
    memory = make(cfg)
    x, state = torch.randn(6, 5, IN, generator=generator), make_past(memory, 5, generator)
    reset = torch.rand(6, 5, generator=generator) < 0.3
    order = torch.tensor([3, 0, 4, 2, 1])
    y, after = memory(x, state, reset)
    permuted = memory(x[:, order], tuple(part[:, order] for part in state), reset[:, order])
    torch.testing.assert_close(permuted, (y[:, order], tuple(part[:, order] for part in after)))


@every_memory
def test_no_reset_is_a_reset_nowhere(cfg, generator):
    memory = make(cfg)
    x, state = torch.randn(6, 2, IN, generator=generator), make_past(memory, 2, generator)
    torch.testing.assert_close(memory(x, state), memory(x, state, torch.zeros(6, 2, dtype=torch.bool)))


@every_memory
def test_the_state_that_goes_in_stays_as_it_was(cfg, generator):
    memory = make(cfg)
    state = make_past(memory, 3, generator)
    before = tuple(part.clone() for part in state)
    memory(torch.randn(4, 3, IN, generator=generator), state, torch.ones(4, 3, dtype=torch.bool))
    assert all(torch.equal(a, b) for a, b in zip(state, before, strict=True))


@remembering
def test_no_number_is_looked_at_on_the_way(cfg):
    """Tensors without numbers go through as well: nothing is read back to the host, and no shape hangs on a number."""
    memory = make(cfg).to("meta")
    x, reset = torch.zeros(5, 2, IN, device="meta"), torch.zeros(5, 2, dtype=torch.bool, device="meta")
    y, _ = memory(x, memory.initial_state(2, "meta"), reset)
    y.sum().backward()
    assert y.shape == (5, 2, memory.out_dim)


class Step(nn.Module):
    """One step, as a module of tensors alone."""

    def __init__(self, memory) -> None:
        super().__init__()
        self.memory = memory

    def forward(self, *tensors):
        y, state = self.memory(tensors[0], tensors[1:])
        return (y, *state)


@pytest.mark.parametrize("name", ["lstm of two layers", "gru of two layers", "attention of two layers"])
def test_a_step_leaves_torch(name, convert, generator):
    memory = make(CONFIGS[name]).requires_grad_(False)
    run = convert(Step(memory), (torch.zeros(1, 2, IN), *memory.initial_state(2, "cpu")), 1)
    for batch in (1, 2, 7):
        expected = got = (torch.empty(0), *memory.initial_state(batch, "cpu"))
        for _ in range(4):
            x = torch.randn(1, batch, IN, generator=generator)
            expected, got = Step(memory)(x, *expected[1:]), run(x, *got[1:])
            torch.testing.assert_close(tuple(got), tuple(expected), rtol=1e-5, atol=1e-5)


def test_without_a_memory_everything_passes_unchanged(generator):
    memory = NoMemory(IN)
    x = torch.randn(4, 2, IN, generator=generator)
    y, state = memory(x, (), torch.ones(4, 2, dtype=torch.bool))
    assert y is x
    assert state == memory.initial_state(2, "cpu") == ()
    assert memory.out_dim == IN
    assert not memory.state_dict()


def test_a_state_is_zeroed_where_an_episode_ended():
    state = (torch.ones(2, 3, 4), torch.full((1, 3, 2), torch.nan))
    kept, spoiled = reset_state(state, torch.tensor([True, False, True]))
    assert kept.sum(dim=(0, 2)).tolist() == [0, 8, 0]
    assert spoiled.isnan().sum(dim=(0, 2)).tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    ("cfg", "cls"), [(None, NoMemory), (LstmCfg(), Lstm), (GruCfg(), Gru), (AttentionCfg(), Attention)]
)
def test_a_config_makes_the_memory_of_its_kind(cfg, cls):
    assert isinstance(build_memory(cfg, IN), cls)


def test_a_width_that_heads_cannot_share_is_refused():
    with pytest.raises(ConfigError) as caught:
        build_memory(AttentionCfg(hidden_dim=10, num_heads=4), IN, where="agent.actor.memory")
    assert str(caught.value) == "agent.actor.memory.hidden_dim: got 10; expected a multiple of num_heads, which is 4."
