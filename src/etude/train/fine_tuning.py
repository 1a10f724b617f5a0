"""Settings for a network that begins with trained weights: shorter, gentler, and slower below the head."""

from __future__ import annotations

from typing import Any

FEW = 5_000
"""Below this many examples a network needs a gentler recipe, and gains most from trained weights."""


def fine_tuning_settings(train_size: int, freeze: bool = False) -> dict[str, Any]:
    """Settings of the recipe that suit trained weights better than those for random ones.

    The head is new and learns at the full rate; what is below it learns at a tenth, so that the first gradients, which
    the new head makes at random, do not spoil it (Howard & Ruder 2018, section 3.2: discriminative fine-tuning).

    Args:
        train_size: number of training examples; 0: unknown.
        freeze: only the head learns; it can take larger steps then, and nothing can be spoilt.
    """
    few = 0 < train_size < FEW
    settings: dict[str, Any] = {
        "epochs": 20 if few else 5,
        "batch_size": 32 if few else 128,
        "optimizer": "adamw",
        "learning_rate": 2e-3,
        "weight_decay": 0.05,
        "schedule": "one-cycle",
        "label_smoothing": 0.1 if few else 0.0,
        "backbone_rate": 0.1,
    }
    if few:
        # the validation part is too small to tell a good epoch from a lucky one
        settings |= {"ema": 0.99, "keep": "last"}
    if freeze:
        settings |= {"learning_rate": 1e-2, "backbone_rate": 1.0}
    return settings
