"""fastai: a Learner on DataLoaders with their defaults (worker processes)."""

from fastai.vision.all import SGD, Adam, CrossEntropyLossFlat, DataLoaders, Learner, accuracy, set_seed

from bench.speed.job import Job, answer
from bench.speed.nets import NETS
from bench.speed.pictures import accuracy_of, datasets


def train(job: Job) -> float:
    set_seed(job.seed)
    train_set, validation_set, test_set = datasets(job)
    loaders = DataLoaders.from_dsets(train_set, validation_set, bs=job.batch_size)
    learner = Learner(
        loaders,
        NETS[job.net](),
        loss_func=CrossEntropyLossFlat(),
        opt_func=Adam if job.optimizer == "adam" else SGD,
        metrics=accuracy,
    )
    learner.fit(job.epochs, job.learning_rate, wd=0)
    return accuracy_of(learner.model, test_set)


if __name__ == "__main__":
    answer(train)
