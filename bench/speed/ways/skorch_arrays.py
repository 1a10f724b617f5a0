"""skorch on arrays that are normalised beforehand: what scikit-learn's users do."""

import torch
from skorch.dataset import Dataset

from bench.speed.arrays import arrays
from bench.speed.job import Job, answer
from bench.speed.ways.skorch import classifier


def train(job: Job) -> float:
    torch.manual_seed(job.seed)
    net = classifier(job, Dataset(*arrays(job, "validation")))
    net.fit(*arrays(job, "train"))
    x, y = arrays(job, "test")
    return (net.predict(x) == y).mean()


if __name__ == "__main__":
    answer(train)
