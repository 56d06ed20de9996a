"""The least of a WebSocket client: enough to be told what a relay says, by nothing but the standard library."""
import base64, os, socket, struct, threading, time

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Client(threading.Thread):
    """Connects, then hands every text to `take` until the connection or its time ends; `ended` says how."""

    def __init__(self, address, target, seconds, take):
        super().__init__(daemon=True)
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self.take, self.until, self.ended, self.bytes = take, time.monotonic() + seconds, None, b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        while b"\r\n\r\n" not in self.bytes:
            more = self.socket.recv(4096)
            if not more:
                raise ConnectionError("closed during the upgrade")
            self.bytes += more
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.split(b"\r\n")[0].decode())
        self.start()

    def run(self):
        try:
            while time.monotonic() < self.until:
                frame = self.frame()
                if frame is None:
                    self.socket.settimeout(0.1)
                    try:
                        more = self.socket.recv(1 << 20)
                    except TimeoutError:
                        continue
                    if not more:
                        self.ended = "end of stream"
                        return
                    self.bytes += more
                elif frame[0] == TEXT:
                    self.take(frame[1].decode())
                elif frame[0] == PING:
                    self.send(PONG, frame[1])
                elif frame[0] == CLOSE:
                    self.ended = f"closed {frame[1]!r}"
                    return
        except OSError as error:
            self.ended = str(error)

    def send(self, opcode, payload):
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload)

    def frame(self):
        """Takes the first whole frame off the bytes."""
        data = self.bytes
        if len(data) < 2:
            return None
        length, start = data[1] & 0x7f, 2
        if length == 126:
            length, start = struct.unpack(">H", data[2:4])[0] if len(data) >= 4 else 1 << 62, 4
        elif length == 127:
            length, start = struct.unpack(">Q", data[2:10])[0] if len(data) >= 10 else 1 << 62, 10
        if len(data) < start + length:
            return None
        self.bytes = data[start + length:]
        return data[0] & 0x0f, data[start:start + length]
