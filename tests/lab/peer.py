#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a guest of the lab talks to. Usage: peer.py ADDRESS FILE

What comes in at port 7001 is summed up: "taking" is printed, then "took" and the MD5 sum. Port 7002
gives away FILE."""

import hashlib
import socket
import sys
import threading


def take(connection):
    print("taking")
    total = hashlib.md5()
    while data := connection.recv(65536):
        total.update(data)
    print("took", total.hexdigest())


def give(connection):
    with open(sys.argv[2], "rb") as gift:
        connection.sendall(gift.read())
    connection.close()


def serve(port, what):
    with socket.create_server((sys.argv[1], port)) as listener:
        while True:
            threading.Thread(target=what, args=(listener.accept()[0],)).start()


threading.Thread(target=serve, args=(7001, take)).start()
serve(7002, give)
