"""How long a person waits for a network that is right 99 times of 100, from Enter to the end of the command."""

from __future__ import annotations

from typing import Any

from bench.speed.bench import Bench
from bench.speed.numbers import percent, spread
from bench.speed.prepare import NotAtHand
from bench.speed.process import Failed, run

SEEDS = 10


class ToAccuracy:
    """``etude train mnist --to-accuracy 0.99``, each time with another seed; the test part is read once, at the end."""

    name = "to-accuracy"
    title = "MNIST to 99 % on the test part, from Enter to the end"

    def measure(self, bench: Bench) -> dict[str, Any]:
        from etude.data.named.mnist import find

        if bench.data is None or find(bench.data) is None:
            raise NotAtHand("MNIST is not at hand: name the folder that holds its four files with --data")
        goal = "0.9" if bench.quick else "0.99"
        command = [
            "-m",
            "etude",
            "train",
            "mnist",
            f"--data-dir={bench.data}",
            f"--to-accuracy={goal}",
            "--json",
        ]
        seconds: list[float] = []
        accuracy: list[float] = []
        for seed in range(-1, 1 if bench.quick else SEEDS):  # the first one warms up
            place = f"--run-dir={bench.scratch / f'to-accuracy-{seed}'}"
            try:
                ended = run([*command, place, f"--seed={max(seed, 0)}"], bench.environment)
            except Failed as error:
                return {"kind": "to-accuracy", "seconds": [], "accuracy": [], "failed": str(error)}
            if seed >= 0:
                seconds.append(ended.seconds)
                accuracy.append(ended.answer["test_accuracy"])
                bench.say(f"to-accuracy: seed {seed}: {ended.seconds:.1f} s, test accuracy {accuracy[-1]:.2%}")
        return {"kind": "to-accuracy", "goal": float(goal), "seconds": seconds, "accuracy": accuracy}

    def show(self, found: dict[str, Any]) -> list[str]:
        if not found["seconds"]:
            return [f"Not measured: {found['failed']}."]
        reached = sum(value >= found["goal"] for value in found["accuracy"])
        return [
            f"`etude train mnist --to-accuracy {found['goal']:g}`: {spread(found['seconds'])} s, median (least to greatest) of "
            f"{len(found['seconds'])} seeds; test accuracy {percent(found['accuracy'])} %, "
            f"{reached} of {len(found['accuracy'])} at {found['goal']:.0%} or above."
        ]


WORKS = (ToAccuracy(),)
