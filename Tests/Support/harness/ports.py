"""Ports that have to be known before whoever listens on them starts."""

import socket

# Until the end of this process.
RESERVED = []


def reserve_port():
    """A port of loopback that the kernel gives nobody else; servers may listen on it, for they set SO_REUSEADDR.

    To close the socket that it was found with would leave it to the next one who asks for any.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    RESERVED.append(holder)
    return holder.getsockname()[1]
