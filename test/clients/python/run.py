"""Starts every kind of server that the scenarios need, runs them, and sums up:

    python3 run.py [--groups BCDEFGHIO] [--wire 26.04] [--only D3 E17]

The last line reads "N passed, N failed"; the exit code is 1 when anything failed. Servers run on a free port of this
machine with a data directory of their own, both gone afterwards. The node program is $NODE or `node`.
"""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import test_groups
from case import SERVERS

ROOT = Path(__file__).resolve().parents[3]
SORTIE = ROOT / "packages" / "cli" / "bin" / "sortie.js"
READY = "sortie listening on "
# The first start on a machine with an old Node fetches a newer one.
START_SECONDS = 300
STOP_SECONDS = 60


class Server:
    """A Sortie server of its own; a context manager that gives its HOST:PORT."""

    def __init__(self, flags):
        self.flags = flags

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sortie-python-"))
        self.log = (self.folder / "server.log").open("wb")
        command = [os.environ.get("NODE", "node"), str(SORTIE), "serve", "--port", "0", "--host", "127.0.0.1"]
        try:
            self.process = subprocess.Popen(
                [*command, "--data", str(self.folder / "data"), *self.flags], stdout=subprocess.PIPE, stderr=self.log
            )
            return self._address()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def _address(self):
        lines = queue.Queue()

        def read():
            for line in self.process.stdout:
                lines.put(line.decode("utf-8").rstrip("\n"))
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=START_SECONDS)
            except queue.Empty:
                raise RuntimeError(f"the server was not ready within {START_SECONDS} s:\n{self.log_tail()}") from None
            if line is None:
                raise RuntimeError(f"the server ended before it was ready:\n{self.log_tail()}")
            if line.startswith(READY):
                return line.removeprefix(READY)

    def __exit__(self, *_):
        """Stops the server in good order; `exit_code` tells how it went."""
        process = getattr(self, "process", None)
        self.exit_code = None
        if process:
            process.terminate()
            try:
                self.exit_code = process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        self.log.close()
        self.tail = self.log_tail()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self, count=40):
        """The last lines of the server's log."""
        return "\n".join((self.folder / "server.log").read_text(errors="replace").splitlines()[-count:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", default=test_groups.GROUPS, help="letters of the groups to run")
    parser.add_argument("--wire", default="26.04", choices=("26.04", "next"), help="the generation that the client speaks")
    parser.add_argument("--only", nargs="*", default=(), help="scenario numbers or test names")
    options = parser.parse_args()
    groups = options.groups.upper()
    passed = failed = 0
    for kind, flags in SERVERS.items():
        if test_groups.select(groups, kind, options.only)[0].countTestCases() == 0:
            continue
        print(f"\n=== server: {kind} ({' '.join(flags)})", flush=True)
        server = Server(flags)
        with server as address:
            good, bad, _ = test_groups.run(address, groups, kind, options.only, options.wire)
        passed, failed = passed + good, failed + bad
        if server.exit_code != 0:
            failed += 1
            print(f"FAIL: the server ended with {server.exit_code} after SIGTERM instead of 0")
        if bad or server.exit_code != 0:
            print(f"--- end of the server's log\n{server.tail}")
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
