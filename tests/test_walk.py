"The walk from folder to a watched model, killed again and again, and on bad days."

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

COMMAND = Path(sys.executable).parent / "mlops-nb"


def begin(ws, *words: str) -> subprocess.Popen:
    "Start mlops-nb in a session of its own."
    return subprocess.Popen(
        [COMMAND, "--workspace", ws.root, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen, words: str) -> list[str]:
    "The lines the demo prints, up to the one that has these words."
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if words in line:
            return lines
    raise AssertionError(f"no {words!r} in\n{chr(10).join(lines)}\n{process.stderr.read()[-3000:]}")


def kill(process: subprocess.Popen) -> None:
    "kill -9, and nothing else gets a chance."
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()


def working_in(ws) -> list[psutil.Process]:
    "Processes that were told of this workspace: kernels, servers."
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MLOPS_NB_WORKSPACE") == str(ws.root):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until_it_learns(ws, process: subprocess.Popen) -> None:
    "Return within the loop of training, three cells before the end of its page."
    from mlops_nb.pipeline import events, runs

    while process.poll() is None:
        for run in runs(ws)[:1]:
            told = [one for one in events(ws, run.id) if one["event"] == "step"]
            if told and told[-1]["status"] == "running" and told[-1]["cells"] == told[-1]["of"] - 3:
                return
        time.sleep(0.02)
    raise AssertionError(f"it ended before it learnt: {process.stderr.read()[-3000:]}")


def stages(lines: list[str]) -> dict[str, str]:
    "Stage name -> its sign: ✓ done now, ↺ found done."
    found = (re.match(r"([✓↺]) (.+?)\s{2,}", line) for line in lines)
    return {match[2]: match[1] for match in found if match}


@pytest.mark.timeout(600)
def test_the_walk_survives_kill_9_at_any_stage(ws):
    from mlops_nb.ledger import verify_ledger

    for last, wait in (
        ("validate v1", None),
        ("tag v1", wait_until_it_learns),
        ("deploy", lambda *_: time.sleep(0.7)),
        ("validate v2", wait_until_it_learns),
    ):
        process = begin(ws, "demo", "--fast")
        seen = read_until(process, last)
        if wait:
            wait(ws, process)
        kill(process)
        assert verify_ledger(ws).ok
    assert stages(seen)["train on v1"] == "↺", "a finished stage is not repeated"

    process = begin(ws, "demo", "--fast")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, f"{out}\n{err[-3000:]}"
    done = stages(out.splitlines())
    before = ("ingest v1", "train on v1", "drive, first snow", "monitor, first snow")
    assert {done[name] for name in before} == {"↺"}
    assert done["report"] == "✓" and "Lineage of" in out
    assert verify_ledger(ws).ok
    deadline = time.monotonic() + 15
    while working_in(ws) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not working_in(ws), "a killed demo leaves no kernel and no server for long"

    again = begin(ws, "--json", "demo", "--fast")
    out, err = again.communicate(timeout=200)
    assert again.returncode == 0, err[-3000:]
    walk = json.loads(out)
    repeated = {stage["name"] for stage in walk["stages"] if stage["repeated"]}
    assert {name for name in done if name.startswith(("train", "monitor", "drive"))} <= repeated
    assert walk["accuracy_storm"] < walk["accuracy_calm"] - 0.1
    assert 0 < walk["paged_at_frame"] - walk["storm_at_frame"] <= 300
    assert walk["quiet_after"] and walk["accuracy_after"] > walk["accuracy_storm"]
    check_report(Path(walk["report"]))
    check_people(ws, walk["served"])


def check_report(path: Path) -> None:
    "One page, whole by itself, whose links lead to notebooks that were executed."
    page = path.read_text("utf-8")
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page.count("data:image/png;base64,") >= 8
    links = re.findall(r'href="([^"#]+)"', page)
    notebooks = [link for link in links if link.endswith(".ipynb")]
    assert len(notebooks) >= 7
    for link in notebooks:
        notebook = json.loads((path.parent / link).read_text("utf-8"))
        shown = [kind for cell in notebook["cells"] for out in cell.get("outputs", ())
                 for kind in out.get("data", ())]  # fmt: skip
        assert "image/png" in shown, f"{link} shows no picture"
        readable = (path.parent / link).with_suffix(".html")
        assert f'href="{Path(link).with_suffix(".html").as_posix()}"' in page
        text = readable.read_text("utf-8")
        assert "data:image/png;base64," in text and "<script" not in text
        assert not re.search(r"(src|href)=.https?://", text), "a page that asks another machine"
    assert "torn.png" in page and "empty.png" in page and "gone.png" in page


def check_people(ws, served: str) -> None:
    "Of the served model: which data, which code, who proposed, who approved; and the page."
    from mlops_nb.ledger import acts, lineage

    tree = lineage(ws, served).tree()
    for words in ("signs-fast@v2", "train.ipynb", "ann", "approve by ben"):
        assert words in tree, f"{words!r} is not in\n{tree}"
    paged = acts(ws, verb="page")
    assert len(paged) == 1 and paged[0].facts["delivered"]


@pytest.mark.parametrize("kind", ["empty", "no pictures", "no classes"])
def test_a_folder_the_demo_cannot_learn_from(ws, tmp_path, kind):
    folder = tmp_path / "folder"
    folder.mkdir()
    if kind == "no pictures":
        (folder / "notes.txt").write_text("nothing to see")
    if kind == "no classes":
        from mlops_nb.images.scenes import drives, write_scenes

        write_scenes(folder, drives(1, 12))
    done = subprocess.run(
        [COMMAND, "--workspace", ws.root, "demo", "--fast", "--data", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: ") and str(folder.name) in done.stderr, done.stderr


def test_a_full_disk_is_one_message(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        done = subprocess.run(
            [COMMAND, "--workspace", place / "workspace", "demo", "--fast"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )
    finally:
        subprocess.run(["umount", "-l", place], check=True)
    assert done.returncode == 1, done.stderr
    assert "space" in done.stderr and "Traceback" not in done.stderr, done.stderr[-2000:]


@pytest.mark.skipif(
    "MLOPS_NB_SLOW" not in os.environ,
    reason="two minutes; run by MLOPS_NB_SLOW=1, and whole by benchmarks/walk.py --data",
)
def test_the_walk_on_photographs(ws, tmp_path, real_data):
    source = real_data("gtsrb")
    folder = tmp_path / "gtsrb-six"
    classes = (1, 12, 13, 14, 17, 38)
    for number in classes:
        part = f"Final_Training_32x32/Images/{number:05d}"
        shutil.copytree(source / part, folder / part)
    test = "Final_Test_32x32"
    head, *rows = (source / test / "GT-final_test.csv").read_text().splitlines()
    kept = [row for row in rows if int(row.rsplit(";", 1)[1]) in classes]
    (folder / test / "Images").mkdir(parents=True)
    (folder / test / "GT-final_test.csv").write_text("\n".join([head, *kept]) + "\n")
    for row in kept:
        name = row.split(";")[0]
        (folder / test / "Images" / name).write_bytes(
            (source / test / "Images" / name).read_bytes()
        )
    process = begin(ws, "--json", "demo", "--fast", "--data", str(folder))
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err[-3000:]
    walk = json.loads(out)
    assert walk["accuracy_storm"] < walk["accuracy_calm"]
    assert walk["paged_at_frame"] is not None and walk["paged_at_frame"] > walk["storm_at_frame"]
