import pytest

from fleetfoot.cli.arguments import COMMANDS, find_command, parse
from fleetfoot.errors import ConfigError


def refusal(command, *words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(command, words).refuse_words()
    return str(caught.value)


def test_flags_and_overrides_may_stand_in_any_order():
    arguments = parse(
        "train",
        ["agent.seed=3", "--task", "Cartpole", "env.scene.num_envs=8", "--resume", "agent.algorithm.gamma=0.9"],
    )
    assert (arguments.flags.task, arguments.flags.resume) == ("Cartpole", True)
    assert arguments.env_overrides == {"scene.num_envs": "8"}
    assert arguments.agent_overrides == {"seed": "3", "algorithm.gamma": "0.9"}


@pytest.mark.parametrize("value", ["-0.02", "[1, 2]", "{kind: fixed}", "a=b", "", "--x"])
def test_a_value_is_all_behind_the_first_equals_sign(value):
    assert parse("train", [f"env.x={value}"]).env_overrides == {"x": value}


def test_the_last_of_two_overrides_counts():
    assert parse("train", ["agent.seed=1", "agent.seed=2"]).agent_overrides == {"seed": "2"}


def test_flags_are_named_as_isaac_lab_names_them():
    words = "--task T --num_envs 4 --seed 1 --device cpu --headless --max_iterations 5 --experiment_name e"
    words += " --run_name r --logger wandb --resume --checkpoint c --video --video_length 3 --video_interval 9"
    flags = parse("train", words.split()).flags
    assert (flags.num_envs, flags.max_iterations, flags.video_interval, flags.headless) == (4, 5, 9, True)


def test_an_unknown_flag_offers_the_nearest():
    assert refusal("train", "--num_env", "5") == (
        "--num_env: got an unknown flag; expected a flag of train. Did you mean '--num_envs'?"
    )


def test_a_flag_of_another_command_is_unknown():
    assert refusal("evaluate", "--max_iterations=5").startswith("--max_iterations: got an unknown flag")


def test_flags_are_not_guessed_from_their_beginning():
    assert refusal("train", "--num", "5").startswith("--num: got an unknown flag")


@pytest.mark.parametrize("word", ["Cartpole", "gamma=0.9", "agents.seed=3", "agent.seed", "agent=3", "env."])
def test_a_stray_word_is_named(word):
    assert refusal("train", word) == (
        f"{word!r}: got a stray word; expected env.<path>=<value> or agent.<path>=<value>. Write flags as --name VALUE."
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--num_envs", "many"], "train.py: got argument --num_envs: invalid int value: 'many';"),
        (["--num_envs"], "train.py: got argument --num_envs: expected one argument;"),
        (["--num_envs", "1.5"], "train.py: got argument --num_envs: invalid int value: '1.5';"),
    ],
)
def test_a_flag_with_a_value_it_cannot_have(words, message):
    assert refusal("train", *words).startswith(message)


@pytest.mark.parametrize("word", ["list_tasks", "list-tasks"])
def test_a_command_is_written_either_way(word):
    assert find_command(word) == "list_tasks"


def test_an_unknown_command_offers_the_nearest():
    with pytest.raises(ConfigError) as caught:
        find_command("trein")
    assert str(caught.value) == "fleetfoot: got 'trein'; expected a command. Did you mean 'train'?"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_no_flag_at_all(command):
    assert parse(command, []).command == command
