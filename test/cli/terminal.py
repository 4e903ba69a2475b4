"""Runs a command on a terminal of its own and types at it.

Standard input: one JSON object {"argv": [...], "steps": [{"wait": TEXT, "send": TEXT}, ...], "columns": N}. Each
step waits until TEXT has newly appeared on the screen. Standard output: one JSON object with the exit code ("code", minus the
signal's number if one ended it), all that the screen was sent ("screen"), and whether the terminal is as it was before
("restored").
"""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

PATIENCE = 120


def main():
    job = json.load(sys.stdin)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, job["columns"], 0, 0))
    before = termios.tcgetattr(slave)

    def own_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(
        job["argv"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=own_terminal
    )
    screen = b""
    seen = 0
    deadline = time.monotonic() + PATIENCE

    def read_some():
        nonlocal screen
        if time.monotonic() > deadline:
            child.kill()
            sys.exit("the command went on for too long; the screen: " + repr(screen))
        ready, _, _ = select.select([master], [], [], 0.05)
        if ready:
            screen += os.read(master, 65536)
        return bool(ready)

    for step in job["steps"]:
        text = step["wait"].encode()
        while text not in screen[seen:]:
            if not read_some() and child.poll() is not None:
                sys.exit("the command ended before it showed " + repr(text) + "; the screen: " + repr(screen))
        seen = screen.index(text, seen) + len(text)
        os.write(master, step["send"].encode())
    while child.poll() is None or read_some():
        read_some()
    restored = termios.tcgetattr(slave) == before
    print(json.dumps({"code": child.returncode, "screen": screen.decode("utf-8", "replace"), "restored": restored}))


main()
