// hub-realtime.md, "1. Connection Management", word for word.
// Close connection properly
function disconnect() {
    if (ws && ws.readyState === WebSocket.OPEN) {
        ws.close(1000, 'Normal closure');
    }
}

// Clean up on page unload
window.addEventListener('beforeunload', disconnect);
