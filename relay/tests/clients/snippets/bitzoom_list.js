// bitzoom-streams.md, "List Subscriptions", word for word.
ws.send(JSON.stringify({
  method: 'LIST_SUBSCRIPTIONS',
  id: 3
}));
