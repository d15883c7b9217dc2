"""SD-UNet and BiT-R50x1 in PyTorch, with the weights of their Keras models."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SLOPE = 0.3
"""Of a leaky ReLU, as Keras has it where nothing else is said."""


class Block(nn.Module):
    """Convolution, group normalisation, leaky ReLU."""

    def __init__(self, channels: int, filters: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.norm = nn.GroupNorm(min(32, filters), filters, eps=1e-3)
        self.act = nn.LeakyReLU(SLOPE)

    def forward(self, x: Any) -> Any:
        return self.act(self.norm(self.conv(x)))


class SDUNet(nn.Module):
    """The twin of `fmreport.zoo.sd_unet`; blocks go by the names of the Keras model's layers."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict()
        for layer in model.layers:
            if type(layer).__name__ == "Conv2D" and layer.name != "head.conv":
                height, _, channels, filters = layer.kernel.shape
                name = layer.name.removesuffix(".conv").replace(".", "/")
                self.blocks[name] = Block(channels, filters, height, layer.dilation_rate[0])
        head = model.get_layer("head.conv")
        self.head = nn.Conv2d(head.kernel.shape[2], head.kernel.shape[3], 3, padding=1)
        with torch.no_grad():
            for name, block in self.blocks.items():
                keras_name = name.replace("/", ".")
                convolve(block.conv, model.get_layer(f"{keras_name}.conv"))
                normalise(block.norm, model.get_layer(f"{keras_name}.norm"))
            convolve(self.head, head)

    def attention(self, x: Any, name: str) -> Any:
        r = self.blocks[f"{name}/main2"](self.blocks[f"{name}/main1"](x))
        a = self.blocks[f"{name}/attention1"](functional.avg_pool2d(x, 2))
        a = functional.interpolate(self.blocks[f"{name}/attention2"](a), scale_factor=2.0, mode="nearest")
        return r * a + a

    def pyramid(self, x: Any) -> Any:
        pooled = self.blocks["daspp/pooled"](functional.adaptive_avg_pool2d(x, 1))
        pooled = functional.interpolate(pooled, size=x.shape[2:], mode="bilinear")
        local, near = self.blocks["daspp/local"](x), self.blocks["daspp/rate6"](x)
        x_middle = torch.cat([x, near], 1)
        middle = self.blocks["daspp/rate12"](x_middle)
        far = self.blocks["daspp/rate18"](torch.cat([x, x_middle, middle], 1))
        return self.blocks["daspp/out"](torch.cat([pooled, local, near, middle, far], 1))

    def forward(self, image: Any) -> Any:
        skips, x = [], self.attention(image, "encoder/sa1")
        for stage in range(1, 5):
            skips.append(x)
            both = torch.cat([functional.max_pool2d(x, 2), functional.avg_pool2d(x, 2)], 1)
            x = self.attention(self.blocks[f"encoder/down{stage}"](both), f"encoder/sa{stage + 1}")
        x = self.pyramid(x)
        for stage in range(1, 5):
            wide = functional.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = torch.cat([self.blocks[f"decoder/up{stage}"](wide), skips.pop()], 1)
            x = self.attention(x, f"decoder/sa{stage}")
        return torch.softmax(self.head(x), 1)


class StandardizedConv2d(nn.Conv2d):
    """A convolution whose kernel has mean 0 and variance 1, filter by filter."""

    def forward(self, x: Any) -> Any:
        kernel = self.weight
        mean = kernel.mean((1, 2, 3), keepdim=True)
        variance = kernel.var((1, 2, 3), keepdim=True, unbiased=False)
        return functional.conv2d(x, (kernel - mean) / torch.sqrt(variance + 1e-10), None, self.stride)


class Bit(nn.Module):
    """The twin of `fmreport.zoo.bit`, without a head."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleDict(), nn.ModuleDict()
        self.units = sorted({layer.name.rpartition(".a.")[0] for layer in model.layers if ".a.group" in layer.name})
        with torch.no_grad():
            for layer in model.layers:
                name = layer.name.rpartition(".")[0].replace(".", "/") or "end"
                if hasattr(layer, "kernel"):
                    height, _, channels, filters = layer.kernel.shape
                    conv = StandardizedConv2d(channels, filters, height, layer.strides[0], bias=False)
                    self.convs[name] = convolve(conv, layer)
                elif hasattr(layer, "gamma"):
                    self.norms[name] = normalise(nn.GroupNorm(32, layer.gamma.shape[0], eps=1e-5), layer)

    def unit(self, x: Any, name: str) -> Any:
        made = torch.relu(self.norms[f"{name}/a"](x))
        shortcut = self.convs[f"{name}/a/proj"](made) if f"{name}/a/proj" in self.convs else x
        made = torch.relu(self.norms[f"{name}/b"](self.convs[f"{name}/a"](made)))
        made = self.convs[f"{name}/b"](functional.pad(made, (1, 1, 1, 1)))
        return shortcut + self.convs[f"{name}/c"](torch.relu(self.norms[f"{name}/c"](made)))

    def forward(self, image: Any) -> Any:
        x = self.convs["root_block"](functional.pad(image, (3, 3, 3, 3)))
        x = functional.max_pool2d(functional.pad(x, (1, 1, 1, 1)), 3, 2)
        for name in self.units:
            x = self.unit(x, name.replace(".", "/"))
        return torch.relu(self.norms["end"](x)).mean((2, 3))


def convolve(conv: Any, layer: Any) -> Any:
    """Gives a convolution the weights of a layer of Keras."""
    conv.weight.copy_(torch.from_numpy(np.array(layer.kernel).transpose(3, 2, 0, 1)))
    if conv.bias is not None:
        conv.bias.copy_(torch.from_numpy(np.array(layer.bias)))
    return conv


def normalise(norm: Any, layer: Any) -> Any:
    """The same of a normalisation."""
    norm.weight.copy_(torch.from_numpy(np.array(layer.gamma)))
    norm.bias.copy_(torch.from_numpy(np.array(layer.beta)))
    return norm
