"""Found by every Python started with this folder in PYTHONPATH: nobody may leave the machine.

Each look-up and each connection but those of the machine with itself is written to the file that
MMA_UNET_CALLS names, and refused.
"""

import os
import socket
import sys
from pathlib import Path

_connect, _getaddrinfo = socket.socket.connect, socket.getaddrinfo
_HERE = ("127.", "::1", "localhost", "0.0.0.0")


def _is_own(host):
    """Whether it is an address of this machine, under which processes of Ray know each other."""
    import psutil

    return any(host == a.address for net in psutil.net_if_addrs().values() for a in net)


def _refuse(address):
    host = str(address if isinstance(address, (str, bytes)) else address[0])
    if _is_own(host):
        return
    with Path(os.environ["MMA_UNET_CALLS"]).open("a") as log:
        log.write(f"{address} by {' '.join(sys.argv)[:80]}\n")
    raise OSError(f"no network in this test: {address}")


def getaddrinfo(host, *args, **options):
    if host is not None and not str(host).startswith((*_HERE, socket.gethostname())):
        _refuse(host)
    return _getaddrinfo(host, *args, **options)


def connect(self, address):
    if self.family != socket.AF_UNIX and not str(address[0]).startswith(_HERE):
        _refuse(address)
    return _connect(self, address)


socket.getaddrinfo = getaddrinfo
socket.socket.connect = connect
socket.socket.connect_ex = connect
