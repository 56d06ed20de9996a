// hub-realtime.md, "Reconnection Logic", word for word.
let reconnectAttempts = 0;
const MAX_RECONNECT_ATTEMPTS = 5;
const RECONNECT_INTERVAL = 3000;

function connect() {
    try {
        ws = new WebSocket('ws://localhost:8000/ws');
        
        ws.onopen = () => {
            console.log('Connected');
            reconnectAttempts = 0;
            resubscribeChannels();
        };
        
        ws.onclose = () => {
            if (reconnectAttempts < MAX_RECONNECT_ATTEMPTS) {
                reconnectAttempts++;
                console.log(`Reconnecting... (attempt ${reconnectAttempts})`);
                setTimeout(connect, RECONNECT_INTERVAL);
            } else {
                console.error('Max reconnection attempts reached');
            }
        };
    } catch (error) {
        console.error('Connection failed:', error);
        setTimeout(connect, RECONNECT_INTERVAL);
    }
}

let subscribedChannels = [];

function subscribe(channels) {
    subscribedChannels = channels;
    ws.send(JSON.stringify({
        type: 'subscribe',
        channels: channels
    }));
}

function resubscribeChannels() {
    if (subscribedChannels.length > 0) {
        subscribe(subscribedChannels);
    }
}

// Initial connection
connect();
