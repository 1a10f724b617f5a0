"""Keras, whichever its backend: arrays in, ``compile`` and ``fit``. ``KERAS_BACKEND`` is set by who imports this."""

import keras
from keras import layers

from bench.speed.arrays import arrays
from bench.speed.job import Job


def lenet5() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(10),
        ]
    )


def mnistnet() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )


def train(job: Job) -> float:
    keras.utils.set_random_seed(job.seed)
    data = {}
    for part in ("train", "validation", "test"):
        x, y = arrays(job, part)
        data[part] = x.transpose(0, 2, 3, 1), y
    model = {"lenet5": lenet5, "mnistnet": mnistnet}[job.net]()
    model.compile(
        optimizer=keras.optimizers.Adam(job.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(*data["train"], batch_size=job.batch_size, epochs=job.epochs, validation_data=data["validation"])
    return model.evaluate(*data["test"], batch_size=1000, verbose=0)[1]
