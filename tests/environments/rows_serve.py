"""What the server alone needs: an address, a file of keys."""
import os
import socket
import subprocess

from row import Row

DEVICE, REFUSED, IO = 6, 7, 5
NOT_ASKED = "only servers listen"


def of_server(name, check, says, remedy, **more):
    return Row(name=name, id=check, level="failure", says=says, remedy=remedy,
               **{"generate": NOT_ASKED, "serve": DEVICE, **more})


def keys(room, mode=0o600):
    subprocess.run([room.octet, "key", "add", "somebody", "--keys", room.root / "keys"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (room.root / "keys").chmod(mode)


def occupied(room):
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen()
    room.closers.append(other.close)
    return f"127.0.0.1:{other.getsockname()[1]}"


def keys_of_another(room):
    keys(room)
    room.need_root("giving a file to another user")
    os.chown(room.root / "keys", 12345, 12345)


WITH_KEYS = ("--keys", "../keys")

ROWS = [
    of_server("port_occupied", "port", (r"127\.0\.0\.1:\d+", "Address already in use"), "ss -ltnp",
              broken="Another program listens on the port.", how="a socket of the test", build=occupied,
              doctor=("--listen", "{built}"), serving=("--listen", "{built}")),
    of_server("port_below_1024", "port", (r"127\.0\.0\.1:80", "Permission denied"), "1024",
              broken="A port below 1024 without the right to it.", how="port 80, started as another user",
              build=lambda room: room.as_nobody(), doctor=("--listen", "127.0.0.1:80"),
              serving=("--listen", "127.0.0.1:80")),
    of_server("address_of_another_machine", "port", (r"192\.0\.2\.1:8080", "Cannot assign requested address"),
              "address of this machine", broken="The address is not one of this machine.",
              how="`--listen 192.0.2.1:8080`", build=keys,
              doctor=("--listen", "192.0.2.1:8080", *WITH_KEYS),
              serving=("--listen", "192.0.2.1:8080", *WITH_KEYS)),
    of_server("keys_readable_by_all", "key-file", ("mode 0644", "expected 0600|mode 0600"), "chmod 600", serve=REFUSED,
              broken="Everybody may read the file of keys.", how="mode 0644", build=lambda room: keys(room, 0o644),
              doctor=WITH_KEYS, serving=WITH_KEYS),
    of_server("keys_of_another_user", "key-file", ("user 12345",), "chown", serve=REFUSED,
              broken="The file of keys belongs to somebody else.", how="owner 12345", build=keys_of_another,
              doctor=WITH_KEYS, serving=WITH_KEYS),
    of_server("keys_absent", "key-file", ("keys: No such file",), "octet key add", serve=IO,
              broken="The file of keys does not exist.", how="a path that leads nowhere", build=lambda room: None,
              doctor=WITH_KEYS, serving=WITH_KEYS),
]
