"""Where a run's steps go: a file of JSON Lines, an offline run of Weights & Biases, or a run of MLflow."""

import json
import os
import re
import time
from pathlib import Path


class Journal:
    """A file of JSON Lines: the settings, a line a step, the summary. It knows after a restart what it has."""

    def __init__(self, options, run, ending="jsonl"):
        self.path = Path(options.directory) / f"imagelora-{run.identity}.{ending}"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.logged, self.has_ended = {}, False
        if self.path.exists():
            lines = self.path.read_bytes().split(b"\n")[:-1]
            # A line that a kill has cut goes, and its step is written again.
            self.path.write_bytes(b"".join(line + b"\n" for line in lines))
            entries = [json.loads(line) for line in lines]
            self.logged = {entry["step"]: entry["metrics"].get("train/loss") for entry in entries if "step" in entry}
            self.has_ended = any("summary" in entry for entry in entries)
        else:
            self._write({"name": options.name, "settings": run.settings})

    def _write(self, entry):
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def add(self, steps):
        for step, metrics in steps:
            self._write({"step": step, "metrics": metrics})

    def end(self, run, summary):
        if summary and not self.has_ended:
            self._write({"summary": summary, "sessions": run.sessions})
        return self.path


class WeightsAndBiases:
    """An offline run. A start that adds something makes one more offline folder of the same id, which `wandb sync` puts
    behind the earlier ones; a journal beside them says what they have."""

    def __init__(self, options, run):
        import wandb

        self.journal = Journal(options, run, "wandb.jsonl")
        self.logged = self.journal.logged
        self.run = None
        self._start = lambda: wandb.init(
            project=options.project,
            name=options.name,
            id=run.identity,
            dir=options.directory,
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
            config=run.settings,
        )

    def add(self, steps):
        for step, metrics in steps:
            self.run = self.run or self._start()
            self.run.log(metrics, step=step)
            self.journal.add([(step, metrics)])

    def end(self, run, summary):
        if summary and not self.journal.has_ended:
            self.run = self.run or self._start()
            self.run.summary.update({f"summary/{key}": value for key, value in summary.items()})
            self.run.summary["sessions"] = run.sessions
        if self.run:
            self.run.finish()
        return self.journal.end(run, summary)


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
