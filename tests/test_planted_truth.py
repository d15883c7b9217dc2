"""Networks whose layers are known, from config to findings: what is planted is found, and nothing else is claimed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import planted_networks
import pytest
from PIL import Image
from planted_networks import BLURS, CONSTANT, LUMA, REPEATED, SHARES, SILENT
from scipy.ndimage import gaussian_filter
from to_read import blobs

import fmreport
from fmreport.analysis import finding as f
from fmreport.analysis.finding import Finding, Tables
from fmreport.analysis.findings import findings
from fmreport.store import Run

SIZE, IMAGES = 48, 12
CONFIG = """\
name: planted
model: {kind: builder, function: "planted_networks:edges_to_mask"}
preprocess: {size: [48, 48]}
probes:
  - {kind: files, images: "probes/*.png", masks: "masks/{stem}.png"}
layers: [{name: "edge?"}, {name: "between?"}, {name: "mask?"}]
controls: {randomised: 3}
report: {formats: [html]}
"""


def photograph(mask: np.ndarray, seed: int) -> np.ndarray:
    """`(H, W, 3)` uint8: grey, but where the mask is some patches are red and some green, of the same luminance.

    Edges are of one strength all over, and no colour is that of the foreground.
    """
    rng = np.random.default_rng(seed)
    grey = gaussian_filter(rng.normal(size=mask.shape), 1)
    sign = np.sign(gaussian_filter(rng.normal(size=mask.shape), 2)) * mask
    colour = sign[..., None] * np.array([60, -60 * LUMA[0] / LUMA[1], 0])
    return (128 + 12 * grey[..., None] / grey.std() + colour).clip(0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("planted")
    shutil.copy(planted_networks.__file__, made)
    for name in ("probes", "masks"):
        (made / name).mkdir()
    for i, mask in enumerate(blobs(np.random.default_rng(0), IMAGES, SIZE, SIZE)):
        Image.fromarray(photograph(mask, i)).save(made / f"probes/p{i:02}.png")
        Image.fromarray((255 * mask).astype(np.uint8)).save(made / f"masks/p{i:02}.png")
    (made / "planted.yaml").write_text(CONFIG)
    return made


def done(folder: Path, out: Path, *overrides: str) -> Run:
    return fmreport.run(folder / "planted.yaml", out=out, overrides=overrides)


@pytest.fixture(scope="module")
def course(folder: Path) -> Run:
    return done(folder, folder / "course")


@pytest.fixture(scope="module")
def broken(folder: Path) -> Run:
    layers = 'layers=[{name: "*"}]'
    return done(folder, folder / "broken", "model.function=planted_networks:broken", layers, "controls.randomised=1")


def told(run: Run) -> dict[str, Finding]:
    """Findings by their subject."""
    made = Tables(run.layers, run.inventory, run.summary, run.channels, run.analyses, run.controls, 0)
    return {each.subject: each for each in findings(made)}


def read(run: Run, quantity: str) -> dict[str, float]:
    table = run.analyses["progression"]
    return table[table["quantity"] == quantity].set_index("tap")["value"].to_dict()


def test_what_is_exactly_the_edges_and_exactly_the_mask_is_read_as_that(course: Run) -> None:
    edge, mask = read(course, "edge"), read(course, "mask")
    for tap, share in SHARES.items():
        if share in (0, 1):
            same, other = (edge, mask) if share == 0 else (mask, edge)
            # The ridge shrinks a coefficient by 1/101, which costs the square of it.
            assert same[tap] == pytest.approx(1 - (1 / 101) ** 2, abs=1e-5)
            assert other[tap] < 0.1
    assert max(edge.values()) == pytest.approx(max(mask.values()), abs=1e-6)


def test_the_course_from_edges_to_mask_is_supported_at_the_layer_at_which_it_happens(course: Run) -> None:
    found = told(course)["from edges to mask"]
    assert (found.verdict, found.caveat) == (f.SUPPORTED, "")
    assert "masks are read better than edges from between2 on (tap 5" in found.sentence
    assert "100% of the maps agree" in found.sentence
    assert found.taps == ("edge1", "between2")


def test_the_tap_and_the_channel_that_are_the_mask_are_named(course: Run) -> None:
    tap, channel = (told(course)[f"the most mask-like {what}"] for what in ("tap", "channel"))
    assert (tap.verdict, channel.verdict) == (f.SUPPORTED, f.SUPPORTED)
    assert tap.taps[0] in ("mask1", "mask2", "mask3")
    # A threshold takes what little edge there is off the map before.
    assert channel.taps[0] in ("between3", "mask1", "mask2", "mask3")
    assert channel.sentence.startswith(f"Channel 0 of {channel.taps[0]} outlines the foreground best: IoU 1.00")


def test_a_good_network_has_no_other_findings(course: Run) -> None:
    others = [each.verdict for subject, each in told(course).items() if "mask" not in subject]
    assert others == [f.NOTHING] * 4
    assert course.facts.notes == ()


@pytest.mark.parametrize("permuted", [1, 2, 3])
def test_the_same_network_with_permuted_weights_does_not_pass_for_it(
    folder: Path, tmp_path: Path, permuted: int
) -> None:
    run = done(folder, tmp_path, f"model.arguments.permuted={permuted}")
    assert told(run)["from edges to mask"].verdict == f.REFUTED


def test_noise_is_nothing_and_white(folder: Path, tmp_path: Path) -> None:
    run = done(
        folder, tmp_path, "model.function=planted_networks:noise", 'layers=[{name: "noise*"}]', "controls.randomised=0"
    )
    assert max(max(read(run, what)[tap] for tap in run.layers["tap"]) for what in ("edge", "mask")) < 0.01
    share = np.array([read(run, "centroid_share")[tap] for tap in run.layers["tap"]])
    assert share == pytest.approx(2 / 3, abs=0.01)
    assert not [each for each in told(run).values() if each.verdict in (f.SUPPORTED, f.CONSISTENT)]


def expected_centroid(blur: float, side: int = 128) -> float:
    """Of white noise blurred by a Gaussian, with zeros around it, less its mean under a Hann window, and windowed.

    Covariances along either axis are K: a wave e, windowed, meets of noise without its mean w the power
    (e'Ke)(e'Ke) - 2 (e'Kw)(e'Kw)(e'1)(e'1) + (w'Kw)^2 (e'1)^2 (e'1)^2, e being of rows and of columns by turns.
    """
    places = np.arange(side)
    smooth = np.exp(-((places[:, None] - places) ** 2) / (2 * blur**2))
    kernel = smooth @ smooth.T
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * places / side)
    cycles = np.fft.fftfreq(side, 1 / side)
    waves = hann * np.exp(-2j * np.pi * np.outer(cycles, places) / side)
    mean = hann / hann.sum()
    own = np.einsum("ki,ij,kj->k", waves, kernel, waves.conj()).real
    crossed = (waves @ kernel @ mean) * waves.conj().sum(axis=1)
    ones = np.abs(waves.sum(axis=1)) ** 2
    power = (
        np.outer(own, own) - 2 * np.outer(crossed, crossed).real + (mean @ kernel @ mean) ** 2 * np.outer(ones, ones)
    )
    frequency = np.hypot(*np.meshgrid(cycles, cycles))
    within = (frequency > 0) & (frequency <= side / 2)
    return float((frequency * power)[within].sum() / power[within].sum())


def test_blurs_that_double_halve_the_mean_frequency(folder: Path, tmp_path: Path) -> None:
    """Its frequencies have about a Rayleigh distribution of variance s^2 = (128 / (2 pi sigma))^2 / 2 along an axis.

    12 images of 8 maps have 96 x 4 pi s^2 / 4 independent ones, as the window makes one of four, each of which tells
    the mean to a half: 2,900 for the last blur, and 1%. Three times this is the tolerance.
    """
    settings = ("preprocess.size=128", 'layers=[{name: "blur*"}]', "controls.randomised=0")
    run = done(folder, tmp_path, "model.function=planted_networks:pyramid", *settings)
    found = run.analyses["detail"].set_index("tap").loc[[f"blur{i}" for i in range(3)], "centroid"].to_numpy()
    expected = np.array([expected_centroid(blur) for blur in BLURS])
    assert found == pytest.approx(expected, rel=0.03)
    # Not quite a half: the window has a width of its own.
    assert expected[1:] / expected[:-1] == pytest.approx([0.5, 0.5], rel=0.06)
    assert found[1:] / found[:-1] == pytest.approx([0.5, 0.5], rel=0.06 + 0.03)


def test_silent_constant_and_repeated_channels_are_counted_exactly(broken: Run) -> None:
    channels = broken.channels[broken.channels["tap"] == "idle"]
    assert tuple(channels.loc[channels["silent"].astype(bool), "channel"]) == SILENT
    assert (
        tuple(channels.loc[channels["constant"].astype(bool) & ~channels["silent"].astype(bool), "channel"]) == CONSTANT
    )
    repeats = broken.analyses["redundancy"].query("tap == 'idle'")
    assert dict(zip(repeats["duplicate"], repeats["original"], strict=True)) == REPEATED
    found = told(broken)["channels that say nothing of their own"]
    assert "7 are silent, 2 more constant and 5 near-duplicates, most at idle (14)" in found.sentence
    # Each has 16 weights and a bias.
    assert "about 238 parameters" in found.sentence


def test_values_that_are_no_numbers_are_found(broken: Run) -> None:
    found = told(broken)["NaN and Inf"]
    assert (found.verdict, found.taps) == (f.SUPPORTED, ("roots",))
    assert [note for note in broken.facts.notes if " at roots " in note]


def test_dimensions_that_collapse_are_found_where_they_do(broken: Run) -> None:
    found = told(broken)["collapse of dimension"]
    assert (found.verdict, found.taps) == (f.SUPPORTED, ("few",))
    assert "2.0 dimensions, of 8 channels" in found.sentence


def test_positions_that_collapse_are_found_where_they_do(broken: Run) -> None:
    found = told(broken)["collapse of resolution"]
    assert (found.verdict, found.taps) == (f.SUPPORTED, ("coarse",))
    assert "coarse leaves maps of 6 × 6 positions, after 48 × 48" in found.sentence
