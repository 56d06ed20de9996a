// bitzoom-streams.md, "Unsubscribe", word for word.
ws.send(JSON.stringify({
  method: 'UNSUBSCRIBE',
  params: ['btcusdt@ticker'],
  id: 2
}));
