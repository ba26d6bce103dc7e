"""The environment that runs a task's terms over a simulator.

Order of a step: clip and scale actions, physics, terminations, rewards (under the command that the policy saw), the
next command, observations (where episodes ended these are the final ones; the next lesson; reset; observations of those
rows again), events.

Axes: `N` environments, `n` some of them, `A` actions, `K` reward terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor

from fleetfoot.core.check import check_actions
from fleetfoot.core.device import exact_device
from fleetfoot.core.seeding import make_generator
from fleetfoot.core.symmetry import MirrorImage, SignedPermutation
from fleetfoot.core.vec_env import ActionSpec, Observations, StepResult
from fleetfoot.envs.observations import ObservationGroups
from fleetfoot.envs.rewards import RewardSum
from fleetfoot.envs.saved import require_same_shapes
from fleetfoot.envs.task import Frame, Task
from fleetfoot.envs.timers import IntervalTimer
from fleetfoot.errors import ContractError
from fleetfoot.sim.simulator import SimState, Simulator

__all__ = ["TaskEnv"]

S = TypeVar("S")


@final
class TaskEnv(Generic[S]):
    """`N` environments of one task; see `fleetfoot.core.vec_env` for what it promises.

    Args:
        task: What to do.
        sim: Where to do it; the environment closes it, and the task's cameras.
        seed: Everything random follows from it.
    """

    def __init__(self, task: Task[S], sim: Simulator, *, seed: int) -> None:
        self.task = task
        self.sim = sim
        self.num_envs = sim.num_envs
        self.device = exact_device(sim.device)
        self.step_dt = task.step_dt
        self.max_episode_length = max(1, round(task.episode_length_s / task.step_dt))
        clip = task.actions.clip
        size = len(task.actions.names)
        bound = None if clip is None else (clip,) * size
        low = None if clip is None else (-clip,) * size
        self.action_spec = ActionSpec(size=size, names=task.actions.names, low=low, high=bound)
        self._observe = ObservationGroups(task.observations, self.device, task.images)
        self.observation_spec: Mapping[str, tuple[int, ...]] = self._observe.spec
        self._rewards = RewardSum(task, self.num_envs, self.device)
        self.reward_groups = self._rewards.groups
        self._offset = torch.tensor(task.actions.offset, device=self.device)
        self._scale = torch.tensor(task.actions.scale, device=self.device)
        self._event_timers = {event.name: self._timer(event.interval_s) for event in task.events}
        self._command_timer = self._timer(task.command.interval_s if task.command else (1e6, 1e6))
        self._all = torch.arange(self.num_envs, device=self.device)
        self.episode_length = torch.zeros(self.num_envs, dtype=torch.int64, device=self.device)
        self._never = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        self._num_steps = 0
        self.reset(seed)

    def reset(self, seed: int | None = None) -> Observations:
        """See `VecEnv.reset`. With a seed, what is drawn once per environment is drawn again as well."""
        with torch.no_grad():
            if seed is not None:
                self._generator = make_generator(seed, "env", self.device)
                startup = self.task.startup
                self._constants = dict(startup(self.sim, self._generator)) if startup else {}
                self._clear()
            for event in self.task.events:
                self._event_timers[event.name].restart(self._all, self._num_steps, self._generator)
            self._obs: Observations = self._begin_episodes(self._all)
            return dict(self._obs)

    def step(self, actions: Tensor) -> StepResult:
        """See `VecEnv.step`."""
        check_actions(self, actions)
        with torch.no_grad():
            failed = self._act(actions)
            state = self.task.view(self._frame())
            reasons = self._judge(state, failed)
            terminated = reduce(torch.logical_or, reasons.values(), self._never)
            reasons["time_out"] = truncated = (self.episode_length >= self.max_episode_length) > terminated
            metrics: dict[str, Tensor] = {}
            reward, groups = self._rewards.add(state, failed, metrics)
            final_obs = self._observe(self._advance(state), self._generator, self._obs)
            ids = (terminated | truncated).nonzero().squeeze(1)
            self._teach(state, ids, metrics)
            self._obs = self._renew(ids, final_obs, reasons, metrics)
            self._disturb()
            if failed is not None:
                metrics["Sim/failures"] = torch.tensor(float(len(failed)), device=self.device)
            return StepResult(
                obs=self._obs,
                reward=reward,
                terminated=terminated,
                truncated=truncated,
                final_obs=final_obs if len(ids) else None,
                metrics=metrics,
                reward_groups=groups,
            )

    @property
    def model_xml(self) -> str:
        """MJCF of one environment to film with."""
        return self.task.scene

    def close(self) -> None:
        """See `VecEnv.close`."""
        self._observe.close()
        self.sim.close()

    def snapshot(self, index: int) -> dict[str, Any]:
        """What a film needs of one environment: `qpos`, `qvel`, `time` [s], and `command` `[C]` if there is one."""
        shot = self.sim.snapshot(index)
        if self.task.command is not None:
            shot["command"] = self._command[index].numpy(force=True).copy()
        return shot

    def state_dict(self) -> dict[str, Any]:
        """See `StatefulEnv.state_dict`."""
        return {
            "sim": self.sim.state_dict(),
            "generator": self._generator.get_state(),
            "num_steps": self._num_steps,
            "episode_length": self.episode_length.clone(),
            "actions": self._actions.clone(),
            "targets": self._targets.clone(),
            "command": self._command.clone(),
            "memory": {name: value.clone() for name, value in self._memory.items()},
            "constants": {name: value.clone() for name, value in self._constants.items()},
            "lesson": {name: value.clone() for name, value in self._lesson.items()},
            "command_timer": self._command_timer.state_dict(),
            "event_timers": {name: timer.state_dict() for name, timer in self._event_timers.items()},
            "reward_sums": self._rewards.state_dict(),
            "obs": {name: value.clone() for name, value in self._obs.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> Observations:
        """See `StatefulEnv.load_state_dict`. The observations are those that were handed out, noise included.

        A task whose weights or intervals have changed goes on: sums of new reward terms begin at zero, those of terms
        that are gone are dropped, and timers with another interval begin anew. What was drawn once stays as saved.

        Raises:
            ContractError: The state is that of another number of environments, or of a task that remembers, draws or
                observes other things. Nothing of it has been taken over then.
        """
        saved = len(state["episode_length"])
        if saved != self.num_envs:
            fix = f"Make {saved} environments, or begin new episodes."
            raise ContractError("load_state_dict", got=f"{saved} environments", expected=f"{self.num_envs}", fix=fix)
        require_same_shapes(state, self.state_dict())
        self.sim.load_state_dict(state["sim"])
        self._generator.set_state(state["generator"].cpu())
        self._num_steps = state["num_steps"]
        self.episode_length.copy_(state["episode_length"])
        self._actions = self._own(state["actions"])
        self._targets = self._own(state["targets"])
        self._command = self._own(state["command"])
        self._memory, self._constants, self._lesson, self._obs = (
            {name: self._own(value) for name, value in state[key].items()}
            for key in ("memory", "constants", "lesson", "obs")
        )
        self._resume(self._command_timer, state["command_timer"])
        for name, timer in self._event_timers.items():
            self._resume(timer, state["event_timers"].get(name, {}))
        self._rewards.load_state_dict(state["reward_sums"])
        return dict(self._obs)

    @property
    def mirror_images(self) -> tuple[MirrorImage, ...]:
        """See `SymmetricEnv.mirror_images`."""
        return tuple(self._mirror_image(name) for name in self.task.mirrors)

    def _mirror_image(self, name: str) -> MirrorImage:
        maps = self.task.mirrors[name]
        groups = {
            group: SignedPermutation.join(maps[term.name] for term in terms)
            for group, terms in self.task.observations.items()
        }
        return MirrorImage(name=name, observations=groups, actions=maps["actions"])

    def policy_contract(self) -> dict[str, Any]:
        """See `DescribedEnv.policy_contract`."""
        actions = self.task.actions
        return {
            "task": self.task.name,
            **self.task.contract,
            "step_dt": self.step_dt,
            "decimation": self.task.decimation,
            "actions": {
                "names": list(actions.names),
                "scale": list(actions.scale),
                "offset": list(actions.offset),
                "clip": actions.clip,
            },
            "observations": self._observe.describe(),
            "images": self._observe.describe_images(),
        }

    def _own(self, value: Tensor) -> Tensor:
        return value.to(self.device, copy=True)

    def _timer(self, interval_s: tuple[float, float]) -> IntervalTimer:
        return IntervalTimer(self.num_envs, interval_s, self.step_dt, self.device)

    def _resume(self, timer: IntervalTimer, state: Mapping[str, Any]) -> None:
        if timer.goes_on_from(state):
            timer.load_state_dict(state)
        else:
            timer.restart(self._all, self._num_steps, self._generator)

    def _clear(self) -> None:
        """Forget every episode there was."""
        self._num_steps = 0
        num_commands = self.task.command.size if self.task.command else 0
        self._actions = torch.zeros(self.num_envs, self.action_spec.size, device=self.device)
        self._previous_actions = self._actions
        self._targets = self._actions.new_zeros(self.num_envs, 0)
        self._command = self._actions.new_zeros(self.num_envs, num_commands)
        self._memory = {
            name: self._actions.new_zeros(self.num_envs, memory.size) for name, memory in self.task.memory.items()
        }
        curriculum = self.task.curriculum
        self._lesson = dict(curriculum.first(self.num_envs, self._generator)) if curriculum else {}

    def _act(self, actions: Tensor) -> Tensor | None:
        """Step the physics; returns the indices of environments that diverged, put back to where they can be viewed."""
        clip = self.task.actions.clip
        actions = actions.to(torch.float32)
        self._previous_actions = self._actions
        self._actions = actions.clone() if clip is None else actions.clamp(-clip, clip)
        ctrl = torch.addcmul(self._offset, self._actions, self._scale)
        failed = self.sim.step(ctrl, self.task.decimation)
        self.episode_length += 1
        self._num_steps += 1
        if failed is not None:
            self._actions.index_fill_(0, failed, 0.0)
            self.sim.write_state(failed, *self._draw_state(self._lesson_of(failed), len(failed)))
        return failed

    def _frame(self) -> Frame:
        return Frame(
            sim=self.sim.state,
            actions=self._actions,
            previous_actions=self._previous_actions,
            command=self._command,
            memory=self._memory,
            constants=self._constants,
            lesson=self._lesson,
        )

    def _judge(self, state: S, failed: Tensor | None) -> dict[str, Tensor]:
        """Why episodes end in a state of no further value: reason to bool `[N]`."""
        reasons = {term.name: term.fn(state) for term in self.task.terminations}
        # Also where there is none: a tag that only some steps report would make the means over an iteration exceed 1.
        reasons["sim_failure"] = self._never if failed is None else self._never.index_fill(0, failed, True)
        return reasons

    def _advance(self, state: S) -> S:
        """Remember what the next step needs, and move the command on; returns the state under it."""
        self._memory = {name: memory.fn(state) for name, memory in self.task.memory.items()}
        command = self.task.command
        if command is None:
            return state
        due = self._command_timer.due(self._num_steps)
        if due is not None:
            self._targets.index_copy_(0, due, command.sample(len(due), self._generator))
            self._command_timer.restart(due, self._num_steps, self._generator)
        self._command = command.resolve(state, self._targets)
        return command.rebind(state, self._command)

    def _teach(self, state: S, ids: Tensor, metrics: dict[str, Tensor]) -> None:
        """Give the environments `ids` `[n]`, whose episodes have ended, their next lessons."""
        curriculum = self.task.curriculum
        if curriculum is None:
            return
        if len(ids):
            lesson = curriculum.next(state, self._generator)
            self._lesson = {
                name: value.index_copy(0, ids, lesson[name].index_select(0, ids))
                for name, value in self._lesson.items()
            }
        metrics.update((tag, fn(self._lesson)) for tag, fn in curriculum.metrics.items())

    def _lesson_of(self, ids: Tensor) -> dict[str, Tensor]:
        return {name: value.index_select(0, ids) for name, value in self._lesson.items()}

    def _draw_state(self, lesson: Mapping[str, Tensor], n: int) -> tuple[Tensor, Tensor]:
        """Where `n` episodes begin: `qpos` and `qvel`."""
        qpos, qvel = self.task.initial_state(n, self._generator)
        curriculum = self.task.curriculum
        return (qpos if curriculum is None else curriculum.place(qpos, lesson)), qvel

    def _renew(
        self, ids: Tensor, final_obs: Observations, reasons: Mapping[str, Tensor], metrics: dict[str, Tensor]
    ) -> Observations:
        """Begin new episodes in the environments `ids` `[n]`, which may be none; returns the observations to act on."""
        if len(ids) == 0:
            return final_obs
        self._rewards.report(ids, metrics)
        shares = _shares(torch.stack(list(reasons.values())).index_select(1, ids)).unbind()
        metrics.update((f"Episode_Termination/{name}", share) for name, share in zip(reasons, shares, strict=True))
        rows = self._begin_episodes(ids)
        return {name: value.index_copy(0, ids, rows[name]) for name, value in final_obs.items()}

    def _begin_episodes(self, ids: Tensor) -> dict[str, Tensor]:
        """Place the environments `ids` `[n]` and forget their past; returns their first observations, `[n, …]` each."""
        lesson = self._lesson_of(ids)
        qpos, qvel = self._draw_state(lesson, len(ids))
        self.sim.write_state(ids, qpos, qvel)
        self.episode_length.index_fill_(0, ids, 0)
        self._actions.index_fill_(0, ids, 0.0)
        self._rewards.sums.index_fill_(1, ids, 0.0)
        for value in self._memory.values():
            value.index_fill_(0, ids, 0.0)
        state = self.task.view(self._first_frame(ids, qpos, qvel, lesson))
        return self._observe(self._first_command(ids, state), self._generator)

    def _first_frame(self, ids: Tensor, qpos: Tensor, qvel: Tensor, lesson: Mapping[str, Tensor]) -> Frame:
        """What is known of environments that were just placed: little, so nothing of them is gathered."""
        sim = SimState.before_first_step(
            qpos,
            qvel,
            num_actuators=self.sim.state.actuator_force.shape[1],
            num_sensors=self.sim.state.sensordata.shape[1],
        )
        actions = qpos.new_zeros(len(ids), self.action_spec.size)
        return Frame(
            sim=sim,
            actions=actions,
            previous_actions=actions,
            command=qpos.new_zeros(len(ids), self._command.shape[1]),
            memory={name: qpos.new_zeros(len(ids), memory.size) for name, memory in self.task.memory.items()},
            constants={name: value.index_select(0, ids) for name, value in self._constants.items()},
            lesson=lesson,
        )

    def _first_command(self, ids: Tensor, state: S) -> S:
        command = self.task.command
        if command is None:
            return state
        targets = command.sample(len(ids), self._generator)
        if self._targets.shape[1] == 0:  # its width is the sampler's to say
            self._targets = targets.new_zeros(self.num_envs, targets.shape[1])
        self._targets.index_copy_(0, ids, targets)
        self._command_timer.restart(ids, self._num_steps, self._generator)
        resolved = command.resolve(state, targets)
        self._command.index_copy_(0, ids, resolved)
        return command.rebind(state, resolved)

    def _disturb(self) -> None:
        """Let happen what is due; it is seen in the next step's observations."""
        for event in self.task.events:
            timer = self._event_timers[event.name]
            due = timer.due(self._num_steps)
            if due is not None:
                event.apply(self.sim, due, self._generator)
                timer.restart(due, self._num_steps, self._generator)


def _shares(reasons: Tensor) -> Tensor:
    """The share of each of `R` reasons in the ends of `n` episodes; what ended for two at once counts half for each.

    Args:
        reasons: Bool `[R, n]`, at least one true for each episode.

    Returns:
        `[R]`, which add up to 1.
    """
    counts = reasons.to(torch.float32)
    return (counts / counts.sum(dim=0)).mean(dim=1)
