#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""One request to the telemetry socket of a DPDK process: telemetry.py RUNTIME_FOLDER COMMAND."""
import json
import socket
import sys

TIMEOUT_SECONDS = 5


def ask(folder, command):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(TIMEOUT_SECONDS)
        sock.connect(f'{folder}/dpdk_telemetry.v2')
        limit = json.loads(sock.recv(4096))['max_output_len']
        sock.send(command.encode())
        return json.loads(sock.recv(limit))


if __name__ == '__main__':
    try:
        print(json.dumps(ask(sys.argv[1], sys.argv[2])))
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f'telemetry {sys.argv[2]}: {error}')
