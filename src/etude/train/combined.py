"""Two optimisers that share the work: each trains the parameters it is made for."""

from __future__ import annotations

from typing import Any

import torch


class Combined:
    """Several torch optimisers as one.

    Attributes:
        members: the optimisers, in order. No parameter belongs to two of them.
    """

    def __init__(self, *members: torch.optim.Optimizer) -> None:
        self.members = members

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of all members, in order; changing one changes the member's."""
        return [group for member in self.members for group in member.param_groups]

    def zero_grad(self) -> None:
        for member in self.members:
            member.zero_grad()

    def step(self) -> None:
        for member in self.members:
            member.step()

    def state_dict(self) -> dict[str, Any]:
        return {"members": [member.state_dict() for member in self.members]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """What `state_dict` gave.

        Raises:
            ValueError: it is of another number of members, or of other parameters.
        """
        for member, saved in zip(self.members, state["members"], strict=True):
            member.load_state_dict(saved)


def members_of(optimizer: torch.optim.Optimizer | Combined) -> tuple[torch.optim.Optimizer, ...]:
    """The torch optimisers that ``optimizer`` is made of: one, or several."""
    return optimizer.members if isinstance(optimizer, Combined) else (optimizer,)
