"""PyTorch models: modules, exported programs and TorchScript; what hooks take is what the model computes."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from permuting import drawn

from fmreport import config
from fmreport.errors import ConfigError, SourceError
from fmreport.records import Tap
from fmreport.sources import Identity, TappableModel, check, open_source
from fmreport.sources.gradients import gradients
from fmreport.sources.keras_model import KerasModel
from fmreport.zoo.bit import bit
from fmreport.zoo.sd_unet import sd_unet

torch = pytest.importorskip("torch", reason="PyTorch is an extra")
safetensors = pytest.importorskip("safetensors.torch", reason="so is safetensors")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch_twins import Bit, SDUNet  # noqa: E402

from fmreport.sources.torch.model import TorchModel  # noqa: E402
from fmreport.sources.torch.opening import _specs  # noqa: E402

SIZE = (16, 16)


def settings(folder: Path, size: tuple[int, int] = SIZE, **model: Any) -> config.Config:
    data = {
        "name": "test",
        "model": {"kind": "torch", **model},
        "preprocess": {"size": list(size)},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return config.from_dict(data, folder)


def opened(model: Any, size: tuple[int, int] = SIZE) -> TorchModel:
    """A module as a source, without a config's way to it."""
    some = settings(Path(), size, function="nowhere:make")
    parameters = sum(each.numel() for each in model.state_dict().values() if each.is_floating_point())
    return TorchModel(model, Identity("torch", "test", "", "torch", parameters), _specs(model, some), {})


def values(model: TappableModel, images: np.ndarray) -> dict[str, np.ndarray]:
    size = images.shape[1:3]
    return model.tapped(model.inventory(size)[1], dict, size=size, batch=len(images))(images)


def taps(model: TappableModel, size: tuple[int, int] = SIZE) -> dict[str, Tap]:
    return {tap.name: tap for tap in model.inventory(size)[1]}


def first(images: np.ndarray) -> Any:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def last(tensor: Any) -> np.ndarray:
    """Channels last."""
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


class Residual(nn.Module):
    """A layer that is called twice and writes over what it reads; a sum that is no module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        made = self.relu(self.norm(self.conv(x)))
        return self.relu(self.drop(made) - x)


def test_what_a_layer_writes_over_is_taken_before() -> None:
    model, images = Residual(), drawn(2, *SIZE, 3)
    nn.init.normal_(model.norm.running_mean)
    found = values(opened(model), images)
    model.eval()
    conv = model.conv(first(images))
    norm = model.norm(conv)
    expected = {"conv": conv, "norm": norm, "relu:1": norm.relu(), "sub": norm.relu() - first(images)}
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], last(tensor), rtol=1e-5, atol=1e-6)
    assert (found["norm"] < 0).any()
    assert (found["relu:2"] >= 0).all()


def test_calls_and_operations_are_layers_and_what_is_not_called_says_so() -> None:
    layers, listed = opened(Residual()).inventory(SIZE)
    assert [(tap.name, tap.type, tap.feeds) for tap in listed] == [
        ("conv", "Conv2D", ("BatchNormalization",)),
        ("norm", "BatchNormalization", ("ReLU",)),
        ("relu:1", "ReLU", ("Subtract",)),
        ("sub", "Subtract", ("ReLU",)),
        ("relu:2", "ReLU", ()),
    ]
    reasons = {layer.path: (layer.type, layer.reason, layer.parameters) for layer in layers if layer.reason}
    assert reasons == {"drop": ("Dropout", "it returns what it reads", 0), "unused": ("Linear", "it is not called", 6)}


def test_the_model_and_its_mode_are_left_as_they_were() -> None:
    model = Residual()
    model.norm.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    values(opened(model), drawn(2, *SIZE, 3))
    assert [name for name, module in model.named_modules() if not module.training] == ["norm"]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


class Failing(nn.Module):
    """Fails for other batches than that of the listing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Any) -> Any:
        made = self.conv(x)
        if len(x) == 2:
            raise ValueError("two images are too many")
        return made


def test_hooks_go_where_the_model_fails() -> None:
    model = Failing()
    with pytest.raises(SourceError, match="test fails while it runs: ValueError: two images are too many"):
        values(opened(model), drawn(2, *SIZE, 3))
    assert not model.conv._forward_hooks


class Leaving(nn.Module):
    """Ends the process."""

    def forward(self, x: Any) -> Any:
        raise SystemExit(3)


def test_a_model_that_ends_the_process_is_an_error() -> None:
    with pytest.raises(SourceError, match="test fails while it runs: SystemExit: 3"):
        opened(Leaving()).inventory(SIZE)


class Drawing(nn.Module):
    """Its numbers are others each time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Any) -> Any:
        made = self.conv(x)
        return made + torch.randn_like(made)


def test_numbers_that_follow_from_more_than_the_image_are_noted() -> None:
    of_batch = opened(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)))
    random = opened(Drawing())
    for source, words in ((of_batch, "normalises by the statistics of a batch"), (random, "draws random numbers")):
        source.inventory(SIZE)
        assert [words in note for note in source.notes] == [True]
    plain = opened(Residual())
    plain.inventory(SIZE)
    assert plain.notes == ()


class Several(nn.Module):
    """Returns a tuple of which a layer is given one, and a dict."""

    class Both(nn.Module):
        def forward(self, x: Any) -> Any:
            return functional.avg_pool2d(x, 2), functional.max_pool2d(x, 2)

    def __init__(self) -> None:
        super().__init__()
        self.both, self.conv = self.Both(), nn.Conv2d(3, 2, 1)

    def forward(self, x: Any) -> Any:
        mean, largest = self.both(x)
        return {"a": self.conv(mean), "b": largest}


def test_tuples_and_dicts_are_several_outputs() -> None:
    images = drawn(2, *SIZE, 3)
    model = opened(Several())
    found, listed = values(model, images), taps(model)
    np.testing.assert_array_equal(found["both@1"], last(functional.avg_pool2d(first(images), 2)))
    np.testing.assert_array_equal(found["both@2"], last(functional.max_pool2d(first(images), 2)))
    assert (listed["conv"].returned, listed["both@2"].returned or listed["both/max_pool2d"].returned) == (1, 2)


class Boxed(nn.Module):
    """A layer that hands over an object of its own."""

    class Box(nn.Module):
        def forward(self, x: Any) -> Any:
            return frozenset((x.relu(),))

    def __init__(self) -> None:
        super().__init__()
        self.box, self.conv = self.Box(), nn.Conv2d(3, 2, 1)

    def forward(self, x: Any) -> Any:
        return self.conv(next(iter(self.box(x))))


def test_what_returns_no_tensor_says_so() -> None:
    layers, listed = opened(Boxed()).inventory(SIZE)
    assert [tap.name for tap in listed] == ["box/relu", "conv"]
    assert [(layer.path, layer.reason) for layer in layers if layer.reason] == [
        ("box", "it returns no tensor that is made of the image")
    ]


class OldStyle(nn.Module):
    """Counts on channels that come first in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 * 14 * 14, 5)

    def forward(self, x: Any) -> Any:
        made = self.conv(x)
        return self.head(made.view(made.size(0), -1))


def test_models_that_count_on_an_order_in_memory_run() -> None:
    model, images = OldStyle(), drawn(2, *SIZE, 3)
    np.testing.assert_allclose(
        values(opened(model), images)["head"], model(first(images).contiguous()).detach(), rtol=1e-5, atol=1e-6
    )


class Fickle(nn.Module):
    """Runs another layer each time."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.times = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), 0

    def forward(self, x: Any) -> Any:
        self.times += 1
        return self.one(x) if self.times % 2 else self.other(x)


def test_a_layer_that_does_not_run_again_is_told() -> None:
    with pytest.raises(SourceError, match="one does not run for these images"):
        values(opened(Fickle()), drawn(2, *SIZE, 3))


class Wide(nn.Module):
    """Of what is drawn: pieces by the names of the layers that they are."""

    def __init__(self, pieces: dict[str, Any]) -> None:
        super().__init__()
        self.pieces = nn.ModuleDict(pieces)

    def forward(self, x: Any) -> Any:
        return [piece(x) for piece in self.pieces.values()]


KINDS: dict[str, Callable[[], Any]] = {
    "Conv2D": lambda: nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
    "DepthwiseConv2D": lambda: nn.Conv2d(4, 8, 3, groups=4),
    "Conv2DTranspose": lambda: nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1),
    "MaxPooling2D": lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    "AveragePooling2D": lambda: nn.AvgPool2d(3, 2, 1),
    "GlobalAveragePooling2D": lambda: nn.AdaptiveAvgPool2d(1),
    "BatchNormalization": lambda: nn.BatchNorm2d(4),
    "GroupNormalization": lambda: nn.GroupNorm(2, 4),
    "LayerNormalization": lambda: nn.LayerNorm((4, 8, 8)),
    "ReLU": nn.ReLU6,
    "LeakyReLU": nn.LeakyReLU,
    "PReLU": lambda: nn.PReLU(4),
    "SiLU": nn.SiLU,
    "GELU": nn.GELU,
    "Mish": nn.Mish,
    "HardSiLU": nn.Hardswish,
    "HardSigmoid": nn.Hardsigmoid,
    "ELU": nn.ELU,
    "Softmax": lambda: nn.Softmax(1),
    "Sigmoid": nn.Sigmoid,
    "UpSampling2D": lambda: nn.Upsample(scale_factor=2.0, mode="bicubic"),
    "ZeroPadding2D": lambda: nn.ZeroPad2d((1, 2, 3, 4)),
    "Dense": lambda: nn.Linear(8, 3),
    "Flatten": nn.Flatten,
    "DepthToSpace": lambda: nn.PixelShuffle(2),
    "LocalResponseNormalization": lambda: nn.LocalResponseNorm(3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_layers_have_the_types_of_keras_and_known_facts(kind: str) -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.piece = nn.Conv2d(3, 4, 3, stride=2, padding=1), KINDS[kind]()

        def forward(self, x: Any) -> Any:
            return self.piece(self.before(x))

    model, images = Whole().eval(), drawn(2, *SIZE, 3)
    source = opened(model)
    tap = taps(source)["piece"]
    assert tap.type == kind
    assert tap.work is not None
    assert tap.receptive_field.status != "unknown", tap.receptive_field.reason
    assert tap.zeros != "unknown", tap.zeros_reason
    expected = model(first(images))
    # A linear layer reads the last axis, and makes it the one of channels.
    expected = last(expected) if expected.dim() == 4 and kind != "Dense" else expected.detach().numpy()
    np.testing.assert_allclose(values(source, images)["piece"], expected, rtol=1e-5, atol=1e-6)


def test_work_and_receptive_fields_are_those_of_closed_forms() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, padding=2, dilation=2), nn.MaxPool2d(2))
    listed = list(taps(opened(model)).values())
    assert [tap.work.macs for tap in listed if tap.work] == [8 * 8 * 8 * 27, 8 * 8 * 8 * 72, 0]
    assert [tap.receptive_field.size for tap in listed] == [(3, 3), (11, 11), (13, 13)]
    assert [tap.receptive_field.padding for tap in listed] == [(1, 1), (5, 5), (5, 5)]
    assert [tap.parameters for tap in listed] == [224, 584, 0]


class Attentive(nn.Module):
    """Patches as tokens, a token of its own, and one layer of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.own = nn.Conv2d(3, 32, 4, 4), nn.Parameter(torch.zeros(1, 1, 32))
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Any) -> Any:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.own.expand(len(x), -1, -1), tokens], 1)
        return self.head(self.layer(tokens)[:, 0])


def test_attention_is_counted_and_reads_all_positions() -> None:
    model = Attentive().eval()
    listed, tokens, width = taps(opened(model)), 17, 32
    attention = listed["layer/self_attn"]
    assert attention.type == "MultiHeadAttention"
    assert attention.work is not None
    assert attention.work.macs == tokens * width * 4 * width + 2 * tokens * tokens * width
    assert attention.receptive_field.status == "global"
    assert listed["cat"].parameters == width
    images = drawn(2, *SIZE, 3)
    np.testing.assert_allclose(
        values(opened(model), images)["head"], model(first(images)).detach(), rtol=1e-4, atol=1e-5
    )


class Unknown(nn.Module):
    """An operation that is not drawn."""

    def forward(self, x: Any) -> Any:
        grid = functional.affine_grid(torch.eye(2, 3).repeat(len(x), 1, 1), list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, align_corners=False)


def test_what_is_not_drawn_is_not_known_and_says_why() -> None:
    tap = next(tap for name, tap in taps(opened(Unknown())).items() if "grid_sampler" in name)
    assert (tap.receptive_field.status, tap.zeros) == ("unknown", "unknown")
    assert tap.receptive_field.reason == "what grid_sampler_2d in grid_sampler_2d reads is not known"
    assert tap.zeros_reason == "operation grid_sampler_2d"


def same_layers(model: Any, twin: Any, size: tuple[int, int]) -> None:
    """All convolutions of a Keras model and its twin agree, facts exactly and values to rounding."""
    images = drawn(2, *size, 3)
    rows, found = list[dict[str, Any]](), list[dict[str, np.ndarray]]()
    for source in (KerasModel(model, Identity("keras", "test", "", "", 0)), opened(twin, size)):
        convs = [tap for tap in source.inventory(size)[1] if tap.type.endswith("Conv2D")]
        rows.append({common(tap.name): row(tap) for tap in convs})
        made = source.tapped(convs, dict, size=size, batch=2)(images)
        found.append({common(name): value for name, value in made.items()})
    assert rows[0] == rows[1]
    # In Keras the last layer ends in its own activation.
    found[1] |= {name: softmax(found[1][name]) for name in found[0] if name == "head"}
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max())


def softmax(values: np.ndarray) -> np.ndarray:
    return torch.softmax(torch.from_numpy(values), -1).numpy()


def common(name: str) -> str:
    """What a layer is called in both."""
    name = name.removeprefix("blocks/").removeprefix("convs/")
    return name.removesuffix("/conv").removesuffix("/standardized_conv2d")


def row(tap: Tap) -> tuple[Any, ...]:
    seen = tap.receptive_field
    known = (seen.status, seen.size, seen.union, seen.stride, seen.padding, seen.centre)
    return (tap.shape, tap.parameters, tap.work, tap.zeros, known)


def test_the_same_sd_unet_gives_the_same_layers_as_in_keras() -> None:
    model = sd_unet(8, size=(32, 32))
    same_layers(model, SDUNet(model), (32, 32))


def test_the_same_r50x1_gives_the_same_layers_as_in_keras() -> None:
    model = bit("R50x1", size=(64, 64))
    twin = Bit(model)
    same_layers(model, twin, (64, 64))
    assert sum(each.numel() for each in twin.parameters()) == 23_500_352


def stored(folder: Path, model: Any) -> None:
    torch.export.save(torch.export.export(model.eval(), (torch.zeros(2, 3, *SIZE),)), folder / "model.pt2")
    torch.jit.save(torch.jit.trace(model.eval(), torch.zeros(2, 3, *SIZE)), folder / "model.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_module_gives_the_same_values_in_every_format(tmp_path: Path) -> None:
    model, images = Residual(), drawn(2, *SIZE, 3)
    stored(tmp_path, model)
    expected = values(opened(model), images)
    for name in ("model.pt2", "model.pt"):
        source = open_source(settings(tmp_path, path=name))
        found = values(source, images)
        for tap in ("conv", "norm", "sub"):
            np.testing.assert_allclose(found[tap], expected[tap], rtol=1e-5, atol=1e-6)
        assert [tap.type for tap in source.inventory(SIZE)[1]] == [
            "Conv2D", "BatchNormalization", "ReLU", "Subtract", "ReLU",
        ]  # fmt: skip
    assert open_source(settings(tmp_path, path="model.pt2")).batch == 2


BUILT = """
from torch import nn

def make(filters=4):
    return nn.Sequential(nn.Conv2d(3, filters, 3), nn.ReLU())

def other():
    return 3

def failing():
    raise OSError("no weights here")

def lazy():
    return nn.Sequential(nn.LazyConv2d(4, 3))

def nowhere():
    return nn.Conv2d(3, 4, 3, device="meta")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "torch_building.py").write_text(BUILT)
    return tmp_path


def test_weights_come_from_either_format_and_random_ones_from_the_seed(folder: Path) -> None:
    torch.manual_seed(5)
    model, images = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), drawn(2, *SIZE, 3)
    torch.save(model.state_dict(), folder / "weights.pt")
    safetensors.save_file(model.state_dict(), folder / "weights.safetensors")
    for weights in ("weights.pt", "weights.safetensors"):
        found = values(open_source(settings(folder, function="torch_building:make", weights=weights)), images)
        np.testing.assert_allclose(found["0"], last(model[0](first(images))), rtol=1e-5, atol=1e-6)
    one, two = (open_source(settings(folder, function="torch_building:make")) for _ in range(2))
    np.testing.assert_array_equal(values(one, images)["0"], values(two, images)["0"])


class Code:
    """Runs when it is loaded."""

    def __reduce__(self) -> Any:
        return print, ("code ran",)


def refused(folder: Path, **model: Any) -> SourceError:
    def opening() -> None:
        some = settings(folder, **model)
        check(some)
        open_source(some)

    with pytest.raises(SourceError) as caught:
        opening()
    return caught.value


def test_a_pickle_that_runs_code_is_refused_unless_trusted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "weights.pt").open("wb") as stream:
        pickle.dump(Code(), stream)
    torch.save({"0.weight": Code()}, folder / "zipped.pt")
    for name in ("weights.pt", "zipped.pt"):
        error = refused(folder, function="torch_building:make", weights=name)
        assert f"model.weights: {name} is a pickle that runs code, or is damaged" in str(error)
        assert "write trusted: true" in str(error.fix)
    assert "code ran" not in capsys.readouterr().out
    refused(folder, function="torch_building:make", weights="zipped.pt", trusted=True)
    assert "code ran" in capsys.readouterr().out


def test_weights_that_do_not_fit_are_told(folder: Path) -> None:
    state = nn.Sequential(nn.Conv2d(3, 4, 3)).state_dict()
    torch.save({f"module.{name}": each for name, each in state.items()}, folder / "other.pt")
    torch.save({"state_dict": state, "epoch": 3}, folder / "nested.pt")
    torch.save(nn.Sequential(nn.Conv2d(3, 5, 3)).state_dict(), folder / "wide.pt")
    torch.save({**state, "extra.weight": torch.zeros(2)}, folder / "more.pt")
    torch.save({"0.weight": state["0.weight"]}, folder / "less.pt")
    (folder / "broken.pt").write_bytes((folder / "other.pt").read_bytes()[:300])
    (folder / "broken.safetensors").write_bytes(b"\x00" * 20)
    (folder / "empty.pt").write_bytes(b"")
    told = {
        "other.pt": "2 are missing (0.weight, 0.bias) and 2 are of another model (module.0.weight",
        "more.pt": "does not fit the model: 1 are of another model (extra.weight)",
        "less.pt": "does not fit the model: 1 are missing (0.bias)",
        "nested.pt": "is no state dict: it holds state_dict, epoch",
        "wide.pt": "does not fit the model: 0.weight has the shape (5, 3, 3, 3) there, and (4, 3, 3, 3) in the model",
        "broken.pt": "cannot be read",
        "broken.safetensors": "cannot be read",
        "empty.pt": "cannot be read",
    }
    for name, words in told.items():
        assert words in str(refused(folder, function="torch_building:make", weights=name)), name
    assert "model.module.state_dict()" in str(refused(folder, function="torch_building:make", weights="other.pt").fix)


def test_functions_that_give_no_module_are_told(folder: Path) -> None:
    assert "returned int, which is no torch.nn.Module" in str(refused(folder, function="torch_building:other"))
    assert "failed: OSError: no weights here" in str(refused(folder, function="torch_building:failing"))
    assert "whose 0.weight has no shape yet" in str(refused(folder, function="torch_building:lazy"))
    assert "whose weight lies on the device meta" in str(refused(folder, function="torch_building:nowhere"))
    assert "holds no mak" in str(refused(folder, function="torch_building:mak"))


def test_files_that_are_none_are_told(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.pt2").write_bytes(b"PK\x03\x04nothing")
    (folder / "broken.pt").write_bytes(b"nothing")
    (folder / "model.onnx").write_bytes(b"nothing")
    torch.save({"0.weight": torch.zeros(2)}, folder / "weights.pt")
    for name in ("broken.pt2", "broken.pt", "weights.pt"):
        assert f"model.path: {name} cannot be opened" in str(refused(folder, path=name))
    assert "Traceback" not in capfd.readouterr().err
    error = refused(folder, path="model.onnx")
    assert "is no .pt2 or .pt file by its name" in str(error)
    assert "kind: onnx opens .onnx files" in str(error.fix)
    assert "missing.pt2 does not exist" in str(refused(folder, path="missing.pt2"))
    assert "SHA-256" in str(refused(folder, path="weights.pt", sha256="0" * 64))


def test_a_section_names_one_way_to_the_model(folder: Path) -> None:
    for model in ({}, {"function": "a:b", "path": "model.pt"}):
        with pytest.raises(ConfigError, match="name either a function or a path"):
            settings(folder, **model)
    with pytest.raises(ConfigError, match="a file holds its weights"):
        settings(folder, path="model.pt2", weights="weights.pt")
    with pytest.raises(ConfigError, match="a hash without a file"):
        settings(folder, function="a:b", sha256="0" * 64)


def test_a_missing_extra_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("fmreport.sources.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    error = refused(folder, function="torch_building:make")
    assert str(error) == "model.kind: torch needs torch, which is not installed"
    assert error.fix == "pip install 'fmreport[torch]'"


def test_sizes_that_a_model_does_not_take_are_told() -> None:
    source = opened(OldStyle(), (20, 20))
    with pytest.raises(
        SourceError, match=r"test fails while it runs: RuntimeError: .*shapes cannot be multiplied"
    ) as caught:
        source.inventory((20, 20))
    assert "preprocess.size" in str(caught.value.fix)


def test_half_precision_and_grey_images_are_taken_as_they_are() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).to(torch.bfloat16)
    source = opened(model)
    assert source.image_input.channels == 1
    found = values(source, drawn(2, *SIZE, 1))["0"]
    expected = last(model[0](first(drawn(2, *SIZE, 1)).bfloat16()).float())
    assert str(found.dtype) == "bfloat16"
    np.testing.assert_allclose(found.astype(np.float32), expected, rtol=1e-2, atol=1e-2)


def test_there_are_no_gradients_and_why_is_told() -> None:
    source, reasons = opened(Residual()), list[Any]()
    listed = source.inventory(SIZE)[1]

    def then(made: dict[str, Any]) -> Any:
        reasons.extend(gradients(tf.reduce_sum(made["relu:2"]), [made["conv"]]))
        return made["conv"]

    source.tapped(listed, then, size=SIZE, batch=2)
    assert reasons == ["another framework runs the model, and hands over activations without gradients"]
