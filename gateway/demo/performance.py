"""The demonstration from beginning to end: prepare, start, register, walk through, serve, and leave nothing running."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from gateway.demo import Command
from gateway.demo.desk import Desk
from gateway.demo.ground import HOST, CannotStart, Ground, port_for, taken
from gateway.demo.handed_out import hand_out
from gateway.demo.processes import Child, SandboxAgency, clean_environment, start_gateway, wait_ready
from gateway.demo.seeding import make_keys, register
from gateway.demo.story import HOME, Story, read_story
from gateway.demo.telling import Telling, failure
from gateway.demo.walkthrough import Walk
from gateway.demo.witnessing import start_witness

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """A signal came that ends the demonstration. Not an Exception: no command on the way may take it for a fault. An
    exit: an event loop keeps whatever else its callbacks raise.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


class Signals:
    """What came of the signals that end the demonstration."""

    def __init__(self) -> None:
        self.came: int | None = None

    def check(self) -> None:
        """Raises Stopped once more, where one came: what a finaliser raises, the interpreter drops."""
        if self.came is not None:
            raise Stopped(self.came)


def perform(command: Command, *, once: bool, port: int | None, state_dir: Path | None, as_json: bool = False) -> int:
    """The exit code: 0, 1 where something went wrong, 128 + n where signal n came before it served."""
    telling = Telling(as_json=as_json)
    before = dict(os.environ)
    try:
        with stopped_by_signals() as signals:

            def carried_out(arguments: Sequence[str]) -> int:
                signals.check()
                code = command(arguments)
                signals.check()
                return code

            try:
                story = read_story()
                chosen, another = port_for(port)
                with taken(state_dir or Path("demo-state")) as ground, ExitStack() as stack:
                    _open(telling, ground, chosen, another)
                    wrong = _run(carried_out, signals, story, ground, chosen, telling, stack, once=once)
                    telling.stage("กำลังปิด", "shutting down")
                return 1 if wrong else 0
            except CannotStart as error:
                failure(error.thai, error.english)
                return 1
    except Stopped as stopped:
        return 128 + stopped.number
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def stopped_by_signals() -> Iterator[Signals]:
    """SIGINT, SIGTERM and SIGHUP raise Stopped, once: what comes while things are being ended is left out."""

    signals = Signals()

    def stop(number: int, _: FrameType | None) -> None:
        signals.came = number
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open(telling: Telling, ground: Ground, port: int, another: bool) -> None:
    telling.opening(
        "สาธิตเกตเวย์แลกเปลี่ยนข้อมูลภาครัฐ บุคคล เทศบาล และกุญแจทั้งหมดเป็นเรื่องสมมุติ",
        "The government data-exchange gateway, shown with made-up people, towns and keys.",
    )
    telling.stage(f"ไฟล์ทั้งหมดอยู่ใน {ground.folder}", "all files are in that folder")
    if another:
        telling.stage(f"พอร์ตปกติมีผู้ใช้อยู่ จึงใช้พอร์ต {port}", f"the usual port is in use, so port {port} is taken")


def _run(
    command: Command,
    signals: Signals,
    story: Story,
    ground: Ground,
    port: int,
    telling: Telling,
    stack: ExitStack,
    *,
    once: bool,
) -> int:
    """Starts, registers and walks through; serves unless `once`. Returns how many steps went wrong."""
    url = f"http://{HOST}:{port}"
    keys = {name: _secret(name, ground.sandbox / source.agency) for source in story.sources for name in source.secrets}
    settings = {
        "LINKAGE_STATE_DIR": str(ground.gateway),
        "LINKAGE_PORT": str(port),
        "LINKAGE_ISSUER": url,
        "LINKAGE_SANDBOX": "true",
    }
    os.environ.clear()
    os.environ.update(clean_environment(**settings, **keys))
    telling.stage(
        "เปิดหน่วยงานจำลอง แต่ละแห่งเป็นโพรเซสของตนเอง", "starting the sandbox agencies, each a process of its own"
    )
    sandboxes = _sandboxes(story, ground, stack)
    desk = Desk(command, ground.desk, url, telling)
    telling.stage("สร้างเกตเวย์ใหม่และกุญแจของทุกคน", "making a new gateway, and everyone's keys")
    made = desk.local("init", "--state-dir", str(ground.gateway), "--first-admin", story.administrator.id)
    witnessed = start_witness(ground, desk, port, os.environ, HOME, stack)
    os.environ.update(witnessed.settings)
    gateway = start_gateway(os.environ, HOME, ground.logs / "gateway.log")
    stack.callback(gateway.stop)
    desk.key_file("").parent.mkdir(mode=0o700)
    Path(made["key_file"]).rename(desk.key_file(story.administrator.id))
    make_keys(story, desk, ground)
    for sandbox in sandboxes.values():
        sandbox.wait()
    telling.stage(f"เปิดเกตเวย์ที่ {url}", "starting the gateway")
    wait_ready(gateway, url)
    register(story, desk, ground, sandboxes, telling)
    hand_out(story, desk, ground, url)
    walk = Walk(story, desk, ground, url, sandboxes, telling, witnessed)
    walk.walk()
    telling.result({"gateway_url": url, "demo_file": str(ground.handed_out), "steps": walk.results})
    telling.plain()
    if once:
        return walk.went_wrong
    _invite(story, desk, ground, url, telling)
    _serve(gateway, signals)
    return walk.went_wrong


def _secret(name: str, folder: Path) -> str:
    """A made-up secret; where it tells in which folder an agency's database lies, that folder."""
    return str(folder) if name.endswith("__DATABASE_FOLDER") else secrets.token_urlsafe(24)


def _sandboxes(story: Story, ground: Ground, stack: ExitStack) -> dict[str, SandboxAgency]:
    found: dict[str, SandboxAgency] = {}
    for source in story.sources:
        given = {name: value for name, value in os.environ.items() if not name.startswith("LINKAGE_")}
        others = {name for other in story.sources if other != source for name in other.secrets}
        environment = {name: value for name, value in given.items() if name not in others}
        folder, log = ground.sandbox / source.agency, ground.logs / f"sandbox-{source.agency}.log"
        sandbox = found[source.agency] = SandboxAgency(source.agency, environment, HOME, folder, log)
        stack.callback(sandbox.stop)
        sandbox.start()
    return found


def _invite(story: Story, desk: Desk, ground: Ground, url: str, telling: Telling) -> None:
    """How to go on from here, ready to paste."""
    step = story.following
    telling.both({"th": "ถามคำถามต่อไปได้จากอีกหน้าต่างหนึ่ง:", "en": "Ask the next question from another window:"})
    linkage = Path(sys.executable).with_name("linkage")
    words = [_near(linkage) if linkage.exists() else "linkage", "exchange", "--url", url, "--as", step.client]
    words += ["--key", _near(desk.key_file(step.client))]
    words += ["--service", str(step.question["service"]), "--purpose", str(step.question["purpose"])]
    telling.plain()
    telling.plain(f"printf '{step.question['citizen_id']}\\n' | {shlex.join(words)}")
    telling.plain()
    telling.stage(
        f"กุญแจและรายชื่อทั้งหมดอยู่ใน {_near(ground.handed_out)} กด Ctrl-C เพื่อปิด",
        "keys and names are in that file; Ctrl-C ends it",
    )


def _serve(gateway: Child, signals: Signals) -> None:
    """Until a signal comes. Raises CannotStart where the gateway ends by itself."""
    try:
        while not gateway.ended():
            signals.check()
            time.sleep(0.5)
    except Stopped:
        return
    raise CannotStart(f"เกตเวย์หยุดทำงานเอง ดู {gateway.log}", f"the gateway ended by itself: see {gateway.log}")


def _near(path: Path) -> str:
    """The path as it is shortest from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
