"""Dropouts on a curated network and on real cells: zero deletion on data that is not of our own simulator.

    pip download --no-deps -d out scanpy==1.11.5
    python -m benchmarks.curated_network out/scanpy-1.11.5-py3-none-any.whl [ROUNDS]

The wheel holds 640 cells simulated from the 11-gene myeloid network of Krumsiek et al. 2011 with its list of couplings, and 700 real blood
cells (a part of 10x's PBMC 68k). The network has cycles and couplings of a gene to itself, so only skeletons are compared, and the cells
follow in time: a demonstration, not a test of the theory. Reading the real cells needs h5py.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
from scipy.sparse import csr_matrix

from ponder.causal.grn import ZeroDeletedCITest, drop_out, rows_left
from ponder.causal.grn.dropout import Mechanism
from ponder.causal.search import Cpdag, pc

MECHANISMS: tuple[Mechanism, ...] = ("constant", "truncation", "logistic")


def network(wheel: zipfile.ZipFile) -> tuple[np.ndarray, Cpdag]:
    """Expression of 11 genes, shape (640, 11), and the skeleton of their couplings."""
    rules = wheel.read("scanpy/sim_models/krumsiek11.txt").decode()
    names = [line.split("=")[0].strip() for line in rules.splitlines() if "=" in line and not line.startswith("#")]
    pairs = [line.split()[:2] for line in rules.split("# coupling list:")[1].splitlines() if line.strip()]
    edges = {tuple(sorted((names.index(a), names.index(b)))) for a, b in pairs if a != b}
    rows = [line for line in wheel.read("scanpy/datasets/krumsiek11.txt").decode().splitlines() if line and line[0] not in "#it"]
    table = np.loadtxt(io.StringIO("\n".join(rows)))[:, -len(names) :]
    return table, Cpdag(len(names), frozenset(), frozenset(edges))


def real_cells(wheel: zipfile.ZipFile) -> np.ndarray:
    """Log-normalised counts of 700 cells, zeros exact, shape (700, 765)."""
    with h5py.File(io.BytesIO(wheel.read("scanpy/datasets/10x_pbmc68k_reduced.h5ad"))) as file:
        part = file["raw/X"] if "raw/X" in file else file["raw.X"]
        matrix = csr_matrix((part["data"][:], part["indices"][:], part["indptr"][:]))
    return matrix.toarray().astype(np.float64)


def main() -> None:
    if len(sys.argv) < 2 or not Path(sys.argv[1]).exists():
        sys.exit(__doc__)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        (table, true), cells = network(wheel), real_cells(wheel)
    clean = pc(table)
    print(
        f"krumsiek11: {table.shape[0]} cells, {len(true.skeleton)} couplings; PC without dropouts: F1 {clean.skeleton_f1(true):.3f}, ",
        end="",
    )
    print(f"{len(clean.skeleton)} edges")
    for mechanism in MECHANISMS:
        for name, test in (("naive", ZeroDeletedCITest(delete="none")), ("zeros deleted", ZeroDeletedCITest())):
            scores = []
            for k in range(rounds):
                found = pc(drop_out(table, mechanism, np.random.default_rng(k)), test)
                scores.append((found.skeleton_f1(true), found.skeleton_f1(clean), len(found.skeleton), found.inconclusive))
            mean = np.mean(scores, axis=0)
            print(f"  {mechanism:10} {name:13} F1 {mean[0]:.3f}, against PC without dropouts {mean[1]:.3f}, ", end="")
            print(f"{mean[2]:.1f} edges, {mean[3]:.0f} tests inconclusive")
    print(f"blood cells: {cells.shape}, {np.mean(cells == 0):.0%} zeros; cells left given 1, 2, ... genes, median (and tenth percentile):")
    for size in range(1, 6):
        left = rows_left(cells, size, 2000, np.random.default_rng(size))
        print(f"  {size}: {np.median(left):.0f} ({np.percentile(left, 10):.0f}); below 30 in {np.mean(left < 30):.0%}")


if __name__ == "__main__":
    main()
