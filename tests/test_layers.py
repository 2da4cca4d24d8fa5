"""The house stands from the ground up: modules import from rooms below, in their own from what stands before them."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from each import each

import embcodec

PACKAGE = Path(embcodec.__file__).parent

# Lower rooms first. A module imports from rooms that stand before its own here, through their faces (their __init__),
# and in its own from modules that stand before it; a package within a package stands where its name does.
ROOMS: dict[str, str] = {
    "words": "text html missing objects synonyms arguments progress",
    "": "_version errors dtypes profile profiles ranges scale protocols",
    "_native": "threads cores core blocks sums checksum growing numbers bits hamming base64 floats segments scan "
    "search merge quantize lowbit principal response",
    "_native.response": "layout hints one usual reader lines fast read write",
    "codec": "tables ids dlpack columns narrow bits payloads base64 numbers precision codes convert",
    "embeddings": "",
    "containers": "locks disk atomic thrift pages checks arrays watched npy tensor_header tensors xvecs hdf5",
    "quantizers": "quantize samples calibrate_jit histograms summary calibrate lowbit fitting",
    "quantizers.lowbit": "levels moments chains places blocks rotations shaping scheme principal queries errors codes "
    "joined",
    "quantizers.fitting": "threads measure principal principal_files files choices wishes race recall choose quantizer",
    "wire": "http codings service answer shapes usual body response_format decoder envelopes octets response batch",
    "wire.http": "address secret",
    "wire.batch": "rows writer ahead source lines result forms errors plain reader",
    "scan": "metric ways plan prepared reach best merge named segmented bounds steps search range rescore residuals "
    "estimates upper_bounds promises exact query_center",
    "files": "kinds pack bare columns parquet contents pieces storage ids exchange",
    "files.pieces": "cluster skipping how places matrices tables lines loading nearest",
    "files.exchange": "rows blobs arrow bson dlpack elasticsearch faiss milvus qdrant redis s3_vectors sqlite_vec "
    "vespa pgvector pgcolumns pgwrite pgstream pgfields pgread",
    "index": "rows arguments exact stages view files flat collection",
    "index.collection": "lock grown failing manifest pieces ahead unlisted journal shards arena best exact folder "
    "spread texts names info view changes record coded skipping remote ingest collection",
    "client": "reply settings transport worker order split job base client",
    "server": "limits model workers connection process request cohere tokens readers guard endpoint openapi page "
    "routes app",
    "tradeoff": "intervals words stores recipe measurement findings advice labels drawing figures results measures "
    "corpus rows directions inputs kinds pipeline codes gathering measuring study bodies answers report demo",
    "distributed": "batches sizes summaries",
    "adapters": "missing store embedder langchain llamaindex haystack sbert sklearn hugging polars",
    "cli": "words command common kinds bodies tables info serve trouble service study search ingest quantize data",
}
LOWER = list(ROOMS)


def modules() -> list[str]:
    """Return the modules of the package by their names within it, packages by theirs with ``.__init__``."""
    found = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts) for path in found)


MODULES = modules()
FACES = {"", *(name.removesuffix(".__init__") for name in MODULES if name.endswith(".__init__"))}


@cache
def imports_of(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Return the import statements of a file, wherever they stand in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(module: str) -> set[str]:
    """Return the modules and faces that a module imports from, also within functions and for types alone."""
    base = module.split(".")[:-1]
    found = set()
    for node in imports_of(PACKAGE / (module.replace(".", "/") + ".py")):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "embcodec" for alias in node.names), "import from . instead"
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        origin = ".".join([*base[: len(base) - node.level + 1], *(node.module or "").split(".")]).strip(".")
        for alias in node.names:
            inner = f"{origin}.{alias.name}".strip(".")
            is_module = inner in MODULES and not exports(origin, alias.name)
            found.add(inner if is_module else origin)
    return found - {"_native", "_kernels"}


def exports(face: str, name: str) -> bool:
    """Whether a package hands on something of that name, which then is not its module of that name."""
    if face not in FACES or not face:
        return False
    return any(alias.name == name for node in taken_by(face) for alias in node.names)


@cache
def taken_by(face: str) -> list[ast.ImportFrom]:
    """Return what stands at the top of a face: what it hands on."""
    tree = ast.parse((PACKAGE / face.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.ImportFrom)]


def room_of(module: str) -> str:
    """Return the package that a module stands in; a face stands in its own."""
    if module in FACES:
        return module
    return module if module in ROOMS else module.rpartition(".")[0]


def rank_of(module: str) -> tuple[int, ...]:
    """Return where a module stands: its room on the way up, its place there, and so on for packages within."""
    room = room_of(module)
    top = room.split(".")[0]
    places = [LOWER.index(top)]
    inside = module.split(".")[1:] if top else [module]
    parent = top
    for name in inside:
        order = ROOMS[parent].split()
        places.append(order.index(name) if name != "__init__" else len(order))
        parent = f"{parent}.{name}".strip(".")
    return tuple(places)


@each("module", [name for name in MODULES if name not in ("__init__", "__main__")])
def test_imports_go_one_way(module: str) -> None:
    for other in imported(module):
        assert other, f"{module} imports from the package's face, which stands above all"
        if module.removesuffix(".__init__") == other:
            continue
        assert rank_of(other) < rank_of(module), f"{module} may not import {other}: it is above it"


@each("module", [name for name in MODULES if name not in ("__init__", "__main__")])
def test_rooms_are_entered_by_their_faces(module: str) -> None:
    """What a package does not hand on is its own; bare arrays of codes, which are a vocabulary, are shared whole."""
    inside = module.split(".")[0]
    for other in imported(module) - {"codec.codes"}:
        top = other.split(".")[0]
        if top not in (inside, "_native") and top in FACES:
            assert other in FACES, f"{module} takes what it needs of {other} from its package"


@pytest.mark.parametrize("face", sorted(FACES - {""}))
def test_each_room_lists_all_that_stand_in_it(face: str) -> None:
    folder = PACKAGE / face.replace(".", "/")
    there = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert sorted(ROOMS[face].split()) == sorted(there - {"__init__"})


def test_the_ground_floor_lists_all_that_stand_on_it() -> None:
    there = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert sorted([*ROOMS[""].split(), "embeddings"]) == sorted(there)


def test_only_the_native_core_imports_the_built_module() -> None:
    importers = [path for path in PACKAGE.rglob("*.py") if "_kernels" in names_in(path)]
    assert [str(path.relative_to(PACKAGE).as_posix()) for path in importers] == ["_native/core.py"]


def names_in(path: Path) -> set[str]:
    """Return the names that a file imports, and from where: of modules the last part."""
    nodes = [node for node in imports_of(path) if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in nodes for alias in node.names} | {str(node.module).split(".")[-1] for node in nodes}


def test_import_stays_light() -> None:
    code = (
        "import sys, embcodec\n"
        "heavy = {'numba', 'httpx2', 'starlette', 'uvicorn', 'matplotlib', 'pyarrow', 'click', 'rich', 'stamina'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_public_name_is_there() -> None:
    for name in embcodec.__all__:
        assert getattr(embcodec, name) is not None
    assert dir(embcodec) == sorted([*embcodec.__all__, "__version__"])
