"""``tagger dlq``: what was given up, why, and another try for it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from core.errors import SettingsError
from core.log.port import TopicPartition
from core.runtime.deadletters import Letter, letters, redrive
from core.runtime.halts import halting, step_over
from core.settings import Settings
from core.unread import Unread
from infra.cli.options import AsJson, DataDir, existing_data, group, load_settings
from infra.cli.show import screen, tables
from infra.cli.stopping import run_until_stopped
from infra.running.engine import engine_process
from infra.wiring.adapters import open_ports
from infra.wiring.stages import RECIPES

app = group("List, show and redrive what was given up.")

Stage = Annotated[str | None, typer.Option("--stage", help="Only of this stage.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only with these words in it.")]
Medium = Annotated[str | None, typer.Option("--media", help="Only of this medium (its id begins).")]
Redriven = Annotated[bool, typer.Option("--redriven", help="Also what was redriven already.")]


@app.command("list")
def list_(
    stage: Stage = None,
    reason: Reason = None,
    media: Medium = None,
    redriven: Redriven = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List dead letters, grouped by reason; --json prints each."""
    chosen = _chosen(data_dir, _Filter(stage, reason, media), redriven)
    if as_json:
        for letter in chosen:
            print(json.dumps(_line(letter)))
        return
    if not chosen:
        screen.remark("no dead letters")
        return
    groups: defaultdict[tuple[str, str, str], list[Letter]] = defaultdict(list)
    for letter in chosen:
        groups[letter.data.stage, letter.data.error, letter.data.reason].append(letter)
    table = tables.table("Count", "Stage", "Error", "Reason", "Last", "Medium")
    for (where, error, why), alike in sorted(groups.items(), key=lambda g: -len(g[1])):
        newest = alike[-1]
        table.add_row(
            *(str(len(alike)), where, error, escape(why)),
            *(newest.time[:19].replace("T", " "), newest.data.media_id[: tables.ID_DIGITS]),
        )
    screen.out().print(table)
    screen.remark("`tagger dlq show` shows them whole, `tagger dlq redrive` gives another try")


@app.command()
def show(
    letter_id: Annotated[
        str | None, typer.Argument(help="A dead letter, by its id or the id's first digits.")
    ] = None,
    stage: Stage = None,
    reason: Reason = None,
    media: Medium = None,
    redriven: Redriven = False,
    data_dir: DataDir = None,
) -> None:
    """Print dead letters whole, as JSON lines: the reason, the origin, the original event."""
    chosen = _chosen(data_dir, _Filter(stage, reason, media, letter_id), redriven)
    for letter in chosen:
        origin = {
            "key": letter.data.origin_key,
            "headers": letter.data.origin_headers,
            "body": _body(letter.body),
            **({"blob": letter.data.origin_blob} if letter.data.origin_blob else {}),
        }
        print(json.dumps({**_line(letter), "origin": origin}))
    if not chosen:
        screen.remark("no such dead letter")


@app.command(name="redrive")
def redrive_(
    stage: Stage = None,
    reason: Reason = None,
    media: Medium = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Send events back to the stage that gave them up, for another try.

    Say which, with --stage, --reason and --media, or --all.
    """
    which = _Filter(stage, reason, media)
    if which == _Filter() and not everything:
        raise typer.BadParameter("say which, with --stage, --reason and --media, or --all")
    settings = _settings(data_dir)
    count = _redrive(settings, which)
    if as_json:
        print(json.dumps({"redriven": sum(count.values()), "stages": count}))
        return
    if not count:
        screen.remark("no dead letters of this kind")
        return
    for name, number in sorted(count.items()):
        screen.out().print(f"{number} redriven to {name}")
    if not settings.clustered and engine_process(settings) is None:
        screen.remark("no engine is running: `tagger run` handles them")


@app.command()
def bury(
    place: Annotated[
        str, typer.Argument(help="TOPIC:PARTITION:OFFSET, as `tagger health` names it.")
    ],
    data_dir: DataDir = None,
) -> None:
    """Give up an event that stages stop at: it becomes a dead letter, and they step over it."""
    tp, offset = _place(place)
    settings = _settings(data_dir)

    async def work() -> list[str]:
        async with open_ports(settings) as ports:
            stages = [recipe.stage for recipe in RECIPES]
            found = await halting(ports.log, stages, tp, offset)
            for halt in found:
                await step_over(ports.log, ports.state, ports.blobs, halt)
            return [halt.stage for halt in found]

    stepping = run_until_stopped(lambda _: work())
    if not stepping:
        raise SettingsError(f"no stage stops at {place}: `tagger health` names where one does")
    screen.out().print(f"{place} is given up; {', '.join(stepping)} will step over it")


def _place(text: str) -> tuple[TopicPartition, int]:
    topic, *numbers = text.split(":")
    if not topic or len(numbers) != 2 or not all(n.isascii() and n.isdecimal() for n in numbers):
        raise typer.BadParameter(f"{text!r} is not of the form TOPIC:PARTITION:OFFSET")
    partition, offset = (min(int(number[:19]), 2**62) for number in numbers)
    return TopicPartition(topic, partition), offset


@dataclass(frozen=True, slots=True)
class _Filter:
    stage: str | None = None
    reason: str | None = None
    media: str | None = None
    letter: str | None = None

    def wants(self, letter: Letter) -> bool:
        data = letter.data
        return (
            letter.id.startswith(self.letter or "")
            and (self.stage is None or data.stage == self.stage)
            and (self.media is None or data.media_id.startswith(self.media.lower()))
            and (
                self.reason is None or self.reason.lower() in f"{data.error}: {data.reason}".lower()
            )
        )


def _settings(data_dir: Path | None) -> Settings:
    settings = load_settings(data_dir)
    existing_data(settings)
    return settings


def _chosen(data_dir: Path | None, which: _Filter, redriven: bool) -> Sequence[Letter]:
    settings = _settings(data_dir)

    unread = Unread()

    async def read() -> list[Letter]:
        async with open_ports(settings) as ports:
            return await letters(ports.log, ports.state, redriven, unread)

    found = run_until_stopped(lambda _: read())
    screen.passed_over(unread)
    return [letter for letter in found if which.wants(letter)]


def _redrive(settings: Settings, which: _Filter) -> Counter[str]:
    unread = Unread()

    async def work() -> Counter[str]:
        async with open_ports(settings) as ports:
            waiting = await letters(ports.log, ports.state, unread=unread)
            chosen = [letter for letter in waiting if which.wants(letter)]
            await redrive(ports.log, ports.state, chosen, ports.blobs)
            return Counter(letter.data.stage for letter in chosen)

    count = run_until_stopped(lambda _: work())
    screen.passed_over(unread)
    return count


def _line(letter: Letter) -> dict[str, object]:
    data = letter.data
    return {
        "id": letter.id,
        "time": letter.time,
        "media_id": data.media_id,
        "stage": data.stage,
        "error": data.error,
        "reason": data.reason,
        "attempts": data.attempts,
        "topic": data.origin_topic,
        "partition": data.origin_partition,
        "offset": data.origin_offset,
    }


def _body(body: bytes | None) -> object:
    """JSON as it is; whatever else as text."""
    try:
        return json.loads(body or b"null")
    except ValueError:
        return (body or b"").decode(errors="replace")
