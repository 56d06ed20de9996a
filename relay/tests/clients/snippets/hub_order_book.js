// hub-realtime.md, "Example 2: Order Book Monitoring", word for word.
const orderBooks = {};

ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    
    if (data.connector_id === 'binance_orderbook') {
        const { asks, bids } = data.data;
        
        // Store order book data
        orderBooks[data.instrument] = {
            asks: asks.slice(0, 10),  // Top 10 asks
            bids: bids.slice(0, 10),  // Top 10 bids
            timestamp: data.timestamp
        };
        
        renderOrderBook(data.instrument);
    }
};

function renderOrderBook(instrument) {
    const book = orderBooks[instrument];
    console.table(book.asks);
    console.table(book.bids);
}
