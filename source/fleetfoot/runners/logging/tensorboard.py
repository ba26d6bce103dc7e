"""Metrics as TensorBoard event files, under the tags of rsl_rl.

Written record by record with tensorboard's own protobufs, not with torch's `SummaryWriter`: that one keeps a thread
beside the simulator's, and this imports in a third of the time. The x axis is the iteration; `Train/mean_reward/time`
and `Train/mean_episode_length/time` have seconds there instead, as rsl_rl does.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from fleetfoot.runners.logging.writer import IterationReport, RunInfo, Status

if TYPE_CHECKING:
    from tensorboard.summary.writer.record_writer import RecordWriter

__all__ = ["TensorboardWriter"]

Event = Any
"""A protobuf of tensorboard's, which ships no types for them."""

_OVER_TIME = ("Train/mean_reward", "Train/mean_episode_length")


@final
class TensorboardWriter:
    """Writes one event file per run into the run folder."""

    def __init__(self) -> None:
        self._records: RecordWriter | None = None

    def start(self, run: RunInfo) -> None:
        """Open an event file; what earlier ones hold after the checkpoint that this run goes on from is cut off."""
        from tensorboard.summary.writer.record_writer import RecordWriter

        for path in sorted(run.log_dir.glob("events.out.tfevents.*")):
            _keep_until(path, run.resumed_from or 0)
        self._records = RecordWriter(_new_file(run.log_dir).open("xb"))
        self._add(_event(file_version="brain.Event:2"))
        self._add(_texts({"run/config": run.config, "run/task": run.task, "run/id": run.run_id}))

    def write(self, report: IterationReport) -> None:
        """Append the scalars; they are in the file when this returns."""
        if self._records is not None:
            self._add(_scalars(report.scalars, step=report.iteration))
            over_time = {f"{tag}/time": report.scalars[tag] for tag in _OVER_TIME if tag in report.scalars}
            if over_time:
                self._add(_scalars(over_time, step=int(report.seconds)))
            self._records.flush()

    def add_video(self, path: Path, iteration: int) -> None:
        """Do nothing: videos are files of their own."""

    def close(self, status: Status) -> None:
        """Close the file."""
        records, self._records = self._records, None
        if records is not None:
            records.close()

    def _add(self, event: Event) -> None:
        assert self._records is not None
        self._records.write(event.SerializeToString())


@cache
def _proto(name: str) -> Any:
    """One of tensorboard's modules of protobufs, imported when it is needed."""
    return importlib.import_module(f"tensorboard.compat.proto.{name}_pb2")


def _new_file(folder: Path) -> Path:
    """A name that sorts by time, and that no other process or earlier start chose."""
    for attempt in range(10_000):
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{attempt}"
        if not (folder / name).exists():
            return folder / name
    raise FileExistsError(f"10000 event files in {folder}")


def _event(**fields: Any) -> Event:
    return _proto("event").Event(wall_time=time.time(), **fields)


def _scalars(scalars: Mapping[str, float], *, step: int) -> Event:
    summary = _proto("summary").Summary
    values = [summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    return _event(step=step, summary=summary(value=values))


def _texts(texts: Mapping[str, Any]) -> Event:
    """Plain data as the text plug-in shows it; what is no string becomes indented JSON in a code block."""
    summary, metadata = _proto("summary").Summary, _proto("summary").SummaryMetadata
    shape = _proto("tensor_shape").TensorShapeProto
    is_text = metadata(plugin_data=metadata.PluginData(plugin_name="text"))
    one = shape(dim=[shape.Dim(size=1)])
    values = []
    for tag, text in texts.items():
        shown = text if isinstance(text, str) else f"```json\n{json.dumps(text, indent=2, default=str)}\n```"
        tensor = _proto("tensor").TensorProto(dtype="DT_STRING", string_val=[shown.encode()], tensor_shape=one)
        values.append(summary.Value(tag=tag, metadata=is_text, tensor=tensor))
    return _event(step=0, summary=summary(value=values))


def _keep_until(path: Path, iteration: int) -> None:
    """Cut the file before its first record after `iteration`.

    TensorBoard's own way (a session record that voids all steps from one on) would void the tags over seconds too.
    """
    end = 0
    for stop, event in _events(path):
        if event.step > iteration and not _is_over_time(event):
            break
        end = stop
    os.truncate(path, end)


def _is_over_time(event: Event) -> bool:
    return all(value.tag.endswith("/time") for value in event.summary.value)


def _events(path: Path) -> Iterator[tuple[int, Event]]:
    """The events of a file, each with where it ends. Framing: length, its checksum, data, its checksum."""
    parse = _proto("event").Event.FromString
    data = path.read_bytes()
    offset = 0
    while offset + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, offset)
        start, stop = offset + 12, offset + 12 + length
        if stop + 4 > len(data):
            return
        offset = stop + 4
        yield offset, parse(data[start:stop])
