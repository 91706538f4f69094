"""`make demo`: starts everything on free ports, plays the story, prints it. On a terminal it stays up until Ctrl-C;
else it ends by itself, with 1 if anything did not go as told."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import show
from stage import Stage
from story import Story

from parts import process


def stay_up(stage: Stage) -> None:
    show.title("Everything is still up. Try it yourself; Ctrl-C ends it all.")
    addresses = stage.addresses()
    for name, address in addresses.items():
        show.line(f"   {name.ljust(max(map(len, addresses)))}  {address}")
    show.command(
        f"TOKEN=$(curl -s -u alice:alice-secret {stage.idp.issuer}/token -d grant_type=client_credentials"
        ' | sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')'
    )
    body = '{"model": "gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "Who is customer 42?"}]}'
    show.command(f"curl -N {stage.url}/v1/chat/completions -H \"authorization: Bearer $TOKEN\" -d '{body}'")
    with contextlib.suppress(KeyboardInterrupt):
        stage.envoy.process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["aimock", "real"], default="aimock")
    parser.add_argument("--collector", choices=["ours", "rotel"], default="ours")
    arguments = parser.parse_args()
    process.exit_on_signals()
    for tool in ("curl", "git"):
        if not shutil.which(tool):
            print(f"the demo needs {tool}", file=sys.stderr)
            return 2
    show.title("Portcullis on a real Envoy")
    stage = Stage(arguments.model, arguments.collector)
    try:
        stage.start()
        if stage.store:
            show.line(f"  its page: http://{stage.store.address}/ (token to log in: {stage.store.bootstrap})")
        story = Story(stage)
        story.play()
        ok = story.failures == 0
        show.line()
        show.line(show.green("All went as told.") if ok else show.red(f"Not as told: {story.failures}."))
        if sys.stdout.isatty() and sys.stdin.isatty():
            stay_up(stage)
        return 0 if ok else 1
    except KeyboardInterrupt:
        return 130
    except (process.NotReady, TimeoutError) as failure:
        print(f"\ndemo: {failure}", file=sys.stderr)
        return 1
    finally:
        stage.stop()


if __name__ == "__main__":
    sys.exit(main())
