"""Where a run's steps go: a file of JSON Lines, an offline run of Weights & Biases, or a run of MLflow."""

import fcntl
import json
import os
import re
import shutil
import time
from pathlib import Path


class Journal:
    """A file of JSON Lines: the settings, a line a step, the summary. It knows after a restart what it has."""

    def __init__(self, options, run, ending="jsonl"):
        self.path = Path(options.directory) / f"imagelora-{run.identity}.{ending}"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(f"{self.path}: another process tracks this run; end it first") from None
        self._file.seek(0)
        # A line that a kill has cut goes, and its step is written again.
        self._lines = self._file.read().split(b"\n")[:-1]
        self.keep(len(self._lines))
        if not self._lines:
            self.write({"name": options.name, "settings": run.settings})

    def keep(self, count):
        """Only the first lines."""
        self._lines = self._lines[:count]
        self._file.truncate(sum(len(line) + 1 for line in self._lines))
        self.entries = [json.loads(line) for line in self._lines]
        self.logged = {e["step"]: e["metrics"].get("train/loss") for e in self.entries if "step" in e}
        self.has_ended = any("summary" in entry for entry in self.entries)

    def write(self, entry):
        self._file.write((json.dumps(entry) + "\n").encode())
        self._file.flush()

    def add(self, steps):
        for step, metrics in steps:
            self.write({"step": step, "metrics": metrics})

    def end(self, run, summary):
        if summary and not self.has_ended:
            self.write({"summary": summary, "sessions": run.sessions})
        return self.path


class WeightsAndBiases:
    """An offline run. A start that adds something makes one more offline folder of the same id, which `wandb sync` puts
    behind the earlier ones; a journal beside them says what they have.

    wandb writes a folder's last steps when it is finished. That of a tracker that was killed before lacks some: it is
    removed, and its steps are logged again.
    """

    def __init__(self, options, run):
        import wandb

        self.journal = Journal(options, run, "wandb.jsonl")
        begun = [index for index, entry in enumerate(self.journal.entries) if "offline" in entry]
        if begun and not any("finished" in entry for entry in self.journal.entries[begun[-1] :]):
            shutil.rmtree(self.journal.entries[begun[-1]]["offline"], ignore_errors=True)
            self.journal.keep(begun[-1])
        self.logged = self.journal.logged
        self.run = None
        self._init = lambda: wandb.init(
            project=options.project,
            name=options.name,
            id=run.identity,
            dir=options.directory,
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
            config=run.settings,
        )

    def _start(self):
        if not self.run:
            self.run = self._init()
            self.journal.write({"offline": str(Path(self.run.dir).resolve().parent)})

    def add(self, steps):
        for step, metrics in steps:
            self._start()
            self.run.log(metrics, step=step)
            self.journal.add([(step, metrics)])

    def end(self, run, summary):
        if summary and not self.journal.has_ended:
            self._start()
            self.run.summary.update({f"summary/{key}": value for key, value in summary.items()})
            self.run.summary["sessions"] = run.sessions
        if self.run:
            self.run.finish()
            self.journal.end(run, summary)
            self.journal.write({"finished": True})
        return self.journal.path


class MLflow:
    """A run of an experiment, found again by its tag `imagelora.run`; the store itself says which steps it has."""

    LARGEST_BATCH = 1000  # metrics a call, MLflow's limit
    MARKS = ("validation/loss", "train/loss")

    def __init__(self, options, run):
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        self.client, self.metric = MlflowClient(options.tracking_uri), Metric
        experiment = self.client.get_experiment_by_name(options.project)
        experiment = experiment.experiment_id if experiment else self.client.create_experiment(options.project)
        found = self.client.search_runs([experiment], f"tags.`imagelora.run` = '{run.identity}'")
        if found:
            self.id = found[0].info.run_id
            self.client.update_run(self.id, status="RUNNING")
        else:
            tags = {"imagelora.run": run.identity}
            self.id = self.client.create_run(experiment, run_name=options.name, tags=tags).info.run_id
            # A parameter of MLflow has at most 6000 characters.
            params = [Param(key, str(value)[:6000]) for key, value in run.settings.items()]
            for first in range(0, len(params), 100):
                self.client.log_batch(self.id, params=params[first : first + 100])
        self.logged = {}
        # A step's marks are written after its other metrics: one that a kill has cut has none.
        for key in self.MARKS:
            history = self.client.get_metric_history(self.id, key)
            self.logged |= {metric.step: metric.value if key == "train/loss" else None for metric in history}

    def add(self, steps):
        now = int(time.time() * 1000)
        waiting = []
        for step, metrics in steps:
            ordered = sorted(metrics.items(), key=lambda item: item[0] in self.MARKS)
            entries = [self.metric(re.sub(r"[^\w/. :-]", "_", key), value, now, step) for key, value in ordered]
            if len(waiting) + len(entries) > self.LARGEST_BATCH:
                self.client.log_batch(self.id, metrics=waiting)
                waiting = []
            waiting += entries
        if waiting:
            self.client.log_batch(self.id, metrics=waiting)

    def end(self, run, summary):
        for index, session in enumerate(run.sessions):
            self.client.set_tag(self.id, f"imagelora.session.{index}", json.dumps(session))
        if summary:
            for key, value in summary.items():
                self.client.set_tag(self.id, f"imagelora.summary.{key}", str(value))
            self.client.set_terminated(self.id, "FINISHED")
        return f"run {self.id}"


TARGETS = {"file": Journal, "wandb": WeightsAndBiases, "mlflow": MLflow}
