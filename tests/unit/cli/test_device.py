import pytest
import torch

from fleetfoot.cli.device import resolve_device
from fleetfoot.errors import ConfigError


@pytest.mark.parametrize("name", ["cpu", "cpu:0"])
def test_the_cpu(name):
    assert resolve_device(name) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "mps", "meta"])
def test_what_is_no_device_of_ours(name):
    with pytest.raises(ConfigError) as caught:
        resolve_device(name)
    assert str(caught.value) == f"--device: got {name!r}; expected cpu, cuda or cuda:N."


@pytest.mark.parametrize(
    ("build", "reason"), [(None, "this torch is built without CUDA"), ("13.0", "torch sees no CUDA device")]
)
def test_cuda_that_is_not_there_says_why(monkeypatch, build, reason):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", build)
    with pytest.raises(ConfigError) as caught:
        resolve_device("cuda")
    assert str(caught.value) == f"--device: got 'cuda', but {reason}; expected a device that is there. Use cpu."


def test_a_number_that_no_device_has(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda") == torch.device("cuda", 0)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match="one of cuda:0 to cuda:1"):
        resolve_device("cuda:2")
