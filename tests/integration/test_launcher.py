"""isaaclab.sh, run for real: copies of it set up small projects in folders with spaces, without a network."""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "cat", "df", "dirname", "flock", "grep", "id", "mkdir", "mktemp", "rm", "sleep", "uname")
NOBODY = 65534

# A project that installs offline: its build backend lies beside it. While there is a file `hold`, building waits.
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
version = "1.0"
"""
BACKEND = """
import pathlib, time, zipfile

METADATA = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\nProvides-Extra: wandb\\nProvides-Extra: dev\\n"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    here = pathlib.Path.cwd()
    (here / "building").touch()
    while (here / "hold").exists():
        time.sleep(0.02)
    extra = here / "requires.txt"
    files = {
        "tiny.pth": str(here / "source"),
        "tiny-1.0.dist-info/METADATA": METADATA + (extra.read_text() if extra.exists() else ""),
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files["tiny-1.0.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in [*files, "tiny-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return "tiny-1.0-py3-none-any.whl"
"""


def make_project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "isaaclab.sh", folder)
    (folder / "constraints.txt").touch()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "source" / "tiny").mkdir(parents=True)
    (folder / "source" / "tiny" / "__init__.py").write_text("where = __file__\n")
    (folder / "scripts").mkdir()
    (folder / "scripts" / "show.py").write_text(
        "import sys, tiny; print(sys.prefix); print(tiny.where); print(sys.argv[1:])\n"
    )
    return folder


def make_tools(folder: Path, without: str = "") -> Path:
    """A PATH with what every Unix has, and no Python."""
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        if tool != without and found:
            (folder / tool).symlink_to(found)
    return folder


def make_stub(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def make_python(path: Path, pretence: str) -> Path:
    """A Python that is another than it is: `pretence` runs before what is asked of it."""
    code = f"import sys; {pretence}; exec(sys.argv.pop(1))"
    return make_stub(path, f'[ "$1" = -c ] && shift\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"')


def clean_env(home: Path, tools: Path, **more: str) -> dict[str, str]:
    pip = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    return {"HOME": str(home), "PATH": str(tools), "PYTHON": sys.executable} | pip | more


def launch(project: Path, *args: str, env: dict[str, str], **options) -> subprocess.CompletedProcess[str]:
    command = [str(project / "isaaclab.sh"), *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, **options)


def start(project: Path, *args: str, env: dict[str, str]) -> subprocess.Popen[str]:
    """In a process group of its own, so that all of it can be killed."""
    command = [str(project / "isaaclab.sh"), *args]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "a clone")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return clean_env(tmp_path, make_tools(tmp_path / "tools"))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A project whose environment is set up, for the tests that only use it."""
    base = tmp_path_factory.mktemp("ready made")
    project, env = make_project(base / "a clone"), clean_env(base, make_tools(base / "tools"))
    ran = launch(project, "-i", env=env)
    assert ran.returncode == 0, ran.stderr
    return project, env


def not_root() -> dict:
    """Root may write everywhere: what is to fail for want of permission must run as somebody else."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can look into, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def assert_one_sentence(ran: subprocess.CompletedProcess[str], *words: str) -> None:
    errors = [line for line in ran.stderr.splitlines() if "error: " in line]
    assert ran.returncode == 1, ran.stderr
    assert errors == ran.stderr.splitlines()[-1:], ran.stderr
    for word in words:
        assert word in errors[0]


def test_runs_a_script_of_the_clone_from_any_folder(ready, tmp_path: Path) -> None:
    project, env = ready
    ran = launch(project, "-p", "scripts/show.py", "two words", "--x=1", env=env, cwd=tmp_path)
    prefix, where, args = ran.stdout.splitlines()
    assert prefix == str(project / ".venv")
    assert where.startswith(str(project / "source"))
    assert args == "['two words', '--x=1']"


def test_script_of_the_caller_comes_first(ready, tmp_path: Path) -> None:
    project, env = ready
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "show.py").write_text("print('mine')")
    assert launch(project, "--python", "scripts/show.py", env=env, cwd=tmp_path).stdout == "mine\n"


def test_says_in_one_line_what_runs_and_why(ready) -> None:
    project, env = ready
    ran = launch(project, "-p", "-c", "", env=env)
    assert len(ran.stderr.splitlines()) == 1
    assert str(project / ".venv/bin/python") in ran.stderr
    assert "no Isaac Lab is active" in ran.stderr


def test_exit_code_is_that_of_the_script(ready) -> None:
    project, env = ready
    assert launch(project, "-p", "-c", "raise SystemExit(37)", env=env).returncode == 37


def test_signals_reach_the_script(ready) -> None:
    project, env = ready
    code = "import signal, time; signal.signal(15, lambda *_: exit(143)); print('up', flush=True); time.sleep(60)"
    running = start(project, "-p", "-c", code, env=env)
    assert running.stdout is not None
    assert running.stdout.readline() == "up\n"
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=10)
    assert running.returncode == 143


def test_ready_environment_adds_next_to_nothing(ready) -> None:
    """The issue allows half a second; it is a few hundredths, since nothing but bash runs."""
    project, env = ready

    def fastest(command: list[str]) -> float:
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            subprocess.run(command, env=env, check=True, capture_output=True)
            times.append(time.perf_counter() - begin)
        return min(times)

    python = fastest([str(project / ".venv/bin/python"), "-c", ""])
    launched = fastest([str(project / "isaaclab.sh"), "-p", "-c", ""])
    print(f"the launcher adds {1e3 * (launched - python):.0f} ms")
    assert launched - python < 0.5


def test_commands_of_the_environment_are_found(ready) -> None:
    """As if it were activated: what a script starts by name is of this environment."""
    project, env = ready
    code = "import os, shutil; print(shutil.which('python')); print(os.environ['VIRTUAL_ENV'])"
    assert launch(project, "-p", "-c", code, env=env).stdout.splitlines() == [
        str(project / ".venv/bin/python"),
        str(project / ".venv"),
    ]


def test_ready_environment_in_a_clone_that_cannot_be_written(open_folder: Path) -> None:
    """Nothing is written once it is ready, so it serves other users too. (Root's Python may be out of their reach.)"""
    project = make_project(open_folder / "a clone")
    venv = project / ".venv"
    make_stub(venv / "bin/python", "id -u")
    (venv / "pyvenv.cfg").touch()
    texts = [str(project), PYPROJECT, "", ""]
    (venv / "fleetfoot-run.stamp").write_text("\n".join(texts))
    project.chmod(0o555)
    ran = launch(project, "-p", "-c", "", env={"PATH": os.environ["PATH"]}, **not_root())
    assert int(ran.stdout) != 0, ran.stderr


@pytest.mark.slow
def test_killed_half_way_is_repaired_by_the_next_run(project: Path, env) -> None:
    (project / "hold").touch()
    killed = start(project, "-p", "scripts/show.py", env=env)
    wait_for((project / "building").exists)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    (project / "hold").unlink()
    (project / ".venv/bin/python").unlink()  # What a killed installation leaves can be anything.
    ran = launch(project, "-p", "scripts/show.py", env=env)
    assert ran.returncode == 0, ran.stderr
    assert "making the environment" in ran.stderr
    again = launch(project, "-p", "scripts/show.py", env=env)
    assert again.stdout == ran.stdout
    assert len(again.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("without", ["", "flock"], ids=["flock", "without flock"])
def test_two_at_once_do_not_break_each_other(project: Path, tmp_path: Path, without: str) -> None:
    env = clean_env(tmp_path, make_tools(tmp_path / "tools", without))
    (project / "hold").touch()
    first = start(project, "-p", "scripts/show.py", env=env)
    wait_for((project / "building").exists)
    second = start(project, "-p", "scripts/show.py", env=env)
    assert second.stderr is not None
    said = second.stderr.readline() + second.stderr.readline()
    assert "another run is setting up" in said
    (project / "hold").unlink()
    outputs = [process.communicate(timeout=60) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert "installing" in outputs[0][1]
    assert "installing" not in outputs[1][1]


@pytest.mark.slow
def test_ctrl_c_while_setting_up(project: Path, env) -> None:
    (project / "hold").touch()
    running = start(project, "-p", "scripts/show.py", env=env)
    wait_for((project / "building").exists)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "interrupted" in said


@pytest.mark.slow
def test_moved_clone_gets_an_environment_that_points_to_where_it_is(project: Path, env) -> None:
    launch(project, "-i", env=env)
    moved = project.rename(project.parent / "moved clone")
    ran = launch(moved, "-p", "scripts/show.py", env=env)
    assert ran.stdout.splitlines()[1].startswith(str(moved)), ran.stderr


@pytest.mark.slow
def test_no_network_and_then_again(project: Path, env) -> None:
    """What failed for want of a network goes on, without making the environment anew, once there is one."""
    (project / "requires.txt").write_text("Requires-Dist: not-on-this-disk\n")
    offline = {key: value for key, value in env.items() if key != "PIP_NO_INDEX"}
    offline |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    assert_one_sentence(launch(project, "-p", "scripts/show.py", env=offline), "network")
    (project / "requires.txt").unlink()
    ran = launch(project, "-p", "scripts/show.py", env=env)
    assert ran.returncode == 0, ran.stderr
    assert "making the environment" not in ran.stderr


@pytest.mark.slow
def test_changed_requirements_are_installed_once(project: Path, env) -> None:
    launch(project, "-i", env=env)
    (project / "constraints.txt").write_text("# nothing of note\n")
    changed = launch(project, "-p", "scripts/show.py", env=env)
    assert "installing" in changed.stderr
    assert "making the environment" not in changed.stderr
    assert "installing" not in launch(project, "-p", "scripts/show.py", env=env).stderr


def test_no_python(project: Path, env) -> None:
    del env["PYTHON"]
    assert_one_sentence(launch(project, "-p", "scripts/show.py", env=env), "no Python", "3.11")


def test_python_that_is_too_old(project: Path, env, tmp_path: Path) -> None:
    make_python(tmp_path / "tools/python3", "sys.version_info = (3, 8, 18, 'final', 0)")
    del env["PYTHON"]
    assert_one_sentence(launch(project, "-p", "scripts/show.py", env=env), "3.8.18", "too old", "3.11")


def test_python_without_venv(project: Path, env, tmp_path: Path) -> None:
    make_python(tmp_path / "tools/python3", "sys.modules['ensurepip'] = None")
    del env["PYTHON"]
    assert_one_sentence(launch(project, "-p", "scripts/show.py", env=env), "venv", "apt install")


def test_python_named_by_the_user_must_run(project: Path, env) -> None:
    env["PYTHON"] = "/no/such/python"
    assert_one_sentence(launch(project, "-p", "scripts/show.py", env=env), "/no/such/python")


@pytest.mark.slow
def test_shim_that_fails_is_passed_over(project: Path, env, tmp_path: Path) -> None:
    """pyenv leaves a `python3` on PATH even when no version is selected."""
    make_stub(tmp_path / "tools/python3", "echo 'pyenv: command not found' >&2; exit 127")
    make_stub(tmp_path / "tools/python3.11", f'exec {shlex.quote(sys.executable)} "$@"')
    del env["PYTHON"]
    ran = launch(project, "-p", "scripts/show.py", env=env)
    assert ran.returncode == 0, ran.stderr


def test_full_disk(project: Path, env, tmp_path: Path) -> None:
    make_disk(tmp_path / "tools", 100)
    assert_one_sentence(launch(project, "-p", "scripts/show.py", env=env), "100 MB", "make room")


def make_disk(tools: Path, megabytes: int) -> None:
    (tools / "df").unlink()
    space = f"/dev/sda1 9 9 {megabytes * 1024} 9% /"
    make_stub(tools / "df", f"echo Filesystem 1024-blocks Used Available; echo {shlex.quote(space)}")


def make_index(folder: Path, *versions: str) -> dict[str, str]:
    """Settings of pip with which it finds these versions of torch. They are named, and never opened."""
    folder.mkdir()
    for version in versions:
        (folder / f"torch-{version}-py3-none-any.whl").touch()
    return {"PIP_FIND_LINKS": str(folder)}


@pytest.mark.slow
def test_disk_too_small_for_cuda(project: Path, env, tmp_path: Path) -> None:
    """5 GB are enough for torch on the CPU alone: whether that is what pip will take, pip says."""
    (project / "constraints.txt").write_text("# one release\ntorch==2.13.0\n")
    make_disk(tmp_path / "tools", 5000)
    with_cuda = env | make_index(tmp_path / "cuda_index", "2.13.0", "2.12.0+cpu")
    ran = launch(project, "-p", "scripts/show.py", env=with_cuda)
    assert_one_sentence(ran, "5000 MB", "9000 with CUDA", "PIP_EXTRA_INDEX_URL")
    on_cpu = env | make_index(tmp_path / "cpu_index", "2.13.0", "2.13.0+cpu")
    ran = launch(project, "-p", "scripts/show.py", env=on_cpu)
    assert ran.returncode == 0, ran.stderr


def test_clone_that_cannot_be_written(open_folder: Path) -> None:
    project = make_project(open_folder / "a clone")
    project.chmod(0o555)
    ran = launch(project, "-p", "scripts/show.py", env={"PATH": os.environ["PATH"]}, **not_root())
    assert_one_sentence(ran, "cannot be written")


def test_something_else_where_the_environment_goes(project: Path, env) -> None:
    (project / ".venv").write_text("")
    assert_one_sentence(launch(project, "-p", "scripts/show.py", env=env), "in the way")


@pytest.mark.parametrize("switch", [(), ("--fly",)])
def test_unknown_switch(project: Path, env, switch: tuple[str, ...]) -> None:
    ran = launch(project, *switch, env=env)
    assert ran.returncode == 2
    assert "--help" in ran.stderr


def test_help_sets_nothing_up(project: Path, env) -> None:
    ran = launch(project, "-h", env=env)
    assert ran.returncode == 0
    assert "--python" in ran.stdout
    assert not (project / ".venv").exists()


SHOW = "import sys, fleetfoot, fleetfoot_isaaclab; print(sys.prefix); print(fleetfoot.__file__)"


def test_isaaclab_path(tmp_path: Path, env) -> None:
    make_stub(tmp_path / "Isaac Lab/_isaac_sim/python.sh", f'exec {shlex.quote(sys.executable)} "$@"')
    ran = launch(ROOT, "-p", "-c", SHOW, env=env | {"ISAACLAB_PATH": str(tmp_path / "Isaac Lab")})
    assert ran.stdout.splitlines()[1] == str(ROOT / "source/fleetfoot/__init__.py"), ran.stderr
    assert "ISAACLAB_PATH is set" in ran.stderr


def test_isaaclab_path_with_a_launcher_only(tmp_path: Path, env) -> None:
    make_stub(tmp_path / "Isaac Lab/isaaclab.sh", f'[ "$1" = -p ] && shift && exec {shlex.quote(sys.executable)} "$@"')
    ran = launch(ROOT, "-p", "-c", SHOW, env=env | {"ISAACLAB_PATH": str(tmp_path / "Isaac Lab")})
    assert ran.stdout.splitlines()[1] == str(ROOT / "source/fleetfoot/__init__.py"), ran.stderr


def test_isaaclab_path_that_is_none(project: Path, env, tmp_path: Path) -> None:
    ran = launch(project, "-p", "scripts/show.py", env=env | {"ISAACLAB_PATH": str(tmp_path)})
    assert_one_sentence(ran, "ISAACLAB_PATH", str(tmp_path))


def test_isaac_python(project: Path, env) -> None:
    ran = launch(project, "-p", "-c", "import tiny; print(tiny.where)", env=env | {"ISAAC_PYTHON": sys.executable})
    assert ran.stdout.startswith(str(project / "source")), ran.stderr
    assert not (project / ".venv").exists()


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_active_environment_with_isaaclab(project: Path, env, tmp_path: Path, variable: str) -> None:
    """It is looked for, not imported: that would take seconds."""
    active = tmp_path / "active env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(active)], check=True)
    (site_packages,) = active.glob("lib/python3*/site-packages")
    (site_packages / "isaaclab").mkdir()
    (site_packages / "isaaclab" / "__init__.py").write_text("raise RuntimeError('imported')")
    ran = launch(project, "-p", "-c", "import sys, tiny; print(sys.prefix)", env=env | {variable: str(active)})
    assert ran.stdout == f"{active}\n", ran.stderr
    assert "the active environment has isaaclab" in ran.stderr
    assert not (project / ".venv").exists()


@pytest.fixture
def bare(tmp_path: Path, env) -> dict[str, str]:
    """Somebody's Python with nothing in it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    return env | {"ISAAC_PYTHON": str(tmp_path / "bare/bin/python")}


@pytest.mark.parametrize("args", [("scripts/train.py", "--help"), ("-m", "fleetfoot.cli.main")], ids=str)
def test_isaac_lab_without_what_fleetfoot_needs(bare, tmp_path: Path, args: tuple[str, ...]) -> None:
    ran = launch(ROOT, "-p", *args, env=bare, cwd=tmp_path)
    assert_one_sentence(ran, "pydantic", "mujoco", "rich", "./isaaclab.sh -i")
    assert not ran.stdout


def test_isaac_lab_without_what_fleetfoot_needs_still_runs_other_code(bare, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("print('mine')")
    assert launch(ROOT, "-p", "own.py", env=bare, cwd=tmp_path).stdout == "mine\n"
    assert launch(ROOT, "-p", "-c", "print('mine')", env=bare).stdout == "mine\n"


@pytest.mark.slow
def test_isaac_lab_with_what_fleetfoot_needs_is_ready_in_half_a_second(env) -> None:
    """Looking for the modules is one start of Python, which imports none of them."""
    env |= {"ISAAC_PYTHON": sys.executable}
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        ran = launch(ROOT, "-p", "scripts/list_tasks.py", env=env)
        middle = time.perf_counter()
        alone = subprocess.run(
            [sys.executable, ROOT / "scripts/list_tasks.py"], env=env, capture_output=True, text=True
        )
        times.append((middle - begin) - (time.perf_counter() - middle))
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout == alone.stdout
    print(f"the launcher adds {1e3 * min(times):.0f} ms")
    assert min(times) < 0.5


def test_every_dependency_is_looked_for() -> None:
    """One module for each, by the names under which they are imported."""
    (line,) = [line for line in (ROOT / "isaaclab.sh").read_text().splitlines() if line.startswith("needed_modules=")]
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.split(r"[<>=!~;\[ ]", dependency)[0] for dependency in dependencies]
    imported = {"pyyaml": "yaml", "imageio-ffmpeg": "imageio_ffmpeg", "pillow": "PIL"}
    assert line.split("(")[1].rstrip(")").split() == [imported.get(name, name) for name in names]


@pytest.mark.slow
def test_active_environment_without_isaaclab_is_left_alone(project: Path, env, tmp_path: Path) -> None:
    active = tmp_path / "active env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(active)], check=True)
    ran = launch(project, "-p", "scripts/show.py", env=env | {"VIRTUAL_ENV": str(active)})
    assert ran.stdout.splitlines()[0] == str(project / ".venv"), ran.stderr


def test_a_script_is_told_how_the_launcher_was_typed(ready) -> None:
    project, env = ready
    tell = ["-p", "-c", "import os; print(os.environ['FLEETFOOT_LAUNCHER'])"]
    for typed, told in (
        (["./isaaclab.sh"], "./isaaclab.sh -p"),
        (["bash", "isaaclab.sh"], "bash isaaclab.sh -p"),
        ([str(project / "isaaclab.sh")], f"{str(project).replace(' ', chr(92) + ' ')}/isaaclab.sh -p"),
    ):
        ran = subprocess.run([*typed, *tell], cwd=project, env=env, capture_output=True, text=True, timeout=60)
        assert ran.stdout == f"{told}\n", ran.stderr


@pytest.fixture
def tested(project: Path) -> Path:
    """The project with one test in it, that says from where it ran."""
    (project / "tests/unit").mkdir(parents=True)
    (project / "tests/unit/test_it.py").write_text("import os\ndef test_it():\n    print('in', os.getcwd())\n")
    return project


@pytest.fixture
def here(env) -> dict[str, str]:
    """This Python, whose pytest loads of its plugins only what the launcher asks for: others take long."""
    plugins = {"PYTEST_PLUGINS": "xdist.plugin"} if importlib.util.find_spec("xdist") else {}
    return env | {"ISAAC_PYTHON": sys.executable, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | plugins


@pytest.mark.parametrize("args", [(), ("unit",), ("tests/unit/test_it.py::test_it",), ("-k", "test_it")], ids=str)
def test_tests_run_in_the_clone_from_any_folder(tested: Path, here, tmp_path: Path, args: tuple[str, ...]) -> None:
    ran = launch(tested, "-t", "-s", *args, env=here, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"in {tested}" in ran.stdout
    assert "1 passed" in ran.stdout


def test_tests_given_by_a_path_from_where_the_caller_is(tested: Path, here) -> None:
    ran = launch(tested, "-t", "unit/test_it.py", env=here, cwd=tested / "tests")
    assert "1 passed" in ran.stdout, ran.stderr


def test_tests_without_pytest(tested: Path, env, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    ran = launch(tested, "-t", env=env | {"ISAAC_PYTHON": str(tmp_path / "bare/bin/python")})
    assert_one_sentence(ran, "no pytest", "pip install pytest")


def make_wheel(folder: Path, name: str, version: str, module: str = "", requires: str = "") -> None:
    """A package of one module, for pip to find offline."""
    folder.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": module,
        f"{about}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


@pytest.fixture
def theirs(project: Path, tmp_path: Path, env) -> dict[str, str]:
    """Somebody's environment that has torch 1.0. The project needs that and numpy; there is a torch 2.0 too."""
    (project / "pyproject.toml").write_text(
        f'{PYPROJECT}dependencies = [\n    "torch>=2",\n    "numpy>=1",  # both\n]\n'
    )
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "torch", "1.0")
    make_wheel(wheels, "torch", "2.0")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "theirs")], check=True)
    python = str(tmp_path / "theirs/bin/python")
    env |= {"ISAAC_PYTHON": python, "PIP_FIND_LINKS": str(wheels)}
    subprocess.run([python, "-m", "pip", "install", "torch==1.0"], env=env, check=True, capture_output=True)
    return env


def versions(env: dict[str, str]) -> list[str]:
    command = [env["ISAAC_PYTHON"], "-m", "pip", "list", "--format=freeze"]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.slow
def test_isaac_lab_gets_what_it_lacks_and_keeps_what_it_has(project: Path, theirs) -> None:
    make_wheel(Path(theirs["PIP_FIND_LINKS"]), "numpy", "1.5", requires="torch")
    before = versions(theirs)
    ran = launch(project, "-i", env=theirs)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert sorted(set(versions(theirs)) - set(before)) == ["numpy==1.5", "tiny==1.0"]
    assert set(before) < set(versions(theirs))
    assert "torch==1.0" in before


@pytest.mark.slow
def test_isaac_lab_that_would_have_to_change_is_left_alone(project: Path, theirs) -> None:
    make_wheel(Path(theirs["PIP_FIND_LINKS"]), "numpy", "1.5", requires="torch>=2")
    before = versions(theirs)
    assert_one_sentence(launch(project, "-i", env=theirs), "numpy>=1", "without changing what is there")
    assert versions(theirs) == before


def test_everything_is_the_fast_tests_and_then_the_slow_ones(tested: Path, here) -> None:
    """What fails in the first part does not keep the second from being told, and is not forgotten over it."""
    (tested / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    slow = "import pytest\n@pytest.mark.slow\ndef test_slow():\n    pass\ndef test_fails():\n    assert False\n"
    (tested / "tests/unit/test_more.py").write_text(slow)
    ran = launch(tested, "-t", env=here)
    fast, _, rest = ran.stdout.partition("short test summary")
    assert "test_fails" in rest
    assert "1 failed, 1 passed" in rest
    assert "1 passed, 2 deselected" in rest
    assert ran.returncode == 1
    if (os.cpu_count() or 1) > 1:
        assert "workers" in fast


@pytest.fixture
def laned(project: Path, tmp_path: Path, env) -> dict[str, str]:
    """The project with mjlab's lane, of one test, whose pytest is a module that prints its arguments."""
    (project / "tests").mkdir()
    shutil.copy(ROOT / "tests/lanes.sh", project / "tests")
    for lane in ("mjlab", "isaaclab"):
        (project / "tests" / lane).mkdir()
        (project / "tests" / lane / "requirements.txt").write_text("pytest\n")
        (project / "tests" / lane / "constraints.txt").write_text("pytest==9.0\n")
    code = "import os, sys; print(os.environ['PYTHONPATH']); print(os.environ['WARP_CACHE_PATH']); print(sys.argv[1:])"
    make_wheel(tmp_path / "wheels", "pytest", "9.0", code)
    for tool in ("cksum", "find", "touch"):
        (tmp_path / "tools" / tool).symlink_to(str(shutil.which(tool)))
    return env | {"PIP_FIND_LINKS": str(tmp_path / "wheels"), "XDG_CACHE_HOME": str(tmp_path / "a cache")}


@pytest.mark.slow
def test_a_lane_is_made_once_outside_the_clone(project: Path, laned, tmp_path: Path) -> None:
    first = launch(project, "-t", "mjlab", "-k", "name", env=laned)
    assert first.returncode == 0, first.stderr
    path, warp, words = first.stdout.splitlines()[-3:]
    assert path == f"{project}/source:{project}/extension"
    assert warp.startswith(str(tmp_path / "a cache/fleetfoot/lanes/mjlab-"))
    assert words == "['-k', 'name', 'tests/mjlab']"
    assert "making the environment" in first.stderr
    assert not (project / ".venv").exists()

    (stamp,) = (tmp_path / "a cache").glob("fleetfoot/lanes/*/venv/*.stamp")
    again = launch(Path(shutil.copytree(project, tmp_path / "another clone")), "-t", "mjlab", env=laned)
    assert "making the environment" not in again.stderr
    assert again.stdout.splitlines()[-2] == warp

    stamp.unlink()  # As when it was killed before the end.
    assert "making the environment" in launch(project, "-t", "mjlab", env=laned).stderr

    (project / "tests/mjlab/constraints.txt").write_text("pytest==9.0  # another lock\n")
    assert "making the environment" in launch(project, "-t", "mjlab", env=laned).stderr


def assert_no_lane(ran: subprocess.CompletedProcess[str], *words: str) -> None:
    errors = [line for line in ran.stderr.splitlines() if "error: " in line]
    assert ran.returncode == 69, ran.stderr
    assert errors == ran.stderr.splitlines()[-1:], ran.stderr
    assert all(word in errors[0] for word in words), errors


def test_a_lane_that_this_machine_cannot_have(project: Path, laned, tmp_path: Path) -> None:
    """Each has a status of its own, by which it is told from tests that fail."""
    make_python(tmp_path / "python", "sys.version_info = (3, 11, 1)")
    ran = launch(project, "-t", "isaaclab", env=laned | {"PYTHON": str(tmp_path / "python")})
    assert_no_lane(ran, "Python 3.12", "PYTHON=")
    make_disk(tmp_path / "tools", 5000)
    assert_no_lane(launch(project, "-t", "mjlab", env=laned), "5000 MB", "6000", "make room")


@pytest.mark.slow
def test_a_lane_without_a_network(project: Path, laned) -> None:
    offline = {key: value for key, value in laned.items() if key not in ("PIP_NO_INDEX", "PIP_FIND_LINKS")}
    offline |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    assert_no_lane(launch(project, "-t", "mjlab", env=offline), "network")


@pytest.mark.slow
def test_a_lane_whose_lock_cannot_be_fails(project: Path, laned) -> None:
    (project / "tests/mjlab/constraints.txt").write_text("pytest==8.0\n")
    assert_one_sentence(launch(project, "-t", "mjlab", env=laned), "pip could not install")
