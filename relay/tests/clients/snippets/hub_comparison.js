// hub-realtime.md, "Example 4: Multi-Exchange Comparison", word for word.
const priceData = {};

ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    
    if (data.type === 'price_update') {
        const key = data.instrument;
        
        if (!priceData[key]) {
            priceData[key] = {};
        }
        
        priceData[key][data.exchange] = {
            price: data.price,
            timestamp: data.timestamp
        };
        
        displayComparison(key);
    }
};

function displayComparison(instrument) {
    const prices = priceData[instrument];
    const exchanges = Object.keys(prices);
    const highestPrice = Math.max(...exchanges.map(e => prices[e].price));
    const lowestPrice = Math.min(...exchanges.map(e => prices[e].price));
    const spread = ((highestPrice - lowestPrice) / lowestPrice * 100).toFixed(2);
    
    console.log(`${instrument} - Spread: ${spread}%`);
    console.table(prices);
}
