"Every block of the README runs, in order, as a reader would type it."

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_every_block_runs(tmp_path):
    blocks = BLOCK.findall((ROOT / "README.md").read_text("utf-8"))
    assert {kind for kind, _ in blocks} == {"sh", "python"}
    environ = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    }
    state = tmp_path / "state.py"  # Python blocks go on where the one before ended
    state.write_text("")
    for kind, code in blocks:
        if kind == "python":
            state.write_text(state.read_text() + code)
    ran_python = False
    for kind, code in blocks:
        if kind == "sh" and code.startswith("make "):
            for line in code.splitlines():  # the targets exist; running them here would not end
                subprocess.run([*line.split(), "-n"], cwd=ROOT, check=True, capture_output=True)
            continue
        if kind == "python" and ran_python:
            continue
        command = ["sh", "-e", "-c", code] if kind == "sh" else [sys.executable, str(state)]
        ran_python = ran_python or kind == "python"
        done = subprocess.run(
            command,
            check=False,
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        if "lineage" in code and kind == "sh":
            assert "chain whole" in done.stdout and "ann" in done.stdout


def test_the_readme_names_every_room():
    text = (ROOT / "README.md").read_text("utf-8")
    rooms = {p.name.removesuffix(".py") for p in (ROOT / "mlops_nb").iterdir()}
    doors = {"__init__", "_modidx", "__pycache__", "cli", "demo", "labextension"}
    for room in rooms - doors:
        assert f"| [{room}](" in text, f"the README's table of rooms lacks {room}"


def test_every_local_link_of_the_readme_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text("utf-8")):
        assert (ROOT / target).exists(), f"the README links to {target}, which is absent"
