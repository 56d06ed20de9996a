// bitzoom-streams.md, "Subscribe", word for word.
ws.send(JSON.stringify({
  method: 'SUBSCRIBE',
  params: ['btcusdt@ticker', 'ethusdt@ticker'],
  id: 1
}));
