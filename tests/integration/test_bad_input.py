"""What a user can get wrong: one clear sentence and status 2, before anything is computed or written."""

import os
import resource
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fleetfoot.cli.main import main
from fleetfoot.core.check import check_vec_env
from fleetfoot.core.toy_env import ToyEnv
from fleetfoot.errors import ContractError
from fleetfoot.runners.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fleetfoot.tasks.registry import all_tasks

TASK = ("--task", "Cartpole", "--log_root", "logs")


def refused(script, *words: str, cwd: Path, name: str = "train", **options) -> str:
    """What is said; nothing is written, no iteration is made, and there is no traceback."""
    before = sorted(cwd.rglob("*"))
    done = script(name, *words, cwd=cwd, **options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "training" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert sorted(cwd.rglob("*")) == before
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--task", "Anymal-Flatt"],
            "--task: got 'Anymal-Flatt'; expected the name of a task. Did you mean 'Anymal-Flat'?",
        ),
        (
            ["--task", "Isaac-Ant"],
            "--task: got 'Isaac-Ant'; expected the name of a task. "
            "Known: Anymal-Flat, Anymal-Rough, Anymal-Rough-Blind, Cartpole, Cartpole-Camera, gymnasium:ID.",
        ),
        (
            [*TASK, "--agent", "sac"],
            "--agent: got 'sac'; expected an agent of Cartpole. Known: distillation, finetune, ppo.",
        ),
        (
            [*TASK, "agent.algorithm.gama=0.9"],
            "agent.algorithm.gama: got an unknown field; expected a field of agent.algorithm. Did you mean 'gamma'?",
        ),
        (
            [*TASK, "env.effort_scale=strong"],
            'env.effort_scale: got "strong"; expected a valid number, unable to parse string as a number.',
        ),
        ([*TASK, "agent.algorithm.gamma=1.5"], "agent.algorithm.gamma: got 1.5; expected less than or equal to 1."),
        ([*TASK, "--num_envs", "0"], "env.scene.num_envs: got 0; expected greater than or equal to 1."),
        (
            [*TASK, "--checkpoint", "nowhere.pt"],
            "nowhere.pt: got no file; expected a checkpoint. Check the path.",
        ),
        (
            [*TASK, "--resume"],
            "--checkpoint latest: got no checkpoint in logs/cartpole; expected at least one run with a checkpoint. "
            "Train first, or give a path.",
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_names_and_values_that_cannot_be(tmp_path, monkeypatch, capsys, words, message):
    """Asked in this process, as the scripts ask: all else here does so in a process of its own."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", *words]) == 2
    said = capsys.readouterr()
    assert (said.err, said.out) == (f"error: {message}\n", "")
    assert not list(tmp_path.iterdir())


def test_a_script_says_so_and_ends(script, tmp_path):
    message = refused(script, *TASK, "agent.algorithm.gamma=1.5", cwd=tmp_path)
    assert message == "agent.algorithm.gamma: got 1.5; expected less than or equal to 1."


@pytest.mark.slow
def test_a_batch_that_does_not_divide(script, tmp_path):
    words = [*TASK, "--num_envs", "5", "agent.num_steps_per_env=3", "agent.algorithm.num_mini_batches=4"]
    assert refused(script, *words, cwd=tmp_path) == (
        "agent.algorithm.num_mini_batches: got 4, with 3 steps x 5 environments = 15 samples; "
        "expected a divisor of the number of samples. "
        "Use one of [1, 3, 5, 15], or change env.scene.num_envs or agent.num_steps_per_env."
    )


@pytest.mark.slow
def test_an_observation_group_that_does_not_exist(script, tmp_path):
    words = [*TASK, "--num_envs", "4", "agent.obs_groups.critic=[privileged]"]
    assert refused(script, *words, cwd=tmp_path) == (
        "agent.obs_groups.critic: got 'privileged'; "
        "expected one of the environment's observation groups: policy, sensors. Known: policy, sensors."
    )


@pytest.mark.slow
def test_pictures_without_opengl(script, tmp_path):
    environ = {**os.environ, "PYOPENGL_PLATFORM": "bogus"}
    environ.pop("MUJOCO_GL", None)
    message = refused(script, "--task", "Cartpole-Camera", "--log_root", "logs", cwd=tmp_path, env=environ)
    assert message.startswith("MUJOCO_GL: got no OpenGL that works (egl: ImportError: ")
    assert message.endswith(
        "expected one that draws without a screen, for the task's camera. Install it (on Debian and Ubuntu: apt-get "
        "install libegl1 libgl1-mesa-dri, or libosmesa6), or set MUJOCO_GL to what works here."
    )


@pytest.mark.slow
def test_an_actor_without_a_network_for_pictures(script, tmp_path):
    words = ["--task", "Cartpole-Camera", "--log_root", "logs", "--num_envs", "4", "agent.actor.cnn=null"]
    assert refused(script, *words, cwd=tmp_path) == (
        "agent.actor.cnn: got null; expected a network to see an image of 2 x 24 x 64 in group 'camera'. "
        "Set agent.actor.cnn.kind=cnn."
    )


@pytest.mark.slow
def test_cuda_without_cuda(script, tmp_path):
    message = refused(script, *TASK, "--device", "cuda", cwd=tmp_path, env={"CUDA_VISIBLE_DEVICES": ""})
    assert message.startswith("--device: got 'cuda', but ")
    assert message.endswith("; expected a device that is there. Use cpu.")


# --- checkpoints


@pytest.fixture
def checkpoint(tmp_path):
    """One of Cartpole, as it would be without having trained."""
    from fleetfoot.core.config import encode

    task = all_tasks()["Cartpole"]
    metadata = {"task": "Cartpole", "agent_name": "ppo", "iteration": 1, "env": encode(task.env_cfg())}
    path = tmp_path / "model_1.pt"
    save_checkpoint(path, Checkpoint(metadata={**metadata, "agent": encode(task.agents["ppo"]())}, state={}))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["play", "evaluate", "export"])
def test_a_checkpoint_that_is_missing(script, tmp_path, name):
    message = refused(script, *TASK, "--checkpoint", "gone.pt", cwd=tmp_path, name=name)
    assert message == "gone.pt: got no file; expected a checkpoint. Check the path."


@pytest.mark.slow
def test_a_checkpoint_that_is_truncated(script, checkpoint, tmp_path):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-200])
    message = refused(script, *TASK, "--checkpoint", "model_1.pt", cwd=tmp_path, name="play")
    assert message.startswith("model_1.pt: got a file that cannot be read (")
    assert message.endswith("It is truncated or not a checkpoint: use an older one, model_<iteration>.pt.")


@pytest.mark.slow
def test_a_checkpoint_of_another_program(script, tmp_path):
    torch.save({"actor_state_dict": {}, "iter": 3}, tmp_path / "model_3.pt")
    message = refused(script, *TASK, "--checkpoint", "model_3.pt", cwd=tmp_path, name="play")
    assert message == "model_3.pt: got a file with ['actor_state_dict', 'iter']; expected a fleetfoot checkpoint."


@pytest.mark.slow
def test_a_checkpoint_of_another_task(script, checkpoint, tmp_path):
    message = refused(script, "--task", "Anymal-Flat", "--checkpoint", "model_1.pt", cwd=tmp_path, name="play")
    assert message == (
        "model_1.pt: got a checkpoint of task 'Cartpole'; expected one of 'Anymal-Flat'. Check --task and --checkpoint."
    )


@pytest.mark.slow
def test_a_network_of_another_size_than_the_checkpoints(script, trained, tmp_path):
    run, _ = trained
    words = ["--task", "Cartpole", "--checkpoint", str(run), "agent.actor.network.hidden_dims=[8]"]
    done = script("evaluate", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "expected the parameters of agent.actor as configured" in done.stderr


@pytest.mark.slow
def test_a_checkpoint_of_an_environment_that_observed_otherwise(script, trained, tmp_path):
    run, _ = trained
    whole = load_checkpoint(run / "checkpoints" / "model_3.pt")
    changed = Checkpoint({**whole.metadata, "observation_spec": {"policy": [99]}}, whole.state)
    save_checkpoint(tmp_path / "model_3.pt", changed)
    done = script("evaluate", *TASK, "--checkpoint", "model_3.pt", cwd=tmp_path)
    assert done.returncode == 2
    assert "got trained on observations {'policy': (99,)}; expected {'policy': (4,), 'sensors': (3,)}" in done.stderr


# --- folders


@pytest.mark.slow
def test_a_file_where_the_log_folder_should_be(script, tmp_path):
    (tmp_path / "logs").write_text("in the way")
    message = refused(script, *TASK, "--num_envs", "4", cwd=tmp_path)
    assert message.startswith("logs/cartpole/")
    assert "got Not a directory; expected a folder that can be written." in message


@pytest.mark.slow
def test_a_log_folder_that_may_only_be_read(tmp_path):
    """Asked for as a user who is not root, once everything that root's folders hold is imported."""
    code = textwrap.dedent(
        """
        import os, sys
        from fleetfoot.cli.main import main
        from fleetfoot.tasks.registry import find_task
        import fleetfoot.cli.train, fleetfoot.algorithms.build, fleetfoot.cli.device, fleetfoot.cli.run_folder
        find_task("Cartpole").make_env(find_task("Cartpole").env_cfg(), device="cpu", seed=0).close()
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        sys.exit(main(["train", "--task", "Cartpole", "--num_envs", "4", "--log_root", sys.argv[1]]))
        """
    )
    log_root = tmp_path / "logs"
    log_root.mkdir(mode=0o555)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", code, str(log_root)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: {log_root}/cartpole/")
    assert (
        "got Permission denied; expected a folder that can be written. Choose another place with --log_root"
        in done.stderr
    )


@pytest.fixture
def full_disk(tmp_path):
    """A folder that takes 64 KiB, and what a process must do to be held to it.

    A file system of its own where this user may mount one, else a limit on the size of the files of the process.
    """
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    mounted = bool(shutil.which("mount")) and subprocess.run(mount, capture_output=True).returncode == 0
    yield folder, None if mounted else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_log_folder_on_a_full_disk(script, tmp_path, full_disk):
    folder, limit = full_disk
    words = ["--task", "Cartpole", "--num_envs", "4", "--log_root", str(folder)]
    done = script("train", *words, cwd=tmp_path, preexec_fn=limit)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "expected a folder with free space that this user can write" in done.stderr
    assert "Traceback" not in done.stderr
    assert "[1/" not in done.stdout


# --- environments


@pytest.fixture(params=all_tasks())
def env(request):
    task = all_tasks()[request.param]
    cfg = task.env_cfg()
    env = task.make_env(replace(cfg, scene=replace(cfg.scene, num_envs=3)), device="cpu", seed=0)
    yield env
    env.close()


def test_actions_of_the_wrong_shape(env):
    size = env.action_spec.size
    with pytest.raises(ContractError) as caught:
        env.step(torch.zeros(3, size + 1))
    assert str(caught.value) == f"step(actions).shape: got (3, {size + 1}); expected (3, {size}): [N, A]."


def test_an_environment_that_breaks_the_contract():
    class Lazy:
        """Rewards with an axis too many."""

        def __init__(self):
            self._env = ToyEnv(4)

        def __getattr__(self, name):
            return getattr(self._env, name)

        def step(self, actions):
            result = self._env.step(actions)
            return replace(result, reward=result.reward[:, None])

    with pytest.raises(ContractError) as caught:
        check_vec_env(Lazy())
    assert str(caught.value) == (
        "step().reward.shape: got (4, 1); expected (4,). See fleetfoot.core.vec_env for the contract."
    )
