// bitzoom-streams.md, "Keep-Alive", word for word.
setInterval(() => {
  if (ws.readyState === WebSocket.OPEN) {
    ws.ping();
  }
}, 30 * 60 * 1000);
