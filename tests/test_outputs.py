"What a step takes and hands on: references, units, contracts, one schema."

import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import mlops_nb
from mlops_nb.ledger import acts
from mlops_nb.pipeline import (
    Output,
    Step,
    StepFailed,
    check_outputs,
    from_text,
    parameters,
    plan,
    plan_faults,
    run,
    schema,
)
from mlops_nb.pipeline.contracts import NotEmpty
from mlops_nb.pipeline.kinds import feeds, read_kind
from mlops_nb.pipeline.notebook import declared, inject, parameter_faults
from mlops_nb.workspace import PipelineError, blob_id, open_workspace, put_blob

HEX = "0123456789abcdef" * 4
GOOD = {
    "DatasetRef": ["signs@v1", "signs@12", "signs@chris/night:5", "signs@main", f"data:{HEX}"],
    "ModelRef": ["signs@staging", "signs@3", "road.signs@v1.2"],
    "BundleId": [f"bundle:{HEX}"],
    "BlobId": [f"blob:{HEX}"],
}
BAD = {
    "DatasetRef": ["signs", "@v1", "signs@", "signs@v1\n", "data:12", "a b@v1", ""],
    "ModelRef": ["signs", "@staging", "signs@", "signs@a@b", ""],
    "BundleId": [HEX, f"blob:{HEX}", f"bundle:{HEX[:-1]}", f"bundle:{HEX.upper()}", ""],
    "BlobId": [HEX, f"bundle:{HEX}", f"blob:{HEX}0", f"blob:{HEX}\n", ""],
}


def page(takes: str = "", gives: str = "", *code: str) -> dict:
    "A notebook with its two tagged cells and some code."
    tagged = [(takes, ["parameters"])] * bool(takes) + [(gives, ["outputs"])] * bool(gives)
    cells = [*tagged, *((one, []) for one in code)]
    made = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {"tags": tags}, "source": text,
         "outputs": [], "execution_count": None}
        for i, (text, tags) in enumerate(cells)
    ]  # fmt: skip
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}


def write(path: Path, *parts: str) -> Path:
    path.write_text(json.dumps(page(*parts)), encoding="utf-8")
    return path


# references


@pytest.mark.parametrize("name", GOOD)
def test_a_reference_is_a_text_of_its_shape(name):
    kind = getattr(mlops_nb, name)
    for text in GOOD[name]:
        made = kind(text)
        assert made == text and isinstance(made, str) and repr(made) == repr(text)
        assert json.loads(json.dumps([made])) == [text]
        again = pickle.loads(pickle.dumps(made))
        assert again == text and type(again) is kind
    for text in BAD[name]:
        with pytest.raises(PipelineError, match=f"no {name}. Write it as"):
            kind(text)


@pytest.mark.parametrize("name", GOOD)
def test_a_reference_is_checked_by_its_shape_before_anything_runs(name):
    known = parameters(page(f"x: {name}\ny: list[{name}] | None = None"))
    for text in GOOD[name]:
        assert not parameter_faults(known, {"x": text, "y": [text]})
    for text in BAD[name]:
        (fault,) = parameter_faults(known, {"x": text})
        assert "`x`" in fault and name in fault
        assert parameter_faults(known, {"x": GOOD[name][0], "y": [text]})


def test_a_reference_reaches_the_kernel_in_its_type():
    space = {name: getattr(mlops_nb, name) for name in GOOD}
    takes = (
        "a: DatasetRef\nb: list[BlobId]\nc: BundleId | None = None\nd: tuple[ModelRef, ...] = ()"
    )
    values = {"a": "signs@v1", "b": [f"blob:{HEX}"], "c": None, "d": ()}
    exec(inject(page(takes), values)["cells"][1]["source"], space)  # noqa: S102 - the code under test is source
    assert {name: space[name] for name in values} == values
    assert [type(space["a"]).__name__, type(space["b"][0]).__name__] == ["DatasetRef", "BlobId"]


def test_a_misspelt_reference_type_is_no_class_of_ones_own():
    for text, near in [("DatsetRef", "DatasetRef"), ("BundleID", "BundleId")]:
        _, (fault,) = declared(page(f"x: {text}"))
        assert f"did you mean `{near}`?" in fault
    assert not declared(page("x: Scene"))[1]


# units


@pytest.mark.parametrize(
    ("comment", "help", "unit"),
    [
        ("side of the square, px", "side of the square", "px"),
        ("how fast, at most, km/h", "how fast, at most", "km/h"),
        ("load, images/s", "load", "images/s"),
        ("braking, m/s²", "braking", "m/s²"),
        ("share that may fail,%", "share that may fail", "%"),
        ("of weights, order and augmentation", "of weights, order and augmentation", ""),
        ("number, times", "number, times", ""),
        ("px", "px", ""),
        (", px", ", px", ""),
        ("", "", ""),
    ],
)
def test_a_unit_is_the_last_word_after_a_comma_if_it_is_one(comment, help, unit):
    (found,) = parameters(page(f"x: int = 1  # {comment}"))
    assert (found.help, found.unit) == (help, unit)
    assert str(found) == ("x: int = 1  # " + comment.replace(",%", ", %")).rstrip("# ")


# contracts


def npy(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def table(**columns) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, row_group_size=2)
    return out.getvalue()


NAN, INF = float("nan"), float("inf")
POINT = pa.struct([("x", pa.float32()), ("y", pa.float64())])
SOUND = {
    "npy": npy(np.zeros((2, 2))),
    "whole numbers": npy(np.arange(3)),
    "texts": npy(np.array(["a", "b"])),
    "table": table(a=[1.0, None], b=["x", None]),
    "lists": table(a=[[1.0], [], None]),
}
ILL = {
    "2 of its 4 numbers": npy(np.array([[1, NAN], [INF, 0]], "f4")),
    "1 of its 2 numbers": npy(np.array([1j, complex(NAN, 0)])),
    "2 in column a": table(a=[1.0, NAN, 2.0, -INF], b=[1.0, 1.0, 1.0, 1.0]),
    "1 in column b": table(a=[1, 2], b=pa.array([1.0, NAN], pa.float16())),
    "1 in column c": table(c=[[[1.0], [NAN]], []]),
    "1 in column p": table(p=pa.array([{"x": 1.0, "y": NAN}, None], POINT)),
    "1 in column f": table(f=pa.array([[1.0, 2.0], [3.0, NAN]], pa.list_(pa.float32(), 2))),
    "1 in column m": table(m=pa.array([[("k", NAN)]], pa.map_(pa.string(), pa.float64()))),
    "neither Parquet nor .npy": b"1,2,nan",
}


@pytest.mark.parametrize("name", SOUND)
def test_a_table_or_array_without_nan_passes(ws, name):
    check_outputs(ws, page("", "x: Annotated[BlobId, NoNaN()]"), {"x": put_blob(ws, SOUND[name])})


@pytest.mark.parametrize("said", ILL)
def test_nan_is_found_wherever_it_stands(ws, said):
    with pytest.raises(PipelineError, match=rf"`x` is 'blob:.*must be free of NaN.*{said}"):
        check_outputs(ws, page("", "x: Annotated[BlobId, NoNaN()]"), {"x": put_blob(ws, ILL[said])})


@pytest.mark.parametrize(
    ("gives", "good", "bad", "said"),
    [
        ("Annotated[int, AtLeast(500)]", [500, 501], [499], "must be at least 500"),
        ("Annotated[float, AtLeast(0), AtMost(1)]", [0, 0.5, 1], [1.3, -1], "and must be at"),
        ("Annotated[list[float], AtMost(1)]", [[], [1, 0.5]], [[0, 2]], "must be at most 1"),
        ("Annotated[dict[str, float], AtLeast(low=0)]", [{"a": 0}], [{"a": -1}], "at least 0"),
        ("Annotated[float | None, AtLeast(0)]", [None, 0], [-1], "must be at least 0"),
        ("Annotated[list[str], NotEmpty()]", [["a"]], [[]], "must hold something"),
        ("Annotated[str, NotEmpty()]", ["a"], [""], "must hold something"),
        ("Annotated[str | None, NotEmpty()]", ["a", None], [""], "must hold something"),
        ("Annotated[float, NoNaN()]", [1, 1.5], [NAN, INF], "must be free of NaN"),
        ("Annotated[list[list[float]], NoNaN()]", [[[1.0]]], [[[1.0, -INF]]], "free of NaN"),
        ('Literal["pass", "fail"]', ["pass"], ["ok"], r"must be Literal\['pass', 'fail'\]"),
        ("int", [1], [1.5, True, "1", None], "and must be int"),
        ("list[BlobId]", [[]], [["a"]], "and must be"),
    ],
)
def test_what_was_emitted_is_held_to_the_contract(ws, gives, good, bad, said):
    notebook = page("", f"x: {gives}  # some value")
    for value in good:
        check_outputs(ws, notebook, {"x": value})
    for value in bad:
        with pytest.raises(PipelineError, match=f"its outputs: `x` is .*{said}.*Emit what"):
            check_outputs(ws, notebook, {"x": value})


@pytest.mark.parametrize("empty", [b"", npy(np.zeros(0)), table(a=pa.array([], pa.int8()))])
def test_a_blob_with_nothing_in_it_is_empty(ws, empty):
    notebook = page("", "x: Annotated[BlobId, NotEmpty()]")
    with pytest.raises(PipelineError, match="must hold something"):
        check_outputs(ws, notebook, {"x": put_blob(ws, empty)})
    check_outputs(ws, notebook, {"x": put_blob(ws, b"1")})
    assert NotEmpty().fault(blob_id(empty)) == "", "nobody can tell without a workspace"


def test_missing_undeclared_and_lost_outputs_are_all_named_at_once(ws):
    notebook = page("", "a: int\nb: str\nc: BlobId\nd: BundleId\ne: BlobId")
    broken = b"a table that was cut"
    kept = put_blob(ws, broken)
    emitted = {"a": 1, "bb": "x", "c": f"blob:{HEX}", "d": f"bundle:{HEX}", "e": kept}
    with pytest.raises(PipelineError) as caught:
        check_outputs(ws, notebook, emitted)
    for said in (
        "`bb` is emitted and not among the outputs (did you mean `b`?)",
        "`b` was not emitted",
        f"`c` names what is not here: blob:{HEX} is not in this workspace",
        f"`d` names what is not here: bundle:{HEX}",
    ):
        assert said in str(caught.value), said
    assert "`a`" not in str(caught.value) and "`e`" not in str(caught.value)
    check_outputs(ws, page("", "", "emit(anything=1)"), {"anything": 1})


def test_bytes_that_cannot_be_read_are_a_broken_promise(ws):
    notebook = page("", "x: Annotated[BlobId, NoNaN()]")
    for data in (b"PAR1 and no more", b"\x93NUMPY and no more"):
        with pytest.raises(PipelineError, match="`x` is 'blob:.*, which cannot be read: "):
            check_outputs(ws, notebook, {"x": put_blob(ws, data)})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x: Annotated[float, AtLest(0)]", "no contract known here (did you mean `AtLeast`?)"),
        ("x: Annotated[str, AtLeast(0)]", "judges int, float, and none stands beside it"),
        ("x: Annotated[Any, NotEmpty()]", "none stands beside it"),
        ("x: Annotated[int | list, AtLeast(0)]", "may hold anything; say what is in it"),
        ("x: Annotated[int, AtLeast()]", "cannot be read; write it with plain values"),
        ("x: Annotated[int, AtLeast(n)]", "cannot be read; write it with plain values"),
        ("x: Annotated[int, AtLeast('a')]", "takes a number"),
        ("x: list[Annotated[int, AtLeast(0)]]", "write Annotated around all of it"),
        ("x: int = 3", "hand the value to `emit`"),
        ("x = 3", "hand the value to `emit`"),
        ("x: Literal[n]", "not a plain value"),
        ("x: dict[str]", "dict takes 2"),
        ("emit(x=1)", "this is not `name: type`"),
    ],
)
def test_a_promise_that_cannot_be_read_is_a_fault_of_the_plan(tmp_path, line, said):
    step = Step("a", write(tmp_path / "a.ipynb", "", line, "emit(x=1)"))
    (fault,) = plan_faults([step])
    assert fault.startswith("a: outputs, line 1") and said in fault


def test_a_parameter_may_have_a_contract_too():
    known = parameters(
        page("epochs: Annotated[int, AtLeast(1)] = 3\nnames: Annotated[list[str], NotEmpty()]")
    )
    assert not parameter_faults(known, {"epochs": 1, "names": ["a"]})
    assert parameter_faults(known, {"epochs": 0, "names": []}) == [
        "`epochs` is 0, and must be at least 1",
        "`names` is [], and must hold something",
    ]
    with pytest.raises(PipelineError, match="the default is 0, and must be at least 1"):
        parameters(page("epochs: Annotated[int, AtLeast(1)] = 0"))


# what a plan knows before it runs


@pytest.mark.parametrize(
    ("source", "target", "does"),
    [
        ("int", "int", True), ("int", "float", True), ("float", "int", False),
        ("int", "str", False), ("bool", "int", False), ("Any", "int", True), ("int", "Any", True),
        ("BundleId", "str", True), ("str", "BundleId", False), ("BundleId", "BlobId", False),
        ("str", "Path", True), ("int", "Path", False), ("Scene", 'Literal["a"]', False), ("Scene", "str", True), ("str", "Scene", True),
        ("int", "Scene", False), ("BlobId", "BlobId | None", True), ("BlobId | None", "BlobId", False),
        ("int | str", "str | int | None", True), ("Optional[int]", "int", False),
        ('Literal["a"]', 'Literal["a", "b"]', True), ('Literal["a", "c"]', 'Literal["a", "b"]', False),
        ('Literal["a"]', "str", True), ("str", 'Literal["a"]', False), ("Literal[1]", "float", True),
        ("list[int]", "list[float]", True), ("list[str]", "list[int]", False), ("list", "list[int]", True),
        ("list[int]", "tuple[int, int]", False), ("tuple[int, int]", "list[int]", True),
        ("tuple[int, ...]", "list[int]", True), ("tuple[int, str]", "tuple[int, int]", False),
        ("list[int]", "dict[str, int]", False), ("dict[str, int]", "dict[str, float]", True),
        ("dict[str, str]", "dict[str, float]", False), ("dict", "dict[str, float]", True),
        ("Annotated[int, AtLeast(1)]", "int", True), ("None", "int | None", True), ("None", "int", False),
    ],
)  # fmt: skip
def test_which_types_feed_which(source, target, does):
    assert feeds(read_kind(source), read_kind(target)) is does


def test_outputs_that_do_not_fit_are_refused_before_anything_runs(tmp_path):
    gives = "n: int\nbundle: BundleId\nmaybe: BlobId | None"
    one = write(tmp_path / "one.ipynb", "", gives, "emit(n=1, bundle=b, maybe=None)")
    takes = "n: str\nbundles: list[BundleId] = []\nscore: float = 0.5\nblob: BlobId | None = None"
    two = write(tmp_path / "two.ipynb", takes)
    n, bundle, maybe = (Output("one", name) for name in ("n", "bundle", "maybe"))
    good = {"n": "a", "bundles": [bundle, f"bundle:{HEX}"], "score": n, "blob": maybe}
    assert plan_faults([Step("one", one), Step("two", two, good)]) == []
    bad = {"n": n, "bundles": [bundle, maybe], "score": bundle, "blob": [maybe]}
    faults = plan_faults([Step("one", one), Step("two", two, bad)])
    assert len(faults) == 4
    assert "two: `n` must be str, and Output(step='one', name='n') is int" in faults[0]
    assert "`bundles` must be list[BundleId]" in faults[1] and "BlobId | None" in faults[1]
    assert "`score` must be float" in faults[2] and "is BundleId" in faults[2]


def test_a_page_that_does_not_keep_its_word_is_refused_before_it_runs(tmp_path):
    path = write(tmp_path / "a.ipynb", "", "accuracy: float\nreport: BlobId", "emit(acuracy=1)")
    assert plan_faults([Step("a", path)]) == [
        "a: output `accuracy` is never emitted",
        "a: output `report` is never emitted",
        "a: `acuracy` is emitted and not among the outputs (did you mean `accuracy`?)",
    ]
    write(tmp_path / "a.ipynb", "", "accuracy: float", "emit(**found)")
    wrong = Step("b", write(tmp_path / "b.ipynb", "x: float"), {"x": Output("a", "acuracy")})
    (fault,) = plan_faults([Step("a", path), wrong])
    assert "Output('a', 'acuracy') is never emitted (did you mean `accuracy`?)" in fault
    twice = page("", "a: int")
    twice["cells"] *= 2
    path.write_text(json.dumps(twice))
    assert plan_faults([Step("a", path)]) == ["a: outputs, more than one cell is tagged `outputs`"]


@pytest.fixture(scope="module")
def signs(tmp_path_factory):
    "A workspace with one small dataset, signs@v1."
    from mlops_nb import data
    from mlops_nb.images.scenes import drives, write_crops

    home = tmp_path_factory.mktemp("signs")
    ws = open_workspace(home / "ws")
    write_crops(home / "crops", drives(11, 8))
    data.ingest(ws, home / "crops", "signs")
    data.split(ws, "signs")
    data.validate(ws, "signs")
    assert data.tag(ws, "signs", "v1") == "signs@v1"
    return ws


def test_references_that_lead_nowhere_are_faults_with_the_nearest_name(signs, tmp_path):
    takes = "data: DatasetRef = 'signs@v1'\nbundle: BundleId | None = None\nlogs: list[BlobId] = []"
    path = write(tmp_path / "a.ipynb", takes + "\nmodel: ModelRef = 'signs@staging'")
    kept = put_blob(signs, b"a log")
    assert plan_faults([Step("a", path, {"logs": [kept], "model": "no@such"})], signs) == []
    wrong = {"data": "signs@v2", "bundle": f"bundle:{HEX}", "logs": [kept, f"blob:{HEX}"]}
    faults = plan_faults([Step("a", path, wrong), Step("b", path, {"data": "sings@v1"})], signs)
    assert faults[0].startswith(
        "a: `data` names what is not here: Dataset 'signs' has no version 'v2'"
    )
    assert "Did you mean 'v1'?" in faults[0]
    assert f"bundle:{HEX} is not in this workspace" in faults[1]
    assert f"blob:{HEX} is not in this workspace" in faults[2] and kept not in faults[2]
    assert "There is no dataset 'sings'. Did you mean 'signs'?" in faults[3] and len(faults) == 4
    assert plan_faults([Step("a", path, wrong)]) == [], "without a workspace only shapes are known"


def test_a_default_that_leads_nowhere_is_a_fault_as_well(signs, tmp_path):
    path = write(tmp_path / "a.ipynb", "data: DatasetRef = 'signs@v7'")
    (fault,) = plan_faults([Step("a", path)], signs)
    assert "has no version 'v7'" in fault


def test_a_dataset_has_as_many_images_as_promised(signs):
    from mlops_nb.data import resolve

    n = resolve(signs, "signs@v1").rows
    check_outputs(signs, page("", f"x: Annotated[DatasetRef, Images({n})]"), {"x": "signs@v1"})
    with pytest.raises(PipelineError, match=f"at least {n + 1} images: signs@v1 has {n}"):
        gives = f"x: Annotated[DatasetRef, Images({n + 1})]"
        check_outputs(signs, page("", gives), {"x": "signs@v1"})


# one schema

TYPES = {
    "int": ([3, -1], [1.5, "3", True, None]),
    "float": ([3, 0.5], ["3", True, None, []]),
    "bool": ([True], [1, "true", None]),
    "str": (["", "a"], [1, None, ["a"]]),
    "None": ([None], [0, "", False]),
    "Any": ([None, 1, "a", [], {}], []),
    "Path": (["a/b"], [1, None]),
    "Scene": (["a"], [1, None]),
    "int | None": ([1, None], ["a", 1.5]),
    "Optional[str]": (["a", None], [1]),
    "Union[int, str]": ([1, "a"], [None, 1.5]),
    "'str | None'": (["a", None], [1]),
    'Literal["sgd", 1, None]': (["sgd", 1, None], ["adam", True, 2]),
    "list": ([[], [1, "a"]], ["a", {}]),
    "list[int]": ([[], [1]], [["a"], 1, [1.5]]),
    "list[list[str]]": ([[["a"]]], [["a"]]),
    "tuple[int, str]": ([[1, "a"]], [[1], [1, "a", 2], ["a", 1], []]),
    "tuple[float, ...]": ([[], [1, 2.5]], [["a"]]),
    "dict": ([{}, {"a": []}], [[], "a"]),
    "dict[str, float]": ([{}, {"a": 1}], [{"a": "b"}, []]),
    "DatasetRef": (GOOD["DatasetRef"], BAD["DatasetRef"]),
    "ModelRef": (GOOD["ModelRef"], BAD["ModelRef"]),
    "BundleId | None": ([*GOOD["BundleId"], None], BAD["BundleId"]),
    "list[BlobId]": ([[], GOOD["BlobId"]], [[one] for one in BAD["BlobId"]]),
    "Annotated[int, AtLeast(1), AtMost(9)]": ([1, 9], [0, 10, "a"]),
    "Annotated[list[float] | None, AtMost(1)]": ([[1, 0.5], None, []], [[0, 2]]),
    "Annotated[list[str], NotEmpty()]": ([["a"]], [[], "a"]),
    "Annotated[dict[str, int] | str, NotEmpty()]": (["a", {"a": 1}], ["", {}]),
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("side", ["parameters", "outputs"])
def test_the_schema_takes_good_values_and_refuses_bad_ones(kind, side):
    notebook = page(f"x: {kind}", f"x: {kind}")
    found = schema(notebook)[side]
    jsonschema.Draft202012Validator.check_schema(found)
    judge = jsonschema.Draft202012Validator(json.loads(json.dumps(found)))
    good, bad = TYPES[kind]
    for value in good:
        judge.validate({"x": value})
    for wrong in [*({"x": value} for value in bad), {}, {"x": good[0], "y": 1}]:
        assert not judge.is_valid(wrong), wrong


KINDS = st.recursive(
    st.sampled_from([kind for kind in TYPES if "Annotated" not in kind and "'" not in kind]),
    lambda inner: st.one_of(
        inner.map("list[{}]".format),
        inner.map("dict[str, {}]".format),
        inner.map("Optional[{}]".format),
        inner.map("tuple[{}, ...]".format),
        st.tuples(inner, inner).map("tuple[{0[0]}, {0[1]}]".format),
        st.tuples(inner, inner).map("Union[{0[0]}, {0[1]}]".format),
    ),
    max_leaves=4,
)
BESIDE = st.sampled_from(["", "AtLeast(2)", "AtMost(2)", "NotEmpty()", "AtLeast(1), NotEmpty()"])
TEXTS = st.sampled_from([text for one in (*GOOD.values(), *BAD.values()) for text in one])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer())
    | TEXTS
    | st.sampled_from(["sgd", "a", ""])
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # 1.0 is left out: JSON has one kind of number, and calls it an integer


@settings(max_examples=200, deadline=None)
@given(KINDS, BESIDE, st.lists(VALUES, min_size=5, max_size=5))
def test_the_schema_and_the_plan_agree_about_any_value(kind, beside, values):
    notebook = page(f"x: Annotated[{kind}, {beside}]" if beside else f"x: {kind}")
    assume(not declared(notebook)[1])  # a contract that cannot judge the type
    judge = jsonschema.Draft202012Validator(schema(notebook)["parameters"])
    known = parameters(notebook)
    for value in values:
        given = {"x": value}
        assert judge.is_valid(given) is (not parameter_faults(known, given)), (kind, value)


def test_the_schema_says_all_that_the_page_says():
    takes = (
        "from typing import Annotated\n"
        "data: DatasetRef  # what to learn from\n"
        "size: Annotated[int, AtLeast(8)] = 32  # side of the square, px\n"
        "where: tuple[float, float] = (0.5, 1)  # crop\n"
        "maps: Path = Path('maps')\n"
        "limit: float = 1e999"
    )
    notebook = page(takes, "good: Annotated[DatasetRef, Images(5)]  # what is left, images")
    title = {"cell_type": "markdown", "metadata": {}, "source": "# Train\n\n> Learn signs."}
    notebook["cells"].insert(0, title)
    found = schema(notebook)
    takes, gives = found["parameters"], found["outputs"]
    assert takes["title"] == "Train" and takes["description"] == "Learn signs."
    assert takes["required"] == ["data"] and takes["additionalProperties"] is False
    one = takes["properties"]
    assert one["size"] == {"type": "integer", "minimum": 8, "default": 32, "unit": "px",
                           "description": "side of the square"}  # fmt: skip
    assert one["where"]["default"] == [0.5, 1] and one["maps"]["default"] == "maps"
    assert "default" not in one["limit"], "JSON has no infinity"
    assert gives["properties"]["good"]["contracts"] == ["at least 5 images"]
    assert gives["required"] == ["good"] and json.loads(json.dumps(found)) == found
    assert schema(page("x: int"))["outputs"]["additionalProperties"] is True
    with pytest.raises(PipelineError, match="1 faults in the outputs"):
        schema(page("x: int", "x: flaot"))


# running

EMIT = "from typing import Annotated\nfrom mlops_nb import AtMost, BlobId, emit\n"


def test_a_broken_promise_fails_the_step_and_nothing_of_it_is_kept(ws, tmp_path):
    gives = EMIT + "share: Annotated[float, AtMost(1)]  # of the signs"
    first = write(tmp_path / "first.ipynb", "share: float = 0.5", gives, "emit(share=share)")
    second = write(tmp_path / "second.ipynb", "share: float", "ok: bool", EMIT + "emit(ok=True)")

    def steps(share):
        judge = Step("second", second, {"share": Output("first", "share")})
        return [Step("first", first, {"share": share}), judge]

    for _ in range(2):
        with pytest.raises(StepFailed) as caught:
            run(ws, steps(1.5))
        said = str(caught.value)
        assert "its outputs: `share` is 1.5, and must be at most 1. Emit what" in said
        made = caught.value.run
        assert [step.status for step in made.steps] == ["failed", "not_run"]
        assert "share = 1.5" in Path(made["first"].notebook).read_text()
        assert plan(ws, steps(1.5))[0].status == "run"
    assert [act.facts["status"] for act in acts(ws, verb="run") if "step" in act.facts] == [
        "failed"
    ] * 2
    done = run(ws, steps(0.5))
    assert [step.status for step in done.steps] == ["ran", "ran"]
    assert plan(ws, steps(0.5))[1].status == "cached"


def test_a_run_refuses_a_reference_that_leads_nowhere(ws, tmp_path):
    path = write(tmp_path / "a.ipynb", "log: BlobId", "", EMIT + "emit(ok=True)")
    for verb in (plan, run):
        with pytest.raises(
            PipelineError, match="nothing was run:\n  a: `log` names what is not here"
        ):
            verb(ws, [Step("a", path, {"log": f"blob:{HEX}"})])
    assert not (ws.root / "runs").exists()


# the terminal


def terminal(*words: str, code: int = 0, **environ: str) -> str:
    command = Path(sys.executable).with_name("mlops-nb")
    done = subprocess.run([command, *words], capture_output=True, text=True, check=False,
                          env=os.environ | environ)  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("words", [("run", "{}", "--help"), ("plan", "-h", "-p", "size=1", "{}")])
def test_the_help_of_a_command_goes_on_with_the_notebook(tmp_path, words):
    takes = (
        "data: DatasetRef  # what to learn from\n"
        "size: Annotated[int, AtLeast(8)] = 32  # side of the square, px\n"
        'how: Literal["sgd", "adam"] = "adam"\n'
    )
    gives = "kept: Annotated[DatasetRef, Images(5)]  # what is left, images"
    path = write(tmp_path / "own.ipynb", takes, gives)
    said = " ".join(terminal(*(word.format(path) for word in words)).split())
    for line in (
        "Takes",
        "-p data what to learn from [DatasetRef; required]",
        "-p size side of the square, px [integer, at least 8; default: 32]",
        '-p how ["sgd" or "adam"; default: "adam"]',
        "Emits",
        "kept what is left, images [DatasetRef; at least 5 images]",
    ):
        assert line in said, line
    assert "did you mean `train`?" in terminal("run", "trian", "--help", code=1)
    assert "Takes" not in terminal("run", "--help") + terminal("run", "no.py", "--help")


def test_the_shell_completes_parameters(tmp_path):
    path = write(tmp_path / "own.ipynb", "epochs: int = 3  # passes\nedges: int = 1\nsize: int = 2")

    def completed(typed: str, named: str = str(path)) -> list[str]:
        words = f"mlops-nb run {named} -p {typed}"
        asked = {"_MLOPS_NB_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"}
        return terminal(**asked).split()

    assert completed("e") == ["plain,epochs=", "plain,edges="] and completed("s") == ["plain,size="]
    assert completed("x") == completed("e", "nowhere.ipynb") == []


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("str", "5", "5"), ("str", "None", "None"), ("str", "'a'", "'a'"), ("str | None", "5", "5"),
        ("str | None", "None", None), ("int", "5", 5), ("int | str", "5", 5), ("float", "1e-3", 0.001),
        ("bool", "true", True), ("str", "true", "true"), ("Path", "7", "7"), ("list[str]", "['a']", ["a"]),
        ("DatasetRef", "signs@v1", "signs@v1"), ("Annotated[str, NotEmpty()]", "5", "5"),
        ('Literal["1", "2"]', "2", "2"), ("Literal[1, 2]", "2", 2), ("int", "five", "five"), ("int", "5.5", 5.5),
    ],
)  # fmt: skip
def test_a_typed_text_becomes_what_the_type_asks_for(kind, text, value):
    got = from_text(page(f"x: {kind}"), [f"x={text}"])
    assert got == {"x": value} and type(got["x"]) is type(value)
