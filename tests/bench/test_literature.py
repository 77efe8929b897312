"""The command line reproduces printed tables and published records."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


# Bicubic rows as the SRCNN and VDSR line of papers prints them.
PRINTED = {
    ("Set5", 2): ("33.66", ".9299"),
    ("Set5", 3): ("30.39", ".8682"),
    ("Set5", 4): ("28.42", ".8104"),
    ("Set14", 2): ("30.24", ".8688"),
    ("Set14", 3): ("27.55", ".7742"),
    ("Set14", 4): ("26.00", ".7027"),
    ("BSD100", 2): ("29.56", ".8431"),
    ("BSD100", 4): ("25.96", ".6675"),
}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_rows_equal_the_printed_ones(shared: Path, command, tmp_path: Path, scale: int) -> None:
    names = [dataset for dataset, printed_scale in PRINTED if printed_scale == scale]
    options = [part for name in names for part in ("--dataset", f"{name}={shared / 'data' / name / 'HR'}")]
    command("run", "classic-x4", "--scale", scale, *options, "--method", "bicubic", "--store", tmp_path / "s")
    rows = {(row["dataset"], row["metric"]): row for row in read(tmp_path / "s" / "report" / "leaderboard.csv")}
    for name in names:
        psnr, ssim = (float(rows[name, metric]["value"]) for metric in ("psnr_y", "ssim_y"))
        assert (f"{psnr:.2f}", f"{ssim:.4f}".lstrip("0")) == PRINTED[name, scale]
        assert rows[name, "psnr_y"]["protocol"] == f"classic-x{scale}"


def test_osediff_record_is_reproduced_image_by_image(shared: Path, command, tmp_path: Path) -> None:
    """The authors' own per-image PSNR and SSIM of their published outputs; means 25.1511 and 0.7341."""
    data = shared / "data" / "RealSR_512"
    options = ("--sr", data / "results_osediff", "--hr", data / "test_HR", "--protocol", "osediff-512")
    command("score", *options, "--metrics", "psnr_y,ssim_y", "--per-image", tmp_path / "out.csv")
    measured = {(row["image"], row["metric"]): float(row["value"]) for row in read(tmp_path / "out.csv")}
    record = read(data / "published_per_image_metrics_osediff.csv")
    assert len(record) == 100
    for row in record:
        image = Path(row["image"]).stem
        assert measured[image, "psnr_y"] == pytest.approx(float(row["psnr_y"]), abs=1e-4)
        assert measured[image, "ssim_y"] == pytest.approx(float(row["ssim_y"]), abs=1e-5)
    means = [sum(v for (_, id), v in measured.items() if id == metric) / 100 for metric in ("psnr_y", "ssim_y")]
    assert [f"{mean:.4f}" for mean in means] == ["25.1511", "0.7341"]


def test_official_realesrgan_weights_on_set5(shared: Path, command, tmp_path: Path) -> None:
    """28.2326 dB / .8268 on MATLAB's LR, from the weight file that the Real-ESRGAN authors released."""
    data = shared / "data" / "Set5"
    command(
        "run",
        "classic-x4-float",
        "--dataset",
        f"Set5={data / 'LR_bicubic' / 'X4'},{data / 'HR'}",
        "--method",
        shared / "weights" / "realesr-animevideov3.pth",
        "--store",
        tmp_path / "s",
    )
    values = {row["metric"]: float(row["value"]) for row in read(tmp_path / "s" / "report" / "leaderboard.csv")}
    assert values["psnr_y"] == pytest.approx(28.2326, abs=1e-3)
    assert f"{values['ssim_y']:.4f}" == "0.8268"
