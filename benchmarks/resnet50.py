"""ResNet-50 (He et al. 2015, arXiv 1512.03385) in PyTorch, untrained, with the stride in the 3 x 3 convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Width, blocks and first stride of each stage."""
WIDER = 4


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        wide = WIDER * width
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide)
        self.relu = nn.ReLU(inplace=True)
        shortcut = [nn.Conv2d(channels, wide, 1, stride, bias=False), nn.BatchNorm2d(wide)]
        self.shortcut = nn.Sequential(*(shortcut if channels != wide else []))

    def forward(self, x: Any) -> Any:
        """Of `(B, C, H, W)`."""
        made = self.relu(self.bn1(self.conv1(x)))
        made = self.relu(self.bn2(self.conv2(made)))
        return self.relu(self.bn3(self.conv3(made)) + self.shortcut(x))


class ResNet50(nn.Module):
    """From `(B, 3, H, W)` to scores of a thousand classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        blocks, channels = list[nn.Module](), 64
        for width, count, stride in STAGES:
            for number in range(count):
                blocks.append(Bottleneck(channels, width, 1 if number else stride))
                channels = WIDER * width
        self.blocks = nn.Sequential(*blocks)
        self.mean, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(channels, 1000)

    def forward(self, x: Any) -> Any:
        """Of `(B, 3, H, W)`."""
        made = self.pool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.mean(self.blocks(made)), 1))


def make() -> ResNet50:
    """With weights of its own seed."""
    torch.manual_seed(0)
    return ResNet50().eval()
