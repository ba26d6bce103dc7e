#!/usr/bin/env bash
#
# The launcher. Beside an Isaac Lab installation it runs there; in a bare clone it makes an environment of its own.
# `./isaaclab.sh --help` lists the switches. Written for bash 3.2, which is what macOS has.
#
# How the environment of the clone is kept whole:
#   .venv/                  the environment
#   .venv/fleetfoot-*.stamp written last, once an installation is complete: the text of everything that decides what is installed.
#                           When it equals the present text, the environment is ready, and nothing but bash runs before the script.
#   .venv.unfinished        there while files are being installed. Found at the start, it means that a run was killed in the middle:
#                           what lies in .venv cannot be trusted, and it is made anew (from pip's cache: no second download).
#   .venv.lock              held while setting up, so that two runs do not install into one folder.
#   .venv.log               pip's log of the last set-up.

set -euo pipefail

caller="$PWD"
root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
venv="$root/.venv"
unfinished="$root/.venv.unfinished"
lock="$root/.venv.lock"
log="$root/.venv.log"
place="$root"  # Where the environment lies: its disk must be large enough.

python=()   # The command that starts the chosen Python: one word, or Isaac Lab's own launcher and its switch.
in_clone=0  # 1 when that is the environment of this clone.

usage() {
  cat <<'HELP'
usage: isaaclab.sh SWITCH ...

  -p, --python SCRIPT ...   run a Python script (or -m MODULE, -c CODE) with its arguments
  -t, --test [ARG ...]      run the tests; arguments go to pytest:
                              -t                     everything: the fast ones in several processes, then the slow ones
                              -t -m "not slow"       the fast ones
                              -t unit                one folder of tests/
                              -t tests/unit/test_x.py -k name
                              -t isaaclab            with the real Isaac Lab, in an environment of its own, made on first use
                              -t mjlab               the same with mjlab
  -i, --install             set up the environment and leave; inside Isaac Lab: install fleetfoot into it
  -f, --format              format the code and repair what the linter can
  -h, --help                this text

Which Python runs:
  ISAAC_PYTHON              this one, if set
  VIRTUAL_ENV, CONDA_PREFIX the active environment, if it has isaaclab
  ISAACLAB_PATH             the Python of that Isaac Lab, if set
  otherwise                 .venv in this folder, made on first use from $PYTHON, python3, python3.13, ...
                            pip's own settings (pip.conf, PIP_*) decide where packages come from.
HELP
}

say() { printf '[fleetfoot] %s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# Fails for a reason that lies in the machine.
cannot_status=1
cannot() {
  say "error: $*"
  exit "$cannot_status"
}

have() { command -v "$1" >/dev/null 2>&1; }

has_module() { "$1" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)' "$2" >/dev/null 2>&1; }

# The active environment, if it is somebody's with Isaac Lab in it. Ours is not asked: it has none.
active_isaaclab_python() {
  local prefix
  for prefix in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
    [[ -n $prefix && $prefix != "$venv" && -x $prefix/bin/python ]] || continue
    if has_module "$prefix/bin/python" isaaclab; then
      printf '%s' "$prefix/bin/python"
      return
    fi
  done
}

python_of_isaaclab_path() {
  local candidate
  for candidate in _isaac_sim/python.sh env_isaaclab/bin/python .venv/bin/python; do
    if [[ -x $ISAACLAB_PATH/$candidate ]]; then
      python=("$ISAACLAB_PATH/$candidate")
      return
    fi
  done
  [[ -x $ISAACLAB_PATH/isaaclab.sh ]] || fail "ISAACLAB_PATH is '$ISAACLAB_PATH', where there is no Isaac Lab (no isaaclab.sh, no" \
    "_isaac_sim/python.sh): correct it, unset it, or name a Python in ISAAC_PYTHON."
  python=("$ISAACLAB_PATH/isaaclab.sh" -p)
}

choose_python() {
  local reason active=""
  if [[ -z ${ISAAC_PYTHON:-} && -n ${VIRTUAL_ENV:-}${CONDA_PREFIX:-} ]]; then
    active="$(active_isaaclab_python)"
  fi
  if [[ -n ${ISAAC_PYTHON:-} ]]; then
    have "$ISAAC_PYTHON" || fail "ISAAC_PYTHON is '$ISAAC_PYTHON', which cannot be run: correct it or unset it."
    python=("$ISAAC_PYTHON")
    reason="ISAAC_PYTHON is set"
  elif [[ -n $active ]]; then
    python=("$active")
    reason="the active environment has isaaclab"
  elif [[ -n ${ISAACLAB_PATH:-} ]]; then
    python_of_isaaclab_path
    reason="ISAACLAB_PATH is set"
  else
    python=("$venv/bin/python")
    in_clone=1
    reason="no Isaac Lab is active: this clone's own environment"
  fi
  say "Python: ${python[*]} ($reason)"
}

# Sets `fingerprint` to the text of everything that decides what belongs in the environment. No process is started for it.
read_fingerprint() {
  local file text
  fingerprint="$root"
  for file in "$root/pyproject.toml" "$root/constraints.txt" "$venv/pyvenv.cfg"; do
    text=""
    [[ ! -r $file ]] || IFS= read -r -d '' text <"$file" || true
    fingerprint+=$'\n'"$text"
  done
}

# True when what NAME (run, dev) stands for is installed in full.
is_ready() {
  local stamp="$venv/fleetfoot-$1.stamp" text="" fingerprint
  [[ -x $venv/bin/python && -r $stamp && ! -e $unfinished ]] || return 1
  read_fingerprint
  IFS= read -r -d '' text <"$stamp" || true
  [[ $text == "$fingerprint" ]]
}

write_stamp() {
  local fingerprint
  read_fingerprint
  printf '%s' "$fingerprint" >"$venv/fleetfoot-$1.stamp"
}

# True for an environment that was finished once and is still where it was made: pip can bring it up to date.
is_sound() {
  local home="" stamp="$venv/fleetfoot-base.stamp"
  [[ -x $venv/bin/python && -r $stamp && ! -e $unfinished ]] || return 1
  IFS= read -r -d '' home <"$stamp" || true
  [[ $home == "$root" ]]
}

# What a Python is: "ok|old|no-venv  version  path", with links resolved, so that an upgrade of the system which takes this Python
# away leaves a broken link, which is noticed, rather than a link to another version. Runs in any Python since 2.7.
probe='
import os, sys
state = "ok" if sys.version_info >= (3, 11) else "old"
if state == "ok":
    try:
        import ensurepip, venv
    except ImportError:
        state = "no-venv"
print("%s %d.%d.%d %s" % ((state,) + tuple(sys.version_info[:3]) + (os.path.realpath(sys.executable),)))
'

# Prints the path of a Python that can make the environment.
find_base_python() {
  local candidate state version path too_old="" no_venv=""
  local candidates=(python3 python3.13 python3.12 python3.11 python3.14 python)
  [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    # A name on PATH may still fail: pyenv leaves shims for versions that are not selected.
    have "$candidate" || continue
    read -r state version path < <("$candidate" -c "$probe" 2>/dev/null) || continue
    case "$state" in
      ok) printf '%s' "$path" && return ;;
      old) too_old="${too_old:-$version at $path}" ;;
      no-venv) no_venv="${no_venv:-$version at $path}" ;;
    esac
  done
  if [[ -n $no_venv ]]; then
    cannot "Python $no_venv cannot make environments: install its venv module (Debian, Ubuntu: apt install python3-venv)."
  elif [[ -n $too_old ]]; then
    cannot "Python $too_old is too old: fleetfoot needs 3.11 or newer; install one, or name it: PYTHON=/path/to/python3.12 ./isaaclab.sh ..."
  elif [[ -n ${PYTHON:-} ]]; then
    fail "PYTHON is '$PYTHON', which is no Python that runs: correct it or unset it."
  fi
  cannot "no Python was found: fleetfoot needs 3.11 or newer (Debian, Ubuntu: apt install python3-venv)."
}

take_lock() {
  local holder
  if have flock; then
    # Children inherit the descriptor: a pip that outlives a killed launcher keeps the lock until it is done.
    exec 9>"$lock"
    flock -n 9 && return
    say "another run is setting up this environment: waiting for it."
    flock 9
    return
  fi
  while ! mkdir "$lock.d" 2>/dev/null; do
    holder="$(cat "$lock.d/pid" 2>/dev/null || true)"
    if [[ -n $holder ]] && ! kill -0 "$holder" 2>/dev/null; then
      rm -rf "$lock.d"
      continue
    fi
    [[ -n ${waiting:-} ]] || say "another run is setting up this environment: waiting for it (if there is none, remove $lock.d)."
    waiting=1
    sleep 1
  done
  printf '%s' "$$" >"$lock.d/pid"
  trap 'rm -rf "$lock.d"' EXIT
}

release_lock() {
  if have flock; then
    exec 9>&-
  else
    rm -rf "$lock.d"
    trap - EXIT
  fi
}

# Prints the space that is left where $1 lies; nothing, when df cannot tell.
free_megabytes() {
  local free
  { read -r _ && read -r _ _ _ free _; } < <(df -Pk -- "$1" 2>/dev/null) || return 0
  case "$free" in
    "" | *[!0-9]*) ;;
    *) printf '%d' $((free / 1024)) ;;
  esac
}

# Refuses a disk that is too small for what will be installed: $1 MB.
require_space() {
  local free
  free="$(free_megabytes "$place")"
  [[ -z $free || $free -ge $1 ]] || cannot "the disk of '$place' has $free MB left and the environment needs $1${2:-}: make room${3:-}."
}

# True when pip says that it will take the CUDA build of torch: on Linux, where the index has no build for the CPU of the release that
# constraints.txt asks for. When pip cannot tell, as without a network, it is false.
torch_comes_with_cuda() {
  local line release="" versions
  [[ $(uname -s) == Linux ]] || return 1
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line != torch==* ]] || release="${line#torch==}"
  done <"$root/constraints.txt"
  versions="$(PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -I -m pip index versions torch 2>/dev/null)" || return 1
  [[ $versions != *"$release+cpu"* ]]
}

make_venv() {
  local base
  base="$(find_base_python)"
  require_space 2500 " (with CUDA 9000)"
  say "making the environment from $base: this happens once, and takes a few minutes (log: $log)."
  if [[ $(uname -s) == Linux && ! -e /dev/nvidiactl && ! -e /dev/dxg ]]; then
    say "no NVIDIA GPU here: to spare the download of CUDA, set PIP_EXTRA_INDEX_URL to PyTorch's CPU index before this step."
  fi
  rm -rf "$venv" || fail "'$venv' is broken and cannot be removed: remove it by hand."
  "$base" -I -m venv "$venv" >>"$log" 2>&1 || fail_set_up "could not make an environment in '$venv'"
  printf '%s' "$root" >"$venv/fleetfoot-base.stamp" || fail_set_up "could not write in '$venv'"
}

# A disk that is large enough for either build of torch needs no question to the package index.
require_space_for_cuda() {
  local free
  free="$(free_megabytes "$place")"
  [[ -n $free && $free -lt 9000 ]] && torch_comes_with_cuda || return 0
  require_space 9000 " with CUDA" ", or set PIP_EXTRA_INDEX_URL to PyTorch's CPU index, with which 2500 are enough"
}

disk_was_full() {
  local free
  free="$(free_megabytes "$place")"
  [[ -n $free && $free -lt 50 ]] || grep -qs -e 'No space left on device' -e 'Errno 28' -e 'Disk quota exceeded' "$log"
}

# Says why the set-up stopped, as well as the log and the disk can tell.
fail_set_up() {
  local free
  if disk_was_full; then
    free="$(free_megabytes "$place")"
    cannot "the disk is full (${free:-?} MB left at '$place'; temporary files go to '${TMPDIR:-/tmp}'): make room and run this again."
  elif grep -qs -e 'NewConnectionError' -e 'name resolution' -e 'ConnectTimeout' -e 'ReadTimeout' -e 'unreachable' -e 'Connection refused' \
    -e 'getaddrinfo' -e 'ProxyError' "$log"; then
    cannot "the package index cannot be reached: check the network, the proxy and pip's settings, and run this again (log: $log)."
  fi
  fail "$1: the reason is at the end of $log; once it is mended, run this again."
}

pip_install() {
  local quiet=(--quiet --progress-bar off)
  [[ ! -t 2 ]] || quiet=()
  # -I: neither PYTHONPATH (ROS sets one) nor the user's own packages count as installed. PIP_USER: not into the home folder.
  PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -I -m pip --log "$log" install "${quiet[@]+"${quiet[@]}"}" "$@" >&2
}

# Installs what NAME stands for: run = what training needs, dev = that and what the tests and the checks need.
set_up() {
  local extras="wandb"
  [[ $1 == run ]] || extras="wandb,dev"
  [[ ! -e $venv || -d $venv ]] || fail "'$venv' is in the way and is no folder: move it."
  [[ -w $root ]] || fail "'$root' cannot be written by $(id -un): the environment is made there, so clone where you may write."
  take_lock
  if is_ready "$1"; then
    release_lock
    return
  fi
  trap 'say "interrupted: the next run starts the set-up again, without downloading twice."; exit 130' INT
  : >"$log"
  if ! is_sound; then
    : >"$unfinished"
    make_venv
    require_space_for_cuda
  fi
  say "installing packages ($extras)."
  : >"$unfinished"
  rm -f "$venv"/fleetfoot-{run,dev}.stamp
  if ! pip_install --constraint "$root/constraints.txt" --editable "${root}[$extras]"; then
    # A pip that gives up (no network, no such version) leaves a sound environment. One that is killed, or out of disk, does not.
    disk_was_full || rm -f "$unfinished"
    fail_set_up "pip could not install the packages"
  fi
  rm -f "$unfinished"
  [[ $1 == run ]] || write_stamp dev
  write_stamp run
  trap - INT
  release_lock
}

# Makes the chosen Python ready to run fleetfoot, with what NAME (run, dev) stands for.
prepare() {
  choose_python
  if [[ $in_clone == 0 ]]; then
    # Another's installation: fleetfoot becomes importable, and nothing is installed.
    export PYTHONPATH="$root/source:$root/extension${PYTHONPATH:+:$PYTHONPATH}"
    return
  fi
  is_ready "$1" || set_up "$1"
  enter_environment
}

# As activating it would: so that `fleetfoot`, `torchrun` and `tensorboard` started by a script are those of this environment.
enter_environment() {
  unset PYTHONHOME
  export VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH"
}

# Sets `needs` to what pyproject.toml says that fleetfoot needs: a name and versions for each.
read_needs() {
  local line inside=0
  needs=()
  while IFS= read -r line; do
    case "$inside $line" in
      "0 dependencies = ["*) inside=1 ;;
      "1 ]"*) break ;;
      "1 "*\"*\"*)
        line="${line#*\"}"
        needs+=("${line%%\"*}")
        ;;
    esac
  done <"$root/pyproject.toml"
}

# Modules that fleetfoot imports, one for each dependency in pyproject.toml, in their order.
needed_modules=(torch numpy mujoco gymnasium pydantic yaml rich tensorboard onnx onnxscript onnxruntime imageio_ffmpeg PIL matplotlib)

missing_probe='
import importlib.util, sys
print("missing:" + " ".join(name for name in sys.argv[1:] if importlib.util.find_spec(name) is None))
'

# Says what another's installation lacks before a script of this clone runs into it. Modules are looked for, not imported: that would take
# seconds. Other scripts are not asked: they may need nothing of fleetfoot.
require_needed_modules() {
  local said
  [[ $in_clone == 0 ]] || return 0
  case "${1:-}" in
    "$root"/*) ;;
    -m) [[ ${2:-} == fleetfoot || ${2:-} == fleetfoot.* ]] || return 0 ;;
    *) return 0 ;;
  esac
  # What cannot even look for modules will say why itself, when it runs.
  said="$("${python[@]}" -c "$missing_probe" "${needed_modules[@]}" 2>/dev/null)" || return 0
  said="${said##*missing:}"
  [[ -z $said ]] || fail "that Python lacks what fleetfoot needs ($said): './isaaclab.sh -i' installs it there."
}

# Installs fleetfoot into another's installation, and of what it needs only what is not there: no package that is there changes its version.
# Its own requirements are not asked: Isaac Lab pins its torch and its MuJoCo, and must keep them.
install_into_theirs() {
  local needs said i missing=()
  require_module pip
  read_needs
  said="$("${python[@]}" -c "$missing_probe" "${needed_modules[@]}")" || fail "'${python[*]}' cannot look for modules: it must be Python 3."
  said=" ${said##*missing:} "
  for i in "${!needed_modules[@]}"; do
    [[ $said != *" ${needed_modules[i]} "* || -z ${needs[i]:-} ]] || missing+=("${needs[i]}")
  done
  if [[ ${#missing[@]} != 0 ]]; then
    there="$(mktemp "${TMPDIR:-/tmp}/fleetfoot.XXXXXX")"
    trap 'rm -f "$there"' EXIT
    "${python[@]}" -m pip list --format=freeze 2>/dev/null >"$there" || fail "pip cannot say what is installed there."
    say "installing what is not there yet: ${missing[*]}."
    "${python[@]}" -m pip install --constraint "$there" "${missing[@]}" ||
      fail "what fleetfoot needs (${missing[*]}) cannot be installed there without changing what is there: pip says above why."
  fi
  "${python[@]}" -m pip install --no-deps --editable "$root" || fail "pip could not install fleetfoot there."
  say "ready: fleetfoot is installed there; packages that were there are as they were."
}

require_module() {
  [[ $in_clone == 1 ]] || "${python[@]}" -c "import $1" >/dev/null 2>&1 ||
    fail "that Python has no $1: install it with '${python[*]} -m pip install $1'."
}

# A file's path from the root of the disk; anything else as it is.
absolute() {
  if [[ -f $1 ]]; then
    printf '%s/%s' "$(cd -- "$(dirname -- "$1")" && pwd -P)" "${1##*/}"
  else
    printf '%s' "$1"
  fi
}

run_python() {
  local script="${1:-}"
  prepare run
  # A script is looked for where the caller is, then in the clone.
  if [[ -n $script && $script != -* && $script != /* && ! -e $script && -e $root/$script ]]; then
    shift
    set -- "$root/$script" "$@"
  fi
  require_needed_modules "$(absolute "${1:-}")" "${2:-}"
  # What to type next will be said in the words that were typed now.
  printf -v FLEETFOOT_LAUNCHER '%q -p' "$0"
  [[ $0 == */* ]] || FLEETFOOT_LAUNCHER="bash $FLEETFOOT_LAUNCHER"
  export FLEETFOOT_LAUNCHER
  exec "${python[@]}" "$@"
}

# Sets `words` to pytest's arguments $@, with files and folders as they are seen from the clone. `has_path` becomes 1 if there is such a one,
# `are_fast` if they ask for the fast tests alone and do not say how these are to run.
read_test_words() {
  local arg before=""
  words=() has_path=0 are_fast=0
  for arg in "$@"; do
    [[ "$before $arg" != "-m not slow" ]] || are_fast=1
    before="$arg"
    case "$arg" in
      -* | /*) ;;
      */* | *.py) [[ ! -e $caller/${arg%%::*} ]] || arg="$caller/$arg" ;;
      *) [[ ! -d $root/tests/$arg || -z $arg ]] || arg="tests/$arg" ;;
    esac
    [[ $arg == -* || ! -e ${arg%%::*} ]] || has_path=1
    words+=("$arg")
  done
  for arg in "$@"; do
    case "$arg" in
      -n* | --numprocesses* | --dist* | -s | --capture* | --pdb*) are_fast=0 ;;
    esac
  done
}

# Sets `at_once` to what makes pytest run in several processes, a file of tests in one of them: as many as there are CPUs, but no more than
# fit into the memory of most machines. To nothing, where there is but one CPU or no pytest-xdist.
read_processes() {
  local said
  said="$("${python[@]}" -c 'import os, xdist; print(min(8, os.cpu_count() or 1))' 2>/dev/null)" || said=1
  at_once=()
  [[ $said == 1 ]] || at_once=(-n "$said" --dist loadfile)
}

# Everything: the fast tests in several processes, then the slow ones, which train, measure and start processes of their own, one after the
# other. A failure in the first part does not keep the second from being told.
run_all_tests() {
  local fast=0 slow=0
  read_processes
  "${python[@]}" -m pytest -m "not slow" "${at_once[@]+"${at_once[@]}"}" || fast=$?
  [[ $fast == 0 || $fast == 1 ]] || exit "$fast"
  say "the slow tests, one after the other:"
  "${python[@]}" -m pytest -m slow || slow=$?
  # 5: there were none.
  [[ $slow != 5 ]] || slow=0
  [[ $slow == 0 ]] || exit "$slow"
  exit "$fast"
}

run_tests() {
  local lane="${1:-}" words at_once has_path are_fast
  if [[ $lane =~ ^[a-z]+$ && -e $root/tests/$lane/requirements.txt ]]; then
    # shellcheck source=tests/lanes.sh
    source "$root/tests/lanes.sh"
    shift
    run_lane "$lane" "$@"
  fi
  prepare dev
  require_module pytest
  cd -- "$root"
  [[ $# != 0 ]] || run_all_tests
  read_test_words "$@"
  at_once=()
  [[ $are_fast == 0 ]] || read_processes
  exec "${python[@]}" -m pytest "${at_once[@]+"${at_once[@]}"}" "${words[@]}"
}

install() {
  prepare run
  if [[ $in_clone == 1 ]]; then
    say "ready: ./isaaclab.sh -p scripts/train.py --task Anymal-Flat"
    return
  fi
  install_into_theirs
}

format_code() {
  prepare dev
  require_module ruff
  cd -- "$root"
  "${python[@]}" -m ruff format .
  exec "${python[@]}" -m ruff check --fix .
}

main() {
  local switch="${1:-}"
  [[ $# == 0 ]] || shift
  case "$switch" in
    -p | --python) run_python "$@" ;;
    -t | --test) run_tests "$@" ;;
    -i | --install) install ;;
    -f | --format) format_code ;;
    -h | --help) usage ;;
    "")
      usage >&2
      exit 2
      ;;
    *)
      say "error: there is no switch '$switch'; ./isaaclab.sh --help lists them."
      exit 2
      ;;
  esac
}

main "$@"
