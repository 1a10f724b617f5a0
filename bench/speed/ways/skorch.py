"""skorch on the Dataset that a DataLoader loop has."""

import torch
from skorch import NeuralNetClassifier
from skorch.helper import predefined_split
from torch import nn

from bench.speed.job import Job, answer
from bench.speed.nets import NETS
from bench.speed.pictures import accuracy_of, datasets


def classifier(job: Job, validation_set) -> NeuralNetClassifier:
    adam = job.optimizer == "adam"
    return NeuralNetClassifier(
        NETS[job.net](),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam if adam else torch.optim.SGD,
        **({} if adam else {"optimizer__momentum": 0.9, "optimizer__nesterov": True}),
        lr=job.learning_rate,
        batch_size=job.batch_size,
        max_epochs=job.epochs,
        iterator_train__shuffle=True,
        train_split=predefined_split(validation_set),
        classes=list(range(10)),
    )


def train(job: Job) -> float:
    torch.manual_seed(job.seed)
    train_set, validation_set, test_set = datasets(job)
    net = classifier(job, validation_set)
    net.fit(train_set, y=None)
    return accuracy_of(net.module_, test_set)


if __name__ == "__main__":
    answer(train)
