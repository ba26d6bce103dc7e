"""What it costs to learn from sequences in which episodes end: a memory forwards and backwards, in milliseconds.

Ours goes through 24 steps once and forgets where an episode begins. rsl_rl's way splits the sequences there, pads the
pieces and runs torch's own LSTM or GRU. That one on the whole sequences, as if no episode ended, is what could be had
at best. 48 numbers go in; an episode ends in 2 % of the steps. The three take turns, since whatever else the machine
does hits all alike; times are processor time, ratios the medians of the turns' ratios.

    python benchmarks/recurrent.py [--batch 64 256 1024] [--hidden 128 256] [--repetitions 9] [--threads 1]

Needs `rsl-rl-lib==5.5.1` beside fleetfoot.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from rsl_rl.utils import split_and_pad_trajectories, unpad_trajectories
from torch import Tensor

from fleetfoot.models.config import GruCfg, LstmCfg
from fleetfoot.models.recurrent import Gru, Lstm

NUM_STEPS, NUM_INPUTS = 24, 48


def main() -> None:
    """Print a table: one line per memory, width and batch."""
    parser = argparse.ArgumentParser(description="A memory forwards and backwards, ours beside rsl_rl's and torch's.")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="1: actor and critic learn side by side, a core each")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    print("memory  width  batch   ours [ms]   rsl_rl / ours   torch without resets / ours")
    for name in ("lstm", "gru"):
        for hidden in arguments.hidden:
            for batch in arguments.batch:
                print(measure(name, hidden, batch, arguments.repetitions))


def measure(name: str, hidden: int, batch: int, repetitions: int) -> str:
    """One line of the table."""
    is_lstm = name == "lstm"
    memory = Lstm(NUM_INPUTS, LstmCfg(hidden_dim=hidden)) if is_lstm else Gru(NUM_INPUTS, GruCfg(hidden_dim=hidden))
    x = torch.randn(NUM_STEPS, batch, NUM_INPUTS)
    state = tuple(torch.randn_like(part) for part in memory.initial_state(batch, "cpu"))
    reset = torch.rand(NUM_STEPS, batch) < 0.02
    reset[0] = False

    def run_torch(inputs: Tensor, state: tuple[Tensor, ...]) -> Tensor:
        return memory.rnn(inputs, state if is_lstm else state[0])[0]

    ways = (
        lambda: memory(x, state, reset)[0],
        lambda: split_and_padded(run_torch, x, state, reset),
        lambda: run_torch(x, state),
    )
    torch.testing.assert_close(ways[0](), ways[1]())
    turns = [[timed(way) for way in ways] for _ in range(repetitions + 1)][1:]  # the first calls allocate
    ours = 1e3 * statistics.median(turn[0] for turn in turns)
    rsl_rl, without = (statistics.median(turn[i] / turn[0] for turn in turns) for i in (1, 2))
    return f"{name:6s} {hidden:6d} {batch:6d} {ours:11.1f} {rsl_rl:15.2f} {without:29.2f}"


def split_and_padded(
    run: Callable[[Tensor, tuple[Tensor, ...]], Tensor], x: Tensor, state: tuple[Tensor, ...], reset: Tensor
) -> Tensor:
    """The same output, in rsl_rl's way: every piece from its own first state."""
    done = torch.cat((reset[1:], torch.zeros_like(reset[:1]))).long()
    padded, masks = split_and_pad_trajectories(x, done)
    is_start = reset.clone()
    is_start[0] = True
    stored = (torch.cat((part, part.new_zeros(NUM_STEPS - 1, *part.shape[1:]))) for part in state)
    starts = tuple(part.transpose(0, 1)[is_start.t()][None].contiguous() for part in stored)
    return unpad_trajectories(run(padded, starts), masks)


def timed(forward: Callable[[], Tensor]) -> float:
    """Seconds of processor time that forwards and backwards take."""
    start = time.process_time()
    forward().square().mean().backward()
    return time.process_time() - start


if __name__ == "__main__":
    main()
