import pytest

from fleetfoot.compat.agent_file import find_agent_file, read_agent_file
from fleetfoot.errors import ConfigError


def test_it_lies_beside_the_checkpoints(tmp_path):
    assert find_agent_file(tmp_path / "model_1.pt") is None
    (tmp_path / "params").mkdir()
    path = tmp_path / "params" / "agent.yaml"
    path.write_text("{}")
    assert find_agent_file(tmp_path / "model_1.pt") == path


def test_any_form_is_read_as_the_newest(tmp_path):
    path = tmp_path / "agent.yaml"
    path.write_text(
        "policy: {class_name: ActorCritic, actor_hidden_dims: !!python/tuple [4, 2], init_noise_std: 0.5}\n"
        "obs_groups: {}\nactor: {}\n"
    )
    cfg = read_agent_file(path)
    assert cfg["actor"]["hidden_dims"] == [4, 2]
    assert cfg["actor"]["distribution_cfg"]["init_std"] == 0.5
    assert "policy" not in cfg


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", r"agent\.yaml: got list; expected a mapping"),
        ("a: [", r"agent\.yaml: got a file that cannot be read"),
        ("a: !!python/object/apply:os.getcwd []", r"cannot be read \(could not determine a constructor"),
    ],
)
def test_what_is_no_config_is_refused(tmp_path, text, message):
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_agent_file(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: got No such file or directory; expected a train_cfg as YAML"):
        read_agent_file(tmp_path / "none.yaml")
