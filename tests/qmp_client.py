#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A QMP client. Usage: qmp_client.py SOCKET STEP...

A step is COMMAND, COMMAND:{JSON arguments}, or ?EVENT, which waits for that event, at most for
RWY_QMP_SECONDS (60). Prints a line of JSON for each step, the answer or the event. Status 1: a
command failed or an event did not come; then nothing more is done.
"""

import json
import os
import socket
import sys
import time


class Failed(Exception):
    """A command's error, as the machine says it."""


class Client:
    def __init__(self, path, seconds=60):
        self.seconds = seconds
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        end = time.monotonic() + seconds
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.buffer = b""
        self.events = []
        self.nr = 0
        self.greeting = self.read()["QMP"]
        self.run("qmp_capabilities")

    def read(self):
        """The next message; None at the end of the connection."""
        while b"\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def run(self, command, **arguments):
        self.nr += 1
        request = {"execute": command, "arguments": arguments, "id": self.nr}
        self.socket.sendall(json.dumps(request).encode())
        while (message := self.read()) is not None:
            if "event" in message:
                self.events.append(message)
            elif message.get("id") != self.nr:
                raise Failed(f"an answer to something else: {message}")
            elif "error" in message:
                raise Failed(f"{message['error']['class']}: {message['error']['desc']}")
            else:
                return message["return"]
        raise Failed("the connection ended")

    def event(self, name):
        """The next event of that name; those before it are gone."""
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            while self.events:
                event = self.events.pop(0)
                if event["event"] == name:
                    return event
            try:
                message = self.read()
            except TimeoutError:
                break
            if message is None:
                break
            self.events.append(message)
        raise Failed(f"no event {name}")

    def close(self):
        self.socket.close()


def main():
    client = Client(sys.argv[1], float(os.environ.get("RWY_QMP_SECONDS", 60)))
    for step in sys.argv[2:]:
        try:
            if step[0] == "?":
                result = client.event(step[1:])
            else:
                command, _, arguments = step.partition(":")
                result = client.run(command, **json.loads(arguments or "{}"))
        except Failed as why:
            print(f"{step}: {why}")
            sys.exit(1)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
