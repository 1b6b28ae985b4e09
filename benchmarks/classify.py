"""What understanding a mail costs, light and strong: python benchmarks/classify.py [folder of a light model]

Mails per second of CPU, one thread, in batches as the worker makes them: `tokenised` is what spaCy alone takes to cut
the same texts into words, `classified` is the classifier with all its reasons, `read too` begins with the bytes. Each
model runs in a process of its own, so that memory and load are its own; a figure is the median of the rounds. Without
an argument a light model is trained first (about half a minute).
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

ROUNDS, MAILS = 5, 600


def seconds(work: Callable[[], object]) -> float:
    """Of CPU, the median of the rounds."""
    spent = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return statistics.median(spent)


def resident() -> float:
    """MiB of memory now, as Linux tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure(model: Path) -> dict[str, float]:
    """One model, in this process."""
    started = time.process_time()
    from mailflow.adapters.spacy_classifier import SpacyClassifier  # what is imported here is measured

    imported, before = time.process_time() - started, resident()
    started = time.process_time()
    classifier = SpacyClassifier(model)
    loaded, memory = time.process_time() - started, resident() - before

    import spacy

    from mailflow import bootstrap
    from mailflow.adapters.examples import EXAMPLE_DESK, read_examples, to_bytes, to_input
    from mailflow.adapters.features import whole_text
    from mailflow.reading.understand import classifier_input, understand
    from mailflow.settings import Settings

    examples = read_examples(bootstrap.find_assets(Settings()).classifiers / "examples").examples
    chosen = examples[:: len(examples) // MAILS][:MAILS]
    content, mails = [to_bytes(one) for one in chosen], [to_input(one) for one in chosen]
    texts, blank = [whole_text(mail) for mail in mails], spacy.blank("xx")
    work: dict[str, Callable[[], object]] = {
        "tokenised": lambda: list(map(blank.make_doc, texts)),
        "classified": lambda: classifier.classify(mails),
        "read too": lambda: classifier.classify(
            [classifier_input(understand(one, None, EXAMPLE_DESK)) for one in content]
        ),
    }
    for warm in work.values():
        warm()
    rates = {name: len(mails) / seconds(one) for name, one in work.items()}
    size = sum(file.stat().st_size for file in model.rglob("*") if file.is_file()) / 2**20
    return {**rates, "import": imported, "load": loaded, "memory": memory, "in all": resident(), "size": size}


def in_a_process(model: Path) -> dict[str, float]:
    run = subprocess.run([sys.executable, __file__, "--one", str(model)], check=True, capture_output=True)
    measured: dict[str, float] = json.loads(run.stdout)
    return measured


def train_light(folder: Path) -> Path:
    from mailflow import bootstrap
    from mailflow.adapters.assets import load_playbook
    from mailflow.adapters.spacy_training import train
    from mailflow.settings import Settings

    classifiers = bootstrap.find_assets(Settings()).classifiers
    model, labels = folder / "model", tuple(load_playbook(classifiers).intents)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    train(
        classifiers / "examples",
        classifiers / "config_light.cfg",
        model,
        labels=labels,
        now=now,
        progress=lambda done, of: None,
    )
    return model


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(Path(arguments[1]))))
        return
    from mailflow import bootstrap
    from mailflow.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        light = Path(arguments[0]) if arguments else train_light(Path(folder))
        strong = bootstrap.find_assets(Settings()).model
        found = {name: in_a_process(model) for name, model in (("light", light), ("strong", strong))}
    print(f"{MAILS} training mails; mails a second of CPU, seconds of CPU, MiB")
    print(f"{'':<8}" + "".join(f"{name:>12}" for name in found["light"]))
    for name, measured in found.items():
        print(f"{name:<8}" + "".join(f"{value:12.{0 if value > 20 else 2}f}" for value in measured.values()))


if __name__ == "__main__":
    main(sys.argv[1:])
