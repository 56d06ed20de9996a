// hub-realtime.md, "Example 1: Real-Time Price Tracking", word for word.
const ws = new WebSocket('ws://localhost:8000/ws');

ws.onopen = () => {
    ws.send(JSON.stringify({
        type: 'subscribe',
        channels: ['binance_prices', 'bitcoinprice']
    }));
};

ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    
    // Update UI with latest prices
    if (data.type === 'price_update') {
        updatePriceDisplay(data.instrument, data.price);
    }
};

function updatePriceDisplay(instrument, price) {
    const element = document.getElementById(`price-${instrument}`);
    if (element) {
        element.textContent = `$${price.toLocaleString()}`;
        element.style.color = Math.random() > 0.5 ? 'green' : 'red';
    }
}
