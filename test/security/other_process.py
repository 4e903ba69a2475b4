#!/usr/bin/env python3
"""Processes that end or become another program with a connection to the daemon in hand.

    other_process.py turn SOCKET HELLO PROGRAM [ARGUMENT...]
    other_process.py leave SOCKET HELLO PROGRAM [ARGUMENT...]

`turn` connects and sends HELLO (a frame in hexadecimal). Once that is answered, which proves that the daemon has taken
the connection, it becomes PROGRAM, with the connection as descriptor 10.

`leave` connects, leaves the connection to a child, and ends. The child starts PROGRAM under the very pid that has
become free, prints "reused" to standard error, and hands bytes on between its descriptor 3 and the socket.
"""

import os
import socket
import sys
import threading
import time


def say(word):
    os.write(2, word.encode() + b"\n")


def connect(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return connection


def turn(path, hello, command):
    connection = connect(path)
    connection.sendall(bytes.fromhex(hello))
    answer = b""
    while len(answer) < 4 or len(answer) < 4 + int.from_bytes(answer[:4], "big"):
        answer += connection.recv(65536)
    os.dup2(connection.fileno(), 10)
    say("connected")
    os.execv(command[0], command)


def leave(path, hello, command):
    connection = connect(path)
    connection.sendall(bytes.fromhex(hello))
    pid = os.getpid()
    if os.fork() > 0:
        os._exit(0)
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(0.001)
    reuse(pid, command)
    say("reused")
    other = socket.socket(fileno=3)
    threading.Thread(target=pump, args=(other, connection), daemon=True).start()
    pump(connection, other)


def reuse(pid, command):
    """Starts the command as a process with this pid; the kernel is told which pid to try next (proc(5))."""
    for _ in range(2000):
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(pid - 1))
        child = os.fork()
        if child == 0:
            if os.getpid() == pid:
                os.setsid()
                os.execv(command[0], command)
            os._exit(0)
        if child == pid:
            return
        os.waitpid(child, 0)
    say("the pid could not be had again")
    sys.exit(1)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass


if __name__ == "__main__":
    mode, path, hello, *command = sys.argv[1:]
    {"turn": turn, "leave": leave}[mode](path, hello, command)
