"""A run's folder, read for a tracker: run.yaml, sessions.jsonl, metrics.jsonl as it grows, summary.json.

Standard library alone. The files are those of docs/formats.md.
"""

import hashlib
import json
import re
from pathlib import Path


class RunFolder:
    """The folder of a run's checkpoints. A step is given out when all of its lines are there."""

    def __init__(self, folder):
        self.folder = Path(folder)
        if not (self.folder / "run.yaml").is_file():
            raise SystemExit(f"{folder}: is no run: it has no run.yaml; give the folder of a run's checkpoints")
        self.unreadable = 0
        self._file, self._offset, self._step, self._values = None, 0, None, {}

    @property
    def first_session(self):
        """The line of the run's start; a resumed run keeps it, one that begins anew writes another."""
        try:
            return (self.folder / "sessions.jsonl").read_text(encoding="utf-8").split("\n", 1)[0]
        except FileNotFoundError:
            return ""

    @property
    def identity(self):
        """The same for every start of a run, 16 hexadecimal digits."""
        return hashlib.sha256(f"{self.folder.resolve()}\n{self.first_session}".encode()).hexdigest()[:16]

    @property
    def settings(self):
        """run.yaml as `training.seed: 0`; lists stay the text that they are there."""
        settings, path = {}, []
        for line in (self.folder / "run.yaml").read_text(encoding="utf-8").splitlines():
            found = re.fullmatch(r"((?:  )*)([\w]+):(?: (.*))?", line)
            if not found:
                continue
            path = path[: len(found[1]) // 2] + [found[2]]
            if found[3]:
                settings[".".join(path)] = scalar(found[3])
        return settings

    @property
    def sessions(self):
        try:
            lines = (self.folder / "sessions.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [entry for entry in map(json_object, lines) if entry is not None]

    @property
    def summary(self):
        """summary.json, flat, once the newest start of the run has reached its end; else None."""
        path, sessions = self.folder / "summary.json", self.folder / "sessions.jsonl"
        if not path.is_file() or (sessions.is_file() and path.stat().st_mtime < sessions.stat().st_mtime):
            return None
        return flat(json_object(path.read_text(encoding="utf-8")) or {}) or None

    def new_steps(self, ended):
        """(step, metrics) of every step that is complete since the last call, in order.

        A step is complete when a later one has begun, or the run has ended: its validation is a line of its own. A run
        that is resumed writes metrics.jsonl again up to its checkpoint and goes on from there; then all steps are given
        out once more, from the first.
        """
        try:
            file = (self.folder / "metrics.jsonl").open("rb")
        except FileNotFoundError:
            return
        with file:
            seek_end = file.seek(0, 2)
            identity = _identity(self.folder / "metrics.jsonl")
            if identity != self._file or seek_end < self._offset:
                self._file, self._offset, self._step, self._values = identity, 0, None, {}
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            entry = json_object(line.decode("utf-8", "replace"))
            step = entry.pop("step", None) if entry else None
            if not isinstance(step, int) or step < 0:
                self.unreadable += 1
                continue
            if step != self._step and self._step is not None:
                yield self._step, self._values
                self._values = {}
            self._step = step
            self._values |= {tag(key): value for key, value in entry.items() if is_number(value)}
        if ended and self._step is not None:
            yield self._step, self._values
            self._step, self._values = None, {}


def _identity(path):
    """A file that took another one's place by renaming is another."""
    status = path.stat()
    return status.st_dev, status.st_ino


def tag(key):
    """`loss` as `train/loss`, `validation_loss/a` as `validation/loss/a`: the tags of the event files."""
    found = re.match(r"validation_(.*)", key)
    return f"validation/{found[1]}" if found else f"train/{key}"


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def json_object(text):
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def scalar(text):
    """A value of run.yaml: a number, a Boolean or a quoted text; anything else as it stands."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, list | dict) else value


def flat(value, prefix=""):
    """Nested keys joined by dots."""
    if not isinstance(value, dict):
        return {prefix: value}
    return {k: v for key, inner in value.items() for k, v in flat(inner, f"{prefix}.{key}" if prefix else key).items()}
