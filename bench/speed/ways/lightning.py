"""Lightning, with its Trainer's defaults (logger, checkpoints, progress bar)."""

import tempfile

import lightning
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from bench.speed.job import Job, answer
from bench.speed.nets import NETS
from bench.speed.pictures import accuracy_of, datasets


class Classifier(lightning.LightningModule):
    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job, self.net = job, NETS[job.net]()

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.net(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        if self.job.optimizer == "adam":
            return torch.optim.Adam(self.parameters(), lr=self.job.learning_rate)
        return torch.optim.SGD(self.parameters(), lr=self.job.learning_rate, momentum=0.9, nesterov=True)


def train(job: Job) -> float:
    lightning.seed_everything(job.seed)
    train_set, validation_set, test_set = datasets(job)
    model = Classifier(job)
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(max_epochs=job.epochs, default_root_dir=folder)
        trainer.fit(
            model,
            DataLoader(train_set, batch_size=job.batch_size, shuffle=True),
            DataLoader(validation_set, batch_size=1000),
        )
    return accuracy_of(model.net, test_set)


if __name__ == "__main__":
    answer(train)
