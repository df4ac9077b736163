"The rules of the house: floors, guests, light imports, one home for metadata, a clean lock."

import ast
import configparser
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mlops_nb

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))

# third-party library -> the one room it lives in (numpy, pyarrow, yaml and traitlets are common ground)
GUESTS = {
    "fsspec": "workspace",
    "sqlalchemy": "ledger",
    "PIL": "images",
    "cv2": "images",
    "scipy": "stats",
    "matplotlib": "figures",
    "lance": "data",
    "fiftyone": "data",
    "pymongo": "data",
    "ray": "cluster",
    "msgspec": "data",
    "papermill": "pipeline",
    "ipykernel": "kernels",
    "jupyter_client": "kernels",
    "zmq": "kernels",
    "cloudpickle": "kernels",
    "nbclient": "pipeline",
    "nbformat": "pipeline",
    "tqdm": "pipeline",
    "cronsim": "pipeline",
    "pynvml": "pipeline",
    "onnx": "model",
    "onnxruntime": "model",
    "torch": "model",
    "torchvision": "model",
    "mlflow": "registry",
    "starlette": "serve",
    "uvicorn": "serve",
    "httpx": "serve",
    "prometheus_client": "serve",
    "psutil": "serve",
    "jinja2": "evidence",
    "nbconvert": "evidence",
    "ipywidgets": "widgets",
    "anywidget": "widgets",
    "click": "cli",
    "rich": "cli",
    "jupyter_server": "lab",
    "jupyter_server_proxy": "lab",
    "tornado": "lab",
    "jsonschema": "lab",
}
COMMON = {"numpy", "pyarrow", "yaml", "IPython", "traitlets"}


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text("utf-8"))["cells"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def module_of(path: Path) -> str:
    "The module a notebook exports to, such as `data.store`."
    found = re.search(r"#\|\s*default_exp\s+(\S+)", source(cells(path)[0]))
    assert found, f"{path.name} must begin with #| default_exp"
    return found[1]


def imports(path: Path) -> list[str]:
    "Every module the exported cells import, relative ones spelt out."
    names = []
    for cell in cells(path):
        if cell["cell_type"] == "code" and re.match(r"#\|\s*export", source(cell)):
            for node in ast.walk(ast.parse(source(cell))):
                if isinstance(node, ast.Import):
                    names += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    assert node.level == 0, f"{path.name}: import from mlops_nb.x, not from ."
                    names.append(node.module or "")
                    if node.module == "mlops_nb":
                        names += [f"mlops_nb.{alias.name}" for alias in node.names]
    return names


FLOORS = {module_of(path): floor for floor, path in enumerate(NOTEBOOKS)}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_room_imports_only_from_lower_floors(path):
    mine = FLOORS[module_of(path)]
    for name in imports(path):
        if name.startswith("mlops_nb.") and not name.startswith("mlops_nb.__"):
            target = name.removeprefix("mlops_nb.")
            floors = [f for m, f in FLOORS.items() if m == target or m.startswith(f"{target}.")]
            assert floors, f"{path.name} imports {name}, which no notebook makes"
            assert max(floors) < mine, f"{path.name} imports {name}, which is not below it"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_guest_lives_in_one_room(path):
    room = module_of(path).split(".")[0]
    for name in imports(path):
        guest = name.split(".")[0]
        if guest == "mlops_nb" or guest in sys.stdlib_module_names or guest in COMMON:
            continue
        assert GUESTS.get(guest) == room, (
            f"{path.name} imports {guest}; its room is {GUESTS.get(guest)}"
        )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_a_page(path):
    page = cells(path)
    title = source(page[1])
    assert title.startswith("# ") and "\n> " in title, (
        f"{path.name}: `# title` and `> line` come second"
    )
    code = [source(c) for c in page if c["cell_type"] == "code"]
    hidden = [c for c in code if c.startswith("#| hide")]
    assert len(hidden) <= max(1, len(page) // 10), f"{path.name} hides {len(hidden)} cells"
    for cell in code:
        if re.match(r"#\|\s*export", cell):
            assert len(cell.splitlines()) <= 60, f"{path.name}: split the cell\n{cell[:200]}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_room_that_outgrows_a_page_becomes_a_package(path):
    lines = sum(
        len(source(c).splitlines())
        for c in cells(path)
        if c["cell_type"] == "code" and re.match(r"#\|\s*export", source(c))
    )
    assert lines <= 450, f"{path.name} exports {lines} lines"


def test_public_names_exist_and_are_documented():
    for name in mlops_nb.__all__:
        value = getattr(mlops_nb, name)
        assert inspect.getdoc(value), f"{name} has no docstring"
    with pytest.raises(AttributeError, match="no_such_name"):
        mlops_nb.no_such_name  # noqa: B018


def test_every_guest_is_a_declared_requirement():
    distributions = {
        "PIL": "pillow",
        "cv2": "opencv-python-headless",
        "lance": "pylance",
        "pynvml": "nvidia-ml-py",
        "zmq": "pyzmq",
    }
    extras = ["fiftyone", "pymongo", "ray", "jupyter_server", "jupyter_server_proxy"]
    extras += ["tornado", "jsonschema"]
    distributions |= {"IPython": "ipykernel"} | dict.fromkeys(extras, "")
    settings = configparser.ConfigParser(delimiters=["="], interpolation=None)
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    wanted = re.findall(r"^([\w-]+)", settings["DEFAULT"]["requirements"], re.MULTILINE)
    for guest in GUESTS:
        name = distributions.get(guest, guest.replace("_", "-"))
        assert not name or name in wanted, f"{guest} is imported, {name} is not required"


def test_the_verbs_of_the_walk_are_public():
    verbs = (
        "ingest validate tag run evaluate gate export register propose approve promote deploy "
        "monitor lineage browse"
    )
    assert set(verbs.split()) <= set(mlops_nb.__all__)


def test_every_public_function_and_class_says_what_it_does():
    for module in FLOORS:
        path = ROOT / "mlops_nb" / f"{module.replace('.', '/')}.py"
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{module}.{node.name} has no docstring"


def test_importing_the_package_imports_no_guest():
    heavy = sorted(set(GUESTS) | COMMON)
    code = f"import sys, mlops_nb; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_help_imports_no_heavy_guest():
    heavy = sorted((set(GUESTS) - {"click"}) | COMMON)
    code = (
        "import sys\nfrom mlops_nb.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


def test_metadata_has_one_home():
    settings = configparser.ConfigParser(delimiters=["="], interpolation=None)
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    meta = settings["DEFAULT"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert meta["version"] == mlops_nb.__version__
    assert meta["lib_name"] == project["project"]["name"] == project["tool"]["nbdev"]["lib_path"]
    assert project["project"]["requires-python"] == f">={meta['min_python']}"
    assert set(project["project"]) == {"name", "requires-python", "dynamic"}
    assert f"## {meta['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_lock_is_complete_and_names_no_address():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in lock and "--index" not in lock and "--find-links" not in lock
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, flags=re.MULTILINE))
    settings = configparser.ConfigParser(delimiters=["="], interpolation=None)
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    wanted = settings["DEFAULT"]["requirements"].split("\n")
    wanted += [line.split(":", 1)[1] for line in settings["DEFAULT"]["extras"].split("\n") if line]
    for requirement in filter(None, wanted):
        name = re.match(r"[a-zA-Z0-9-]+", requirement.strip())[0].lower()
        assert name in pinned, f"{name} is not in requirements.lock. Run: make lock"


def test_nothing_tracked_names_a_machine():
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    folders = "work|root|home|tmp"
    bad = re.compile(rf"(?<![\w.<$}}])/({folders})/\w")
    for name in names.stdout.split():
        path = ROOT / name
        if (
            path.suffix in {".py", ".ipynb", ".md", ".toml", ".ini", ".yaml", ".lock"}
            and path.exists()
        ):
            found = bad.search(path.read_text("utf-8"))
            assert not found, f"{name} names {found[0]!r}, a path of one machine"


@pytest.mark.parametrize("first", ["import mlops_nb.evaluate", "from mlops_nb import evaluate"])
def test_a_verb_named_like_its_room_stays_the_verb(first):
    code = f"{first}\nfrom mlops_nb.evaluate import gate\nfrom mlops_nb import evaluate\nevaluate.__call__"
    subprocess.run([sys.executable, "-c", code], check=True)
