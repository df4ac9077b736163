# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %%
#| default_exp cli.data

# %% [markdown]
# # cli.data
#
# > The walk, and commands about data.
#
# Each command is a few lines: words become arguments, one verb is called, its answer is printed.

# %%
#| export
import threading
from pathlib import Path

import click

from mlops_nb.cli.door import cli, here, say, short, table


# %% [markdown]
# ## The walk

# %%
#| export
@cli.command()
@click.option("--data", type=click.Path(path_type=Path), help="Photographs to use [drawn scenes].")
@click.option("--fast", is_flag=True, help="Fewer drives and epochs.")
@click.option("--seed", default=0, show_default=True, help="Of drawing, training and resampling.")
def demo(data: Path | None, fast: bool, seed: int) -> None:
    "The whole walk, from images to a watched model, in one go."
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    from mlops_nb.demo import demo as walk

    if click.get_current_context().find_root().params["as_json"]:
        say(walk(here(), data=data, fast=fast, seed=seed))
        return
    console = Console(highlight=False)
    with Live(console=console, transient=True, refresh_per_second=8) as live:

        def watch(stage) -> None:
            if not stage.ended:
                live.update(Spinner("dots", f" {stage.name}  [dim]{stage.said}[/dim]"))
                return
            sign = "[yellow]↺[/yellow]" if stage.repeated else "[green]✓[/green]"
            live.console.print(
                f"{sign} {stage.name:<18} [dim]{stage.seconds:6.1f} s[/dim]  {stage.said}",
                soft_wrap=True,
            )
            live.update("")

        done = walk(here(), data=data, fast=fast, seed=seed, watch=watch)
    console.print(f"\n[bold]Lineage of {done.served}[/bold]\n")
    console.print(done.lineage, markup=False, soft_wrap=True)
    console.print(
        f"\n{len(done.stages)} stages in {done.seconds:.0f} s. [bold]Report:[/bold] {done.report}"
    )


# %% [markdown]
# ## Data

# %%
#| export
@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--drives", "n", default=20, show_default=True, help="Drives to draw.")
@click.option("--weather", type=click.Choice(["clear", "rain", "fog", "snow"]), help="[drawn]")
@click.option(
    "--scenes", is_flag=True, help="Whole frames with boxes (COCO) instead of sign crops."
)
@click.option("--seed", default=0, show_default=True)
def render(folder: Path, n: int, weather: str | None, scenes: bool, seed: int) -> None:
    "Draw road-sign drives into FOLDER, a data set to try things on."
    from mlops_nb.images.scenes import drives, write_crops, write_scenes

    write = write_scenes if scenes else write_crops
    write(folder, drives(seed, n, weather=weather))
    say({"folder": str(folder), "drives": n}, f"{n} drives drawn into {folder}")


# %%
#| export
@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("--format", "form", help="image_folder, gtsrb or coco [recognised].")
@click.option("--split", help="Put everything into this split.")
def ingest(folder: Path, name: str, form: str | None, split: str | None) -> None:
    "Read FOLDER into dataset NAME; what is broken goes to quarantine."
    from mlops_nb.data import ingest

    got = ingest(here(), folder, name, format=form, split=split)
    say(
        got,
        f"{name}: {got.added} added, {got.changed} changed, {got.unchanged} unchanged, "
        f"{got.quarantined} in quarantine ({short(got.digest)})",
        *got.notes,
    )


# %%
#| export
@cli.command()
@click.argument("ref")
def validate(ref: str) -> None:
    "Check dataset REF; samples with errors move to quarantine, each with its reason."
    from mlops_nb.data import validate

    got = validate(here(), ref)
    rows = [(f.severity, f.check, f.source, f.message) for f in got.findings[:40]]
    say(
        got,
        f"{got.checked} samples checked, {len(got.findings)} findings, {got.quarantined} to quarantine",
        *([table(("severity", "check", "sample", "finding"), rows)] if rows else []),
    )


# %%
#| export
@cli.command()
@click.argument("name")
@click.option("--seed", default=0, show_default=True)
def split(name: str, seed: int) -> None:
    "Divide dataset NAME into train, val and test by drive or track."
    from mlops_nb.data import split

    got = split(here(), name, seed=seed)
    say(got, str(got))


# %%
#| export
@cli.command()
@click.argument("name")
@click.argument("tag")
def tag(name: str, tag: str) -> None:
    "Name the newest validated version of dataset NAME."
    from mlops_nb.data import tag as give

    ref = give(here(), name, tag)
    say({"ref": ref}, ref)


# %%
#| export
@cli.command()
@click.argument("name", required=False)
def versions(name: str | None) -> None:
    "Versions of dataset NAME, or all datasets."
    from mlops_nb.data import datasets, versions

    ws = here()
    got = [v for each in ([name] if name else datasets(ws)) for v in versions(ws, each)]
    rows = [(v.name, v.version, v.tag, v.rows, short(v.digest)) for v in got]
    say(got, table(("dataset", "version", "tag", "samples", "digest"), rows))


# %%
#| export
@cli.command()
@click.argument("name")
def quarantine(name: str) -> None:
    "What was kept out of dataset NAME, and why."
    from mlops_nb.data import quarantine

    rows = quarantine(here(), name).to_pylist()
    shown = [(r["check"], r["source"], r["message"], r["remedy"]) for r in rows]
    kept = [{k: v for k, v in r.items() if not isinstance(v, bytes)} for r in rows]
    say(kept, table(("check", "sample", "what happened", "what to do"), shown))


# %%
#| export
@cli.command()
@click.argument("ref")
@click.option("--predictions", help="Blob of an evaluate step's predictions to show beside.")
@click.option("--port", type=int, help="[a free one]")
def browse(ref: str, predictions: str | None, port: int | None) -> None:
    "Open dataset version REF in FiftyOne; Ctrl-C ends it."
    from mlops_nb.data import browse

    view = browse(here(), ref, predictions=predictions, port=port)
    click.echo(f"{ref} is open at {view.url} (Ctrl-C ends it)")
    with view:
        threading.Event().wait()


# %% [markdown]
# The same door, opened from a notebook:

# %%
names = sorted(cli.commands)
" ".join(names)
