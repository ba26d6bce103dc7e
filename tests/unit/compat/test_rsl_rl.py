from types import SimpleNamespace

import onnx
import pytest
import torch

from fleetfoot.compat.rsl_rl import DistillationRunner, OnPolicyRunner
from fleetfoot.errors import CheckpointError, ConfigError, ContractError
from fleetfoot.models.config import GruCfg

CURIOUS = {"num_outputs": 2, "predictor_hidden_dims": [4], "target_hidden_dims": [4], "weight": 1.0}


def remember(cfg):
    cfg["actor"] |= {"class_name": "RNNModel", "rnn_type": "gru", "rnn_hidden_dim": 4}
    return cfg


def test_without_a_folder_nothing_is_written(theirs, their_cfg, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    del their_cfg["save_interval"]
    runner = OnPolicyRunner(theirs, their_cfg)
    runner.learn(2, init_at_random_ep_len=False)
    assert theirs.num_steps == 8
    assert (runner.current_learning_iteration, runner.logger.tot_timesteps, runner.logger.writer) == (1, 32, None)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_what_scripts_look_at(theirs, their_cfg, tmp_path):
    runner = OnPolicyRunner(theirs, their_cfg, tmp_path, device="cpu")
    assert (runner.env, runner.cfg, runner.device, runner.logger.log_dir) == (theirs, their_cfg, "cpu", str(tmp_path))
    assert (runner.is_distributed, runner.gpu_world_size, runner.gpu_global_rank) == (False, 1, 0)
    assert runner.logger.writer is None
    assert runner.alg.actor.network.layers[0].in_features == 3
    assert runner.alg.learning_rate.item() == pytest.approx(1e-3)


def test_episodes_begin_at_random_times(theirs, their_cfg):
    theirs.max_episode_length = 1000
    theirs.episode_length_buf.fill_(-5000)
    runner = OnPolicyRunner(theirs, their_cfg)
    runner.learn(1, init_at_random_ep_len=True)
    times = theirs.episode_length_buf - 4
    assert ((times >= 0) & (times < 1000)).all()
    assert len(times.unique()) > 1


def test_observations_are_taken_anew_when_training_goes_on(theirs, their_cfg):
    runner = OnPolicyRunner(theirs, their_cfg)
    runner.learn(1)
    theirs.obs["policy"].fill_(123.0)  # the script has used the environment for something else
    runner.learn(1)
    assert runner.alg.buffer.obs["policy"][0].unique().tolist() == [123.0]


def test_git_repositories_are_those_that_the_script_leaves(theirs, their_cfg, tmp_path, capsys):
    runner = OnPolicyRunner(theirs, their_cfg, tmp_path)
    runner.add_git_repo_to_log(__file__)
    assert runner.logger.git_status_repos[-1] == __file__
    runner.logger.git_status_repos = []
    runner.learn(1)
    assert not (tmp_path / "git").exists()
    assert "training" in capsys.readouterr().out


def test_an_error_of_the_environment_leaves_a_runner_that_saves(theirs, their_cfg, tmp_path):
    runner = OnPolicyRunner(theirs, their_cfg, tmp_path / "run")
    runner.learn(1)
    step = theirs.step

    def stop(actions):
        if theirs.num_steps == 6:
            raise StopIteration("enough")
        return step(actions)

    theirs.step = stop  # as benchmarks do
    with pytest.raises(StopIteration, match="enough"):
        runner.learn(5)
    runner.save(str(tmp_path / "saved.pt"), infos={"why": "stopped"})
    runner.logger.stop_logging_writer()
    assert runner.logger.writer is not None
    theirs.step = step
    again = OnPolicyRunner(theirs, their_cfg)
    assert again.load(str(tmp_path / "saved.pt")) == {"why": "stopped"}


def test_the_policy_forgets_where_episodes_ended(theirs, their_cfg):
    theirs.num_envs = 4
    runner = OnPolicyRunner(theirs, remember(their_cfg))
    assert runner._cfg.actor.memory == GruCfg(hidden_dim=4)
    policy = runner.get_inference_policy(device="cpu")
    assert policy.is_recurrent
    obs = theirs.get_observations()
    with torch.inference_mode():
        first = policy(obs)
        policy.reset(torch.tensor([1, 0, 0, 1]))
        second = policy(obs)
    same = torch.isclose(first, second).all(-1)
    assert same.tolist() == [True, False, False, True]
    policy.reset()
    torch.testing.assert_close(policy(obs), first)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_the_policy_is_exported(theirs, their_cfg, tmp_path):
    runner = OnPolicyRunner(theirs, their_cfg)
    runner.export_policy_to_jit(path=str(tmp_path), filename="p.pt")
    runner.export_policy_to_onnx(path=str(tmp_path), filename="p.onnx", verbose=True)
    obs = torch.ones(4, 3)
    script = torch.jit.load(tmp_path / "p.pt")
    torch.testing.assert_close(script(obs), runner.get_inference_policy()({"policy": obs}))
    onnx.checker.check_model(onnx.load(tmp_path / "p.onnx"))


def test_a_config_of_version_3(theirs, their_cfg):
    policy = {"class_name": "ActorCritic", "actor_hidden_dims": [6], "critic_hidden_dims": [5], "init_noise_std": 0.3}
    old = {key: value for key, value in their_cfg.items() if key not in ("actor", "critic")}
    old |= {"policy": policy, "empirical_normalization": True, "obs_groups": {"policy": ["policy"], "critic": ["more"]}}
    runner = OnPolicyRunner(theirs, old)
    assert runner.alg.actor.head.std_param.tolist() == pytest.approx([0.3, 0.3])
    assert runner.alg.critic.inputs.groups == ("more",)
    runner.learn(1)


def test_a_key_that_rsl_rl_does_not_look_at_is_only_reported(theirs, their_cfg):
    their_cfg |= {"my_own_key": 1, "run_name": "any name", "experiment_name": "any/name"}
    with pytest.warns(UserWarning, match="train_cfg.my_own_key has no effect"):
        OnPolicyRunner(theirs, their_cfg)
    their_cfg["algorithm"]["my_own_key"] = 1
    with pytest.raises(ConfigError, match=r"train_cfg\.algorithm\.my_own_key"):
        OnPolicyRunner(theirs, their_cfg)


def test_without_a_seed_it_is_that_of_torch(theirs, their_cfg):
    def first_weights(torch_seed, **seed):
        torch.manual_seed(torch_seed)
        cfg = {key: value for key, value in their_cfg.items() if key != "seed"} | seed
        return OnPolicyRunner(theirs, cfg).alg.actor.network.layers[0].weight.detach()

    assert torch.equal(first_weights(1), first_weights(1))
    assert not torch.equal(first_weights(1), first_weights(2))
    assert torch.equal(first_weights(1, seed=5), first_weights(2, seed=5))


def test_groups_that_are_not_there_are_named_with_those_that_are(theirs, their_cfg):
    their_cfg["obs_groups"]["critic"] = ["policy", "more_"]
    with pytest.raises(ConfigError, match=r"got 'more_'.*policy, more.*'more'"):
        OnPolicyRunner(theirs, their_cfg)


def test_curiosity_needs_the_duration_of_a_step(theirs, their_cfg):
    their_cfg["algorithm"]["rnd_cfg"] = CURIOUS
    their_cfg["obs_groups"]["rnd_state"] = ["more"]
    with pytest.raises(ConfigError, match=r"env\.unwrapped\.step_dt: got nothing; expected the duration of a control"):
        OnPolicyRunner(theirs, their_cfg)
    theirs.unwrapped = SimpleNamespace(step_dt=0.1)
    OnPolicyRunner(theirs, their_cfg).learn(1)


def test_processes_that_cannot_find_each_other_are_refused(theirs, their_cfg, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match=r"got a process without RANK.*; expected one that torchrun has started"):
        OnPolicyRunner(theirs, their_cfg)


@pytest.mark.parametrize(("runner", "other"), [(OnPolicyRunner, "DistillationRunner"), (DistillationRunner, "OnPoli")])
def test_the_config_of_the_other_runner_is_refused(theirs, their_cfg, runner, other):
    if runner is OnPolicyRunner:
        model, name = their_cfg.pop("actor"), "Distillation"
        del their_cfg["critic"]
        their_cfg |= {"student": model, "teacher": model, "algorithm": {"class_name": name, "gradient_length": 4}}
        their_cfg["obs_groups"] = {"student": ["policy"], "teacher": ["policy"]}
    with pytest.raises(ConfigError, match=rf"train_cfg\.algorithm\.class_name: got .* Use {other}"):
        runner(theirs, their_cfg)


def test_an_environment_of_version_2_is_refused(theirs, their_cfg):
    theirs.get_observations = lambda: (torch.zeros(4, 3), {})
    with pytest.raises(ContractError, match="since rsl_rl 3"):
        OnPolicyRunner(theirs, their_cfg)


def test_a_checkpoint_of_another_network_is_refused(theirs, their_cfg, tmp_path):
    OnPolicyRunner(theirs, their_cfg).save(tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"got a network without actor\.memory\.rnn\.weight_ih_l0"):
        OnPolicyRunner(theirs, remember(their_cfg)).load(tmp_path / "m.pt")
