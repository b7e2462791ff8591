"""A TCP forwarder between the servers and the database, which can delay data and change its target."""

import contextlib
import socket
import threading
import time


class Forwarder:
    """Forwards connections to `port` on this machine. Data in either direction is delayed by `delay` seconds."""

    def __init__(self, port: int):
        self.delay = 0.0
        self._leads_to: int | None = port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, port: int) -> None:
        """Changes the target. Open connections break, as in a failover."""
        self._leads_to = port
        self.cut()

    def lead_nowhere(self) -> None:
        """Breaks open connections and accepts no others, as a network that is cut."""
        self._leads_to = None
        self.cut()

    def cut(self) -> None:
        with self._lock:
            for end in self._open:
                _shut(end)

    def stop(self) -> None:
        _shut(self._listener)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._leads_to is None:
                    raise OSError
                server = socket.create_connection(("127.0.0.1", self._leads_to), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            pair = (client, server)
            with self._lock:
                self._open.update(pair)
            for end in pair:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            left = [2]
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self._pump, args=(source, sink, left), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, left: list[int]) -> None:
        try:
            while data := source.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
        except OSError:
            pass
        _shut(source)
        _shut(sink)
        with self._lock:
            left[0] -= 1
            if left[0] == 0:
                for end in (source, sink):
                    self._open.discard(end)
                    end.close()


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
