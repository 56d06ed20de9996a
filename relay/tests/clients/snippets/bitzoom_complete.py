# bitzoom-streams.md, "Complete Example", word for word.
import json
import websocket
import threading

class BitzoomWebSocket:
    def __init__(self):
        self.url = "wss://stream.bitzoom.com/ws"
        self.ws = None
        self.subscriptions = []

    def on_message(self, ws, message):
        data = json.loads(message)

        if 'e' in data:
            event_type = data['e']

            if event_type == '24hrTicker':
                self.handle_ticker(data)
            elif event_type == 'trade':
                self.handle_trade(data)
            elif event_type == 'kline':
                self.handle_kline(data)
            elif event_type == 'depthUpdate':
                self.handle_depth(data)

    def handle_ticker(self, data):
        print(f"Ticker {data['s']}: {data['c']} ({data['P']}%)")

    def handle_trade(self, data):
        print(f"Trade {data['s']}: {data['q']} @ {data['p']}")

    def handle_kline(self, data):
        k = data['k']
        print(f"Kline {k['s']} {k['i']}: O={k['o']} H={k['h']} L={k['l']} C={k['c']}")

    def handle_depth(self, data):
        best_bid = data['b'][0] if data['b'] else None
        best_ask = data['a'][0] if data['a'] else None
        print(f"Depth {data['s']}: Bid={best_bid}, Ask={best_ask}")

    def on_error(self, ws, error):
        print(f"Error: {error}")

    def on_close(self, ws, close_status_code, close_msg):
        print("Connection closed")

    def on_open(self, ws):
        print("Connected")
        self.subscribe(['btcusdt@ticker', 'btcusdt@trade', 'btcusdt@kline_1m'])

    def subscribe(self, streams):
        self.subscriptions.extend(streams)
        self.ws.send(json.dumps({
            "method": "SUBSCRIBE",
            "params": streams,
            "id": 1
        }))

    def run(self):
        self.ws = websocket.WebSocketApp(
            self.url,
            on_message=self.on_message,
            on_error=self.on_error,
            on_close=self.on_close,
            on_open=self.on_open
        )
        self.ws.run_forever()

if __name__ == "__main__":
    client = BitzoomWebSocket()
    client.run()
