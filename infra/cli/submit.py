"""``tagger submit``: single files, now."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from core.errors import SettingsError, TaggingError
from core.events import MediaTagged
from core.intake.intake import Announced, Intake, Submission
from core.intake.originals import UnsupportedKindError
from core.ports import Ports
from core.results.answers import listening
from core.settings import Settings
from infra.cli.options import AsJson, DataDir, load_settings, single
from infra.cli.show import screen, tables
from infra.cli.stopping import run_until_stopped
from infra.running.engine import engine_process
from infra.running.host import with_engine
from infra.wiring.adapters import open_ports
from producers.left_out import in_words
from producers.names import extension

app = single()

Outcome = Announced | TaggingError


@app.command()
def submit(
    files: Annotated[list[Path], typer.Argument(help="Pictures and videos.")],
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the results and print them.")
    ] = False,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", help="What to look for, phrases separated by periods."),
    ] = None,
    matches: Annotated[
        int, typer.Option("--matches", min=1, help="Products shown for an item.")
    ] = 3,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Tag single files.

    Beside a running engine (`tagger run`) that engine does the work, on a cluster its stages do.
    Else --wait makes this command the engine until its files are done.
    """
    for folder in filter(Path.is_dir, files):
        raise SettingsError(
            f"{folder} is a folder: `tagger run --watch {folder} --until-idle` tags what is in it"
        )
    settings = load_settings(data_dir)
    show = _Shown(as_json, matches)
    paths = {path.resolve().as_uri(): path for path in files}
    submissions = [Submission(path, uri, "submit", prompt=prompt) for uri, path in paths.items()]
    if wait:
        run_until_stopped(lambda stop: _tag(settings, submissions, show, stop))
    else:
        run_until_stopped(lambda _: _announce(settings, submissions, show))
    show.ended()
    if show.failed:
        raise typer.Exit(1)


class _Shown:
    """What is printed, a file at a time; ``failed`` if there is one that was not tagged."""

    def __init__(self, as_json: bool, matches: int) -> None:
        self._json = as_json
        self._matches = matches
        self._out, self._err = screen.out(), screen.err()
        self.failed = False
        self._left_out: Counter[str] = Counter()

    def refused(self, path: Path, error: TaggingError) -> None:
        self.failed = True
        if isinstance(error, UnsupportedKindError):
            self._left_out[extension(path.name)] += 1
        if self._json:
            print(json.dumps({"file": str(path), "error": str(error)}), flush=True)
        else:
            self._err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)

    def announced(self, path: Path, known: Announced) -> None:
        if self._json:
            line = {"file": str(path), "media_id": known.media_id, "root": known.root}
            print(json.dumps(line), flush=True)
        else:
            self._out.print(f"{escape(path.name)}  {known.media_id}")

    def tagged(self, tagged: MediaTagged) -> None:
        self.failed = self.failed or tagged.status == "failed"
        if self._json:
            print(tagged.model_dump_json(), flush=True)
        else:
            tables.medium(self._out, tagged, self._matches)

    def ended(self) -> None:
        """Says, once all is said, how many files were of kinds that are not read."""
        if self._left_out:
            self.hint(f"not read: {in_words(self._left_out)}")

    def hint(self, text: str) -> None:
        if not self._json:
            screen.remark(text)


async def _announce(settings: Settings, submissions: Sequence[Submission], show: _Shown) -> None:
    async with open_ports(settings) as ports:
        outcomes = await Intake(ports).announce_many(submissions)
    for submission, outcome in zip(submissions, outcomes, strict=True):
        if isinstance(outcome, TaggingError):
            show.refused(submission.path, outcome)
        else:
            show.announced(submission.path, outcome)
    if any(isinstance(outcome, Announced) for outcome in outcomes):
        show.hint(f"{_who(settings)} what was submitted; `tagger results MEDIA_ID` shows it")


def _who(settings: Settings) -> str:
    if settings.clustered:
        return "the stages (`tagger consume`) tag"
    engine = engine_process(settings)
    return f"the engine (process {engine}) tags" if engine else "`tagger run` tags"


async def _tag(
    settings: Settings, submissions: Sequence[Submission], show: _Shown, stop: asyncio.Event
) -> None:
    async def work(ports: Ports) -> None:
        async with listening(ports) as answers:
            outcomes = await Intake(ports).announce_many(submissions)
            for submission, outcome in zip(submissions, outcomes, strict=True):
                if isinstance(outcome, TaggingError):
                    show.refused(submission.path, outcome)
                else:
                    show.tagged(await answers.to(outcome.media_id, outcome.root))

    await with_engine(settings, work, stop)
