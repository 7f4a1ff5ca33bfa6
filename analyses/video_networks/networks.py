"""Small untrained networks: some see motion, some cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn


class Network(NamedTuple):
    """How a network is made and shown clips."""

    make: Callable[[], nn.Module]
    layers: tuple[str, ...]
    frames: str
    sees_motion: bool
    frame_axis: int | None = None


class MotionEnergy(nn.Module):
    """Space-time filters tuned to drift (Adelson and Bergen 1985): quadrature pairs, squared and pooled."""

    def __init__(self) -> None:
        super().__init__()
        y, x = torch.meshgrid(torch.linspace(-1, 1, 9), torch.linspace(-1, 1, 9), indexing="ij")
        t = torch.arange(5.0) - 2
        window = torch.exp(-2 * (x**2 + y**2))[None] * torch.exp(-(t**2) / 4)[:, None, None]
        filters = []
        for angle in torch.arange(6) * torch.pi / 6:
            for fine in (1.0, 1.8):
                for speed in (-0.2, -0.08, 0.08, 0.2):
                    along = fine * (x * torch.cos(angle) + y * torch.sin(angle))
                    phase = 2 * torch.pi * (along[None] - speed * t[:, None, None])
                    filters += [window * torch.cos(phase), window * torch.sin(phase)]
        weight = torch.stack(filters)
        weight = weight - weight.mean(dim=(1, 2, 3), keepdim=True)
        self.simple = nn.Conv3d(1, len(filters), (5, 9, 9), stride=(2, 4, 4), bias=False)
        self.simple.weight.data = weight[:, None]
        self.energy, self.opponent = nn.Identity(), nn.Identity()

    def forward(self, clip: torch.Tensor) -> Any:
        # clips come as [batch, frame, channel, height, width]
        light = clip.mean(dim=2)[:, None] - 0.5
        out = self.simple(light)
        pairs = out.unflatten(1, (-1, 2)).square().sum(dim=2)
        energy = self.energy(pairs.mean(dim=(2, 3, 4)).add(1e-6).log())
        back, slow_back, slow, forth = energy.unflatten(1, (-1, 4)).unbind(dim=2)
        return self.opponent(torch.cat([forth - back, slow - slow_back, forth + back], dim=1))


class Frames(nn.Module):
    """Convolutions with random weights; a frame at a time."""

    def __init__(self, grey: bool, width: int = 12) -> None:
        super().__init__()
        self.grey = grey
        self.conv1 = nn.Conv2d(3, width, 7, stride=2)
        self.conv2 = nn.Conv2d(width, 2 * width, 5, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.grey:
            x = x.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
        x = torch.relu(self.conv1(x - 0.5))
        out: torch.Tensor = self.pool(torch.relu(self.conv2(x)))
        return out


class SpaceTime(nn.Module):
    """Convolutions over space and time with random weights."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, width, (5, 7, 7), stride=(2, 3, 3))
        self.conv2 = nn.Conv3d(width, 2 * width, (3, 3, 3), stride=(1, 2, 2))
        self.pool = nn.AdaptiveAvgPool3d((1, 2, 2))

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv1(clip.transpose(1, 2) - 0.5))
        out: torch.Tensor = self.pool(torch.relu(self.conv2(x)))
        return out


class Colour(nn.Module):
    """Mean light of a frame, nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.mixed = nn.Identity(), nn.Linear(3, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.tanh(self.mixed(4 * (self.mean(x.mean(dim=(2, 3))) - 0.5)))
        return out


class FramesLast(nn.Module):
    """A network that wants the channels of a clip before its frames; its layers keep their names."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        for name, part in inner.named_children():
            self.add_module(name, part)
        self.parts = [name for name, _ in inner.named_children() if name != "fc"]

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        x = clip.transpose(1, 2)
        for name in self.parts:
            x = self.get_submodule(name)(x)
        return x


def seeded(make: Callable[[], nn.Module], seed: int) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        torch.manual_seed(seed)
        return make()

    return build


def networks(seed: int = 0) -> dict[str, Network]:
    """All networks by name; those of torchvision (untrained) where it is installed."""
    convolutions = ("conv1", "conv2", "pool")
    found = {
        "motion_energy": Network(seeded(MotionEnergy, seed), ("energy", "opponent"), "clip", True),
        "space_time": Network(seeded(SpaceTime, seed), convolutions, "clip", True, 2),
        "still_colour": Network(seeded(lambda: Frames(False), seed), convolutions, "each", False),
        "still_grey": Network(seeded(lambda: Frames(True), seed + 1), convolutions, "each", False),
        "colour": Network(seeded(Colour, seed), ("mean", "mixed"), "each", False),
    }
    try:
        from torchvision.models import resnet18
        from torchvision.models.video import r3d_18
    except (ImportError, RuntimeError):  # not there, or built for another torch
        return found
    deep = ("layer1", "layer2", "layer3", "layer4")
    found["resnet18"] = Network(seeded(resnet18, seed), deep, "each", False)
    # torchvision's video networks take [batch, channel, frame, height, width]
    found["r3d_18"] = Network(seeded(lambda: FramesLast(r3d_18()), seed), deep, "clip", True, 2)
    return found
