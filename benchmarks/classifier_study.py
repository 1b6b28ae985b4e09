"""What each part of the classifier is worth, on the training mails: python benchmarks/classifier_study.py

Every figure is of mails by authors that the heads have not seen (each author left out in turn), with the 95 % interval
of a bootstrap over mails. The vocabulary alone was fitted on all mails. `automation` is the share of the answerable
mails that are answered rightly where the gate's threshold lets 1.5 % of all mails get a wrong answer; that threshold is
chosen on the same mails: it compares, it promises nothing. `mailflow certify` promises.

For the tables of classifiers/MODEL_CARD.md. Takes about three minutes of one core and 1.5 GB.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import process_time

import numpy as np
from sklearn.metrics import roc_auc_score

from mailflow import bootstrap
from mailflow.adapters.component import Array, Matrix, single_threaded
from mailflow.adapters.cross_fitting import Guesses, calibrate, guess
from mailflow.adapters.encoder import VECTOR_GRAIN
from mailflow.adapters.examples import read_examples
from mailflow.adapters.fitting import Rows, fit, inverse, splits
from mailflow.adapters.heads import sigmoid, softmax
from mailflow.adapters.intents import NEARNESS_WEIGHT, familiarity
from mailflow.adapters.memory import MemoryComponent, nearness
from mailflow.adapters.spacy_training import blank_pipeline
from mailflow.adapters.thresholds import LOST
from mailflow.adapters.training_data import TrainingData, author_folds, domain_folds, training_data
from mailflow.settings import Settings

DRAWS, MOST_WRONG = 2000, 0.015
SHARES, CURVE_DRAWS = (0.25, 0.5, 0.75, 1.0), 3
FACTS_WEIGHT = 0.3
"""As in config.cfg."""

Figure = Callable[[Matrix], Array]
"""How often each mail was drawn, (draws, mails), to a figure a draw."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one variant made of the mails."""

    guesses: Guesses
    figures: dict[str, Figure]


def judge(data: TrainingData, memory: MemoryComponent, penalty: float, folds: Rows) -> Judged:
    guesses = guess(data, inverse(data.gram, penalty), folds)
    calibration = calibrate(data, guesses, memory)
    scores = {"first intent": guesses.primary, "plain": guesses.scores["plain"], "stacked": guesses.scores["stacked"]}
    wanted = {"first intent": data.primary, "plain": data.action, "stacked": data.action}
    figures = {name: _share(said.argmax(1) == wanted[name].argmax(1)) for name, said in scores.items()}
    document = calibration.intents
    temperature, offset = document["temperatures"]["intents"], document["intents_offset"]
    likely = sigmoid(guesses.scores["intents"], temperature, offset) >= document["claim_threshold"]
    claimed = likely | np.eye(len(data.labels), dtype=bool)[guesses.primary.argmax(1)]
    figures["micro-F1"] = _f1(claimed, data.intents > 0)
    figures["automation"] = _automation(calibration.p_right, calibration.right, data.answerable)
    return Judged(guesses, figures)


def _share(right: Array) -> Figure:
    return lambda drawn: drawn @ right / drawn.sum(axis=1)


def _f1(claimed: Array, wanted: Array) -> Figure:
    hits, named = (claimed & wanted).sum(1), claimed.sum(1) + wanted.sum(1)
    return lambda drawn: 2 * (drawn @ hits) / (drawn @ named)


def _automation(p_right: Matrix, right: Array, answerable: Array) -> Figure:
    order = np.argsort(-p_right, kind="stable")

    def figure(drawn: Matrix) -> Array:
        sent = drawn[:, order]
        wrong = np.cumsum(sent * ~right[order], axis=1) / drawn.sum(axis=1, keepdims=True)
        rightly: Array = (sent * right[order] * (wrong <= MOST_WRONG)).sum(axis=1) / (drawn @ answerable)
        return rightly

    return figure


def draws(mails: int) -> Matrix:
    """(1 + DRAWS, mails): each once, then resamples."""
    resampled = np.random.default_rng(0).multinomial(mails, np.full(mails, 1 / mails), size=DRAWS)
    return np.vstack([np.ones(mails), resampled]).astype(np.float64)


def interval(values: Array) -> str:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{100 * values[0]:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def table(*rows: Sequence[str]) -> None:
    head, *rest = rows
    print("\n" + "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rest)), flush=True)


# --- the variants -----------------------------------------------------------------------------------------------------


def variants(data: TrainingData, memory: MemoryComponent) -> dict[str, TrainingData]:
    """`data`: of the hybrid."""
    vectors = memory.arrays["vectors"] * VECTOR_GRAIN
    meaning = memory.meaning(vectors)
    facts = FACTS_WEIGHT**2 * (data.facts @ data.facts.T)
    linear = np.asarray((data.rows @ data.rows.T).todense(), dtype=np.float64)
    likeness = (data.gram - linear) / memory.kernel_weight
    found = {
        "light (TF-IDF)": replace(data, gram=linear, similarities=memory.similarities(data.rows, None)),
        "encoder alone": replace(data, gram=likeness + facts, similarities=np.clip(meaning, 0, 1)),
        "hybrid": data,
    }
    without = {
        f"{name}, no facts": replace(
            one, gram=one.gram - facts, facts=np.zeros_like(one.facts), internal=np.zeros_like(one.internal)
        )
        for name, one in found.items()
    }
    return found | without


def compare(judged: dict[str, Judged], drawn: Matrix) -> None:
    names = ("first intent", "micro-F1", "plain", "stacked", "automation")
    values = {name: {key: one.figures[key](drawn) for key in names} for name, one in judged.items()}
    table(
        ["unseen author", "first intent", "micro-F1", "action, plain head", "action, stacked head", "automation"],
        *([name, *(interval(one[key]) for key in names)] for name, one in values.items()),
    )
    best = values["hybrid"]
    table(
        ["hybrid less ... (paired)", *names],
        *(
            [name, *(interval(best[key] - one[key]) for key in names)]
            for name, one in values.items()
            if name != "hybrid"
        ),
        ["stacked less plain head", "", "", "", interval(best["stacked"] - best["plain"]), ""],
    )


def by_group(data: TrainingData, judged: Judged) -> None:
    primary = judged.guesses.primary.argmax(1) == data.primary.argmax(1)
    action = judged.guesses.scores["stacked"].argmax(1) == data.action.argmax(1)
    groups = {f"author {name}": [one.author == name for one in data.examples] for name in _authors(data)}
    groups |= {"English": [one.lang == "en" for one in data.examples]}
    groups |= {"other languages": [one.lang != "en" for one in data.examples]}
    rows = []
    for name, inside in groups.items():
        here = np.array(inside)
        drawn = draws(int(here.sum()))
        rows.append(
            [name, str(here.sum()), interval(_share(primary[here])(drawn)), interval(_share(action[here])(drawn))]
        )
    table(["hybrid, unseen author", "n", "first intent", "action"], *rows)
    recalls = sorted((float(primary[data.primary[:, n] > 0].mean()), name) for n, name in enumerate(data.labels))
    print("\nleast often found:", ", ".join(f"{name} {share:.2f}" for share, name in recalls[:5]))


def _authors(data: TrainingData) -> list[str]:
    return sorted({one.author for one in data.examples}, key=lambda name: (len(name), name))


# --- the learning curve -----------------------------------------------------------------------------------------------


def curve(data: TrainingData, name: str, penalty: float) -> list[list[str]]:
    """Shares of the mails of the authors seen; judged on all mails of the author left out."""
    folds, drawn = author_folds(data), draws(len(data.examples))
    rows = []
    for share in SHARES:
        found = [_at(data, folds, share, seed, penalty) for seed in range(CURVE_DRAWS if share < 1 else 1)]
        mails = round(share * len(data.examples) * (1 - 1 / len(_authors(data))))
        cells = [interval(np.mean([_share(right[n])(drawn) for right in found], axis=0)) for n in (0, 1)]
        rows.append([name, f"{share:.0%}", str(mails), *cells])
    return rows


def _at(data: TrainingData, folds: Rows, share: float, seed: int, penalty: float) -> tuple[Array, Array]:
    """Whether first intent and action (plain head) of each mail are right."""
    chance = np.random.default_rng(seed)
    kept = chance.random(len(folds)) < share
    targets = np.hstack([data.targets["primary"], data.action])
    scores = np.zeros_like(targets)
    for seen, unseen in splits(folds):
        used = seen[kept[seen]]
        scores[unseen] = (data.gram[np.ix_(unseen, used)] + 1) @ fit(
            data.gram[np.ix_(used, used)], targets[used], penalty
        )
    labels = len(data.labels)
    return (
        scores[:, :labels].argmax(1) == data.primary.argmax(1),
        scores[:, labels:].argmax(1) == data.action.argmax(1),
    )


# --- strangers --------------------------------------------------------------------------------------------------------


def strangers(data: TrainingData, guesses: Guesses, penalty: float) -> list[list[str]]:
    """Each intent left out in turn: its mails are those of strangers, the mails by unseen authors are not."""
    inverted = inverse(data.gram, penalty)
    target = data.targets["primary"]
    duals = inverted @ target
    authors = np.array([one.author for one in data.examples])
    near = np.array([nearness(row) for row in np.where(authors[:, None] == authors, 0.0, data.similarities)])
    known = guesses.primary.max(1), near
    sure, far = [], []
    for label in range(len(data.labels)):
        out = np.flatnonzero(data.intents[:, label])
        scores = target[out] - np.linalg.solve(inverted[np.ix_(out, out)], duals[out])
        mine = data.primary[out, label] > 0
        sure.append(softmax(np.delete(scores, label, axis=1), guesses.temperature).max(1)[mine])
        here = out[mine]
        hidden = (authors[here][:, None] == authors) | (data.intents[:, label] > 0)
        far += [nearness(row) for row in np.where(hidden, 0.0, data.similarities[here])]
    unknown = np.concatenate(sure), np.array(far)
    right = guesses.primary.argmax(1) == data.primary.argmax(1)
    rules: dict[str, Callable[[Matrix, Matrix], Matrix]] = {
        "probability alone": lambda p, n: np.log(p),
        "nearness alone": lambda p, n: n,
        f"log P + {NEARNESS_WEIGHT:g} nearness": familiarity,
    }
    return [_stranger_row(name, rule(*known), rule(*unknown), right) for name, rule in rules.items()]


def _stranger_row(name: str, known: Matrix, unknown: Matrix, right: Array) -> list[str]:
    threshold = np.quantile(known[right], LOST)
    auroc = roc_auc_score(np.repeat([1, 0], [len(known), len(unknown)]), np.concatenate([known, unknown]))
    caught, wrong = (unknown < threshold).mean(), (known[~right] < threshold).mean()
    return [name, f"{auroc:.3f}", f"{caught:.0%}", f"{wrong:.0%}"]


def main() -> None:
    started = process_time()
    classifiers = bootstrap.find_assets(Settings()).classifiers
    read = read_examples(classifiers / "examples")
    pipeline = blank_pipeline(classifiers / "config.cfg")
    labels = tuple(sorted({intent for one in read.examples for intent in one.intents}))
    penalty, memory = pipeline.intents.penalty, pipeline.readers.memory
    with single_threaded():
        data = training_data(read.examples, labels, pipeline.readers, lambda done: None)
        print(f"{len(data.examples)} mails, {data.answerable.sum()} answerable, {len(_authors(data))} authors")
        folds, found = author_folds(data), variants(data, memory)
        judged = {name: judge(one, memory, penalty, folds) for name, one in found.items()}
        drawn = draws(len(data.examples))
        compare(judged, drawn)
        by_group(data, judged["hybrid"])
        senders = judge(data, memory, penalty, domain_folds(data))
        table(
            ["hybrid, new sender of a known author", "first intent", "action"],
            ["", *(interval(senders.figures[name](drawn)) for name in ("first intent", "stacked"))],
        )
        table(
            ["", "share", "mails seen", "first intent", "action, plain head"],
            *(row for name in ("light (TF-IDF)", "hybrid") for row in curve(found[name], name, penalty)),
        )
        table(
            ["strangers (one intent left out)", "AUROC", "caught", "wrong ones caught"],
            *strangers(data, judged["hybrid"].guesses, penalty),
        )
    print(f"\n{process_time() - started:.0f} seconds of CPU", file=sys.stderr)


if __name__ == "__main__":
    main()
