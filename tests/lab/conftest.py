"One server for the tests of a file, with a workspace that knows one run that failed."

import pytest
from servers import jupyter, page

from mlops_nb.pipeline import Output, Step, StepFailed, run
from mlops_nb.workspace import open_workspace

EMIT = "from mlops_nb.pipeline import emit\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "What the server serves is folder/work, and its workspace folder/work/.mlops."
    folder = tmp_path_factory.mktemp("lab").resolve()
    (folder / "work").mkdir()
    return folder


@pytest.fixture(scope="module")
def failed(folder):
    "A run of two steps, of which the second failed."
    work = folder / "work"
    (work / "learn.ipynb").write_text(page(EMIT + "print('learning')\nemit(score=0.5)"))
    (work / "judge.ipynb").write_text(page("print(score)", "1 / 0", parameters="score: float"))
    steps = [Step("learn", work / "learn.ipynb"),
             Step("judge", work / "judge.ipynb", {"score": Output("learn", "score")})]  # fmt: skip
    with pytest.raises(StepFailed) as caught:
        run(open_workspace(work / ".mlops"), steps, by="bob")
    return caught.value.run


@pytest.fixture(scope="module")
def server(folder, failed):
    with jupyter(folder) as running:
        yield running


@pytest.fixture(scope="module")
def document(server):
    "The OpenAPI document, as the server gives it."
    return server.get("openapi.json").raise_for_status().json()
