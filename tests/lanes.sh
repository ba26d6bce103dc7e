# Lanes: tests that need another's package, in an environment of their own. Read by isaaclab.sh, whose functions these use.
#
# tests/LANE/requirements.txt   what the lane adds to what fleetfoot itself needs
# tests/LANE/constraints.txt    the versions of all of it: the lock
#
# An environment is named after a checksum of everything that decides what is in it, and lies outside the clone, where other clones find it:
#   ~/.cache/fleetfoot/lanes/LANE-CHECKSUM/
#     venv/                     with fleetfoot-lane.stamp, which is written last and holds that text
#     warp/                     Warp's compiled kernels
#     lock, log                 as .venv.lock and .venv.log of the clone: see isaaclab.sh

no_lane_here=69 # Exit status: this machine cannot have the lane. (EX_UNAVAILABLE. What pytest exits with is below 10.)

# Sets what is particular to lane $1: the Python it is for, the space it needs [MB], and the requirements of fleetfoot it does without.
describe_lane() {
  case "$1" in
    isaaclab) lane_python=3.12 lane_space=12000 ;;
    mjlab) lane_python="" lane_space=6000 ;;
    *) fail "tests/$1 has requirements of its own, and tests/lanes.sh does not know the lane." ;;
  esac
  # Both bring the MuJoCo that their own simulator was built for, which is older than the one that fleetfoot's needs.
  lane_without=mujoco
}

# Prints the path of a Python of version $1, if this machine has one.
find_python_of_version() {
  local candidate found
  for candidate in ${PYTHON:+"$PYTHON"} "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    have "$candidate" || continue
    found="$("$candidate" -c 'import ensurepip, os, sys, venv; print("%d.%d %s" % (sys.version_info[:2] + (os.path.realpath(sys.executable),)))' \
      2>/dev/null)" || continue
    [[ $found != "$1 "* ]] || { printf '%s' "${found#* }" && return; }
  done
  return 1
}

# Sets `lane_needs` to what lane $1 needs of what fleetfoot does, a line each, and `lane_text` to the text of everything that decides what
# belongs in the lane, made by the Python $2.
read_lane_text() {
  local file text need needs
  read_needs
  lane_needs=""
  for need in "${needs[@]+"${needs[@]}"}"; do
    [[ $need == "$lane_without"[!a-z_-]* ]] || lane_needs+="$need"$'\n'
  done
  lane_text="$2"$'\n'"$lane_needs"
  for file in "$root/tests/$1/requirements.txt" "$root/tests/$1/constraints.txt"; do
    IFS= read -r -d '' text <"$file" || true
    lane_text+="$text"$'\n'
  done
}

lane_is_ready() {
  local text=""
  [[ -x $venv/bin/python && -r $venv/fleetfoot-lane.stamp ]] || return 1
  IFS= read -r -d '' text <"$venv/fleetfoot-lane.stamp" || true
  [[ $text == "$lane_text" ]]
}

# Environments of this lane that nobody has used for two weeks belong to locks of the past.
remove_old_lanes() {
  local old
  for old in "$lanes/$1"-*; do
    [[ $old != "$place" && -n $(find "$old" -maxdepth 0 -mtime +14 2>/dev/null) ]] || continue
    say "removing $old, which was not used for two weeks."
    rm -rf "$old"
  done
}

set_up_lane() {
  local begun=$SECONDS
  take_lock
  if lane_is_ready; then
    release_lock
    return
  fi
  trap 'say "interrupted: the next run starts the set-up again."; exit 130' INT
  remove_old_lanes "$1"
  require_space "$lane_space"
  say "making the environment of the lane $1 from $2: this happens once, and takes some minutes (log: $log)."
  : >"$log"
  rm -rf "$venv"
  "$2" -I -m venv "$venv" >>"$log" 2>&1 || fail_set_up "could not make an environment in '$venv'"
  printf '%s' "$lane_needs" >"$place/needs.txt"
  pip_install --constraint "$root/tests/$1/constraints.txt" --requirement "$root/tests/$1/requirements.txt" \
    --requirement "$place/needs.txt" || fail_set_up "pip could not install the packages"
  printf '%s' "$lane_text" >"$venv/fleetfoot-lane.stamp"
  say "the lane $1 is set up: $((SECONDS - begun)) s."
  trap - INT
  release_lock
}

# Makes `python` the one of lane $1, with the clone's fleetfoot importable in it.
prepare_lane() {
  local base checksum lanes="${XDG_CACHE_HOME:-$HOME/.cache}/fleetfoot/lanes"
  cannot_status=$no_lane_here
  describe_lane "$1"
  if [[ -n $lane_python ]]; then
    base="$(find_python_of_version "$lane_python")" || cannot "the lane $1 needs Python $lane_python with its venv module, and none was found:" \
      "install it, or name it: PYTHON=/path/to/python$lane_python ./isaaclab.sh -t $1"
  else
    base="$(find_base_python)"
  fi
  read_lane_text "$1" "$base"
  read -r checksum _ < <(printf '%s' "$lane_text" | cksum)
  place="$lanes/$1-$checksum"
  mkdir -p "$place" 2>/dev/null || cannot "'$lanes' cannot be written: the environment of the lane $1 is made there; XDG_CACHE_HOME names another folder."
  venv="$place/venv" lock="$place/lock" log="$place/log"
  lane_is_ready || set_up_lane "$1" "$base"
  touch "$place" 2>/dev/null || true
  say "Python: $venv/bin/python (the lane $1)"
  python=("$venv/bin/python")
  enter_environment
  export PYTHONPATH="$root/source:$root/extension" WARP_CACHE_PATH="$place/warp"
}

run_lane() {
  local lane="$1"
  shift
  # A Python that somebody names is taken as it is.
  if [[ -n ${ISAAC_PYTHON:-} ]]; then prepare dev; else prepare_lane "$lane"; fi
  require_module pytest
  # Of pytest's plugins only our own: simulators bring others, made for another pytest.
  export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
  cd -- "$root"
  read_test_words "$@"
  [[ $has_path == 1 ]] || words+=("tests/$lane")
  exec "${python[@]}" -m pytest "${words[@]}"
}
