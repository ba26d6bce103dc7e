"""What every test may ask for: a device, a generator with a seed, and two processes that train together."""

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

# As the command line does, before torch is imported: with the simulator's threads on the same cores, OpenMP's waiting
# ones make an update of a small network forty times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

# Where pytest runs in several processes, each has its share of the CPUs.
PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if PROCESSES > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // PROCESSES)))

# In many containers bytecode is not to be written: then every process that a test starts compiles fleetfoot anew, and
# pytest rewrites every file of tests in each of its own. What is written, git ignores.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Where the launcher runs pytest itself, tests start what they test without it.
os.environ.pop("FLEETFOOT_LAUNCHER", None)

GPU_TESTS = Path(__file__).parent / "gpu"


def pytest_configure() -> None:
    """Ctrl-C reaches the processes that tests start also where the tests themselves run in the background.

    A shell starts background jobs with SIGINT ignored, and what is ignored stays so in every process below.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="of the tests that ask for one: cpu (default), cuda:N")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what lies in tests/gpu, and leaves it out on a machine without a GPU."""
    for item in items:
        if item.path.is_relative_to(GPU_TESTS):
            item.add_marker(pytest.mark.gpu)
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu:
        return
    import torch

    if not torch.cuda.is_available():
        config.hook.pytest_deselected(items=on_gpu)
        items[:] = [item for item in items if item not in on_gpu]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported to collect the tests stays to the end, and is not looked through for garbage again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture
def device(request: pytest.FixtureRequest):
    import torch

    return torch.device(request.config.getoption("--device"))


@pytest.fixture
def generator(device):
    import torch

    return torch.Generator(device).manual_seed(20_240_607)


@pytest.fixture(autouse=True)
def _torch_is_left_as_found(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test may lean on another's global random state, nor leave one behind."""
    import sys

    torch = sys.modules.get("torch")
    state = torch.get_rng_state() if torch else None
    yield
    if torch and state is not None:
        torch.set_rng_state(state)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on one thread: nothing runs beside anything else."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def gru():
    """`gru(in_dim, hidden_dim)`: a small memory."""
    from fleetfoot.models.config import GruCfg
    from fleetfoot.models.recurrent import Gru

    return lambda in_dim, hidden_dim: Gru(in_dim, GruCfg(hidden_dim=hidden_dim))


@pytest.fixture
def free_port() -> str:
    """A port that nobody listens on now."""
    return find_free_port()


def find_free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="session")
def as_two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Any]]:
    """`as_two_ranks(script, …)` runs a script with a folder and words as two ranks, and returns what each has saved.

    They find each other by the environment, as if torchrun had started them; they save it as `<rank>.pt` in the folder.
    """

    def run(script: Path, *words: str) -> list[Any]:
        import torch

        folder = tmp_path_factory.mktemp(script.stem)
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": find_free_port()}
        shared = os.environ | address | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "PYTHONPATH": ":".join(sys.path)}
        processes = []
        for rank in ("0", "1"):
            with (folder / f"said_{rank}").open("w") as said:
                own = shared | {"RANK": rank, "LOCAL_RANK": rank}
                command = [sys.executable, str(script), str(folder), *words]
                processes.append(subprocess.Popen(command, env=own, stdout=said, stderr=said))
        try:
            for process in processes:
                process.wait(120)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        said = "\n".join((folder / f"said_{rank}").read_text() for rank in (0, 1))
        assert [process.returncode for process in processes] == [0, 0], said
        return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]

    return run
