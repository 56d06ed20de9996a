// hub-realtime.md, "Example 3: Live Chart Updates", word for word.
import Chart from 'chart.js/auto';

const ctx = document.getElementById('priceChart').getContext('2d');
const chart = new Chart(ctx, {
    type: 'line',
    data: {
        labels: [],
        datasets: [{
            label: 'BTC Price',
            data: [],
            borderColor: 'rgb(75, 192, 192)',
            tension: 0.1
        }]
    }
});

ws.onmessage = (event) => {
    const data = JSON.parse(event.data);
    
    if (data.instrument === 'BTC/USDT') {
        // Keep last 100 prices
        if (chart.data.labels.length > 100) {
            chart.data.labels.shift();
            chart.data.datasets[0].data.shift();
        }
        
        chart.data.labels.push(
            new Date(data.timestamp).toLocaleTimeString()
        );
        chart.data.datasets[0].data.push(data.price);
        chart.update();
    }
};
