// hub-realtime.md, "JavaScript Client", word for word.
// Connect to WebSocket
const ws = new WebSocket('ws://localhost:8000/ws');

// Handle connection opened
ws.onopen = (event) => {
    console.log('WebSocket connected');
    ws.send(JSON.stringify({
        type: 'subscribe',
        channels: ['binance_prices', 'binance_orderbook']
    }));
};

// Handle incoming messages
ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    console.log('Received:', data);
    updateUI(data);
};

// Handle errors
ws.onerror = (event) => {
    console.error('WebSocket error:', event);
};

// Handle disconnection
ws.onclose = (event) => {
    console.log('WebSocket closed');
    // Attempt reconnection after 3 seconds
    setTimeout(() => reconnect(), 3000);
};
