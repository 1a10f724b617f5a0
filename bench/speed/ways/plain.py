"""The loop of pytorch/examples' ``mnist/main.py``, with its DataLoader and its defaults."""

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from bench.speed.job import Job, answer
from bench.speed.nets import NETS
from bench.speed.pictures import accuracy_of, datasets

LOG_INTERVAL = 10


def train_epoch(model, device, train_loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.cross_entropy(output, target)
        loss.backward()
        optimizer.step()
        if batch_idx % LOG_INTERVAL == 0:
            print(
                f"Train Epoch: {epoch} [{batch_idx * len(data)}/{len(train_loader.dataset)} "
                f"({100.0 * batch_idx / len(train_loader):.0f}%)]\tLoss: {loss.item():.6f}"
            )


def validate(model, device, loader):
    model.eval()
    loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            loss += F.cross_entropy(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    print(f"\nAverage loss: {loss / len(loader.dataset):.4f}, Accuracy: {correct}/{len(loader.dataset)}\n")


def train(job: Job) -> float:
    torch.manual_seed(job.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_set, validation_set, test_set = datasets(job)
    train_loader = DataLoader(train_set, batch_size=job.batch_size, shuffle=True)
    validation_loader = DataLoader(validation_set, batch_size=1000)
    model = NETS[job.net]().to(device)
    if job.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=job.learning_rate)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=job.learning_rate, momentum=0.9, nesterov=True)
    for epoch in range(1, job.epochs + 1):
        train_epoch(model, device, train_loader, optimizer, epoch)
        validate(model, device, validation_loader)
    return accuracy_of(model, test_set)


if __name__ == "__main__":
    answer(train)
