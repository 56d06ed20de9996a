"""What the acceptance scripts about real venues share: a client that keeps what it is sent, and what the relay says of it."""
import base64, json, os, selectors, socket, struct, threading, time, urllib.request

from harness import get


class Listener(threading.Thread):
    """One client of the relay in the stream dialect that keeps the numbers of every stream it is sent, in their order."""

    def __init__(self, address, names, key):
        super().__init__(daemon=True)
        self.names, self.key, self.numbers, self.other = names, key, {name: [] for name in names}, []
        self.closed, self.over = None, False
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.buffer = b""
        nonce = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /stream?notices=1 HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        self.buffer = self.buffer.split(b"\r\n\r\n", 1)[1]
        for at in range(0, len(names), 100):
            self.send(1, json.dumps({"method": "SUBSCRIBE", "params": names[at:at + 100], "id": at}).encode())
            time.sleep(0.12)
        self.start()

    def send(self, opcode, payload):
        mask = os.urandom(4)
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + struct.pack(">H", len(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload)))

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.socket, selectors.EVENT_READ)
        while not self.over:
            self.take()
            if selector.select(0.2):
                data = self.socket.recv(1 << 16)
                if not data:
                    self.closed = self.closed or "without a word"
                    return
                self.buffer += data

    def take(self):
        at = 0
        while len(self.buffer) - at >= 2:
            first, length, head = self.buffer[at], self.buffer[at + 1] & 127, 2
            if length == 126:
                if len(self.buffer) - at < 4:
                    break
                length, head = struct.unpack_from(">H", self.buffer, at + 2)[0], 4
            elif length == 127:
                if len(self.buffer) - at < 10:
                    break
                length, head = struct.unpack_from(">Q", self.buffer, at + 2)[0], 10
            if len(self.buffer) - at < head + length:
                break
            payload = self.buffer[at + head:at + head + length]
            at += head + length
            self.message(first & 15, payload)
        self.buffer = self.buffer[at:]

    def message(self, opcode, payload):
        if opcode == 9:
            self.send(10, payload)
        elif opcode == 8:
            self.closed = payload[2:].decode() or "closed"
        elif opcode == 1:
            message = json.loads(payload)
            data = message.get("data")
            if isinstance(data, dict) and self.key in data and message["stream"] in self.numbers:
                self.numbers[message["stream"]].append(int(data[self.key]))
            else:
                self.other.append(message)

    def stop(self):
        self.over = True
        self.join(5)


def end_faults(mock):
    urllib.request.urlopen(urllib.request.Request(f"http://{mock.control}/fault", method="DELETE"), timeout=5).close()


def ranges(numbers):
    """The numbers between the first and the last that are missing, as (from, to)."""
    return [(before + 1, after - 1) for before, after in zip(numbers, numbers[1:]) if after > before + 1]


def disorder(numbers):
    return sum(1 for before, after in zip(numbers, numbers[1:]) if after <= before)


def gaps(relay, stream=None):
    """The relay's own list."""
    found, since = [], None
    target = f"http://{relay.address}/api/v1/gaps?limit=1000" + (f"&stream={stream}" if stream else "")
    answer = json.loads(get(target))
    found += answer["gaps"] if isinstance(answer, dict) else answer
    return found


def untold(numbers, told):
    """What is missing of a stream and in no gap of the relay's list."""
    known = [(gap["from"], gap["to"]) for gap in told if gap.get("from") is not None]
    return [(low, high) for low, high in ranges(numbers) if not covered(low, high, known)]


def covered(low, high, known):
    for first, last in sorted(known):
        if first <= low <= last:
            low = last + 1
    return low > high


def states(relay):
    rows = json.loads(get(f"http://{relay.address}/api/v1/topics?limit=10000"))
    return {row["name"]: row["state"] if row["seq"] else "waiting" for row in (rows["topics"] if isinstance(rows, dict) else rows)}
