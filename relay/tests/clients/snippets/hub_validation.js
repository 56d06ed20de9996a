// hub-realtime.md, "Message Validation", word for word.
function validateMessage(data) {
    if (!data || typeof data !== 'object') {
        console.warn('Invalid message format');
        return false;
    }
    
    // Check required fields
    const requiredFields = ['type', 'timestamp'];
    for (const field of requiredFields) {
        if (!(field in data)) {
            console.warn(`Missing required field: ${field}`);
            return false;
        }
    }
    
    // Validate timestamp
    const timestamp = new Date(data.timestamp);
    if (isNaN(timestamp.getTime())) {
        console.warn('Invalid timestamp');
        return false;
    }
    
    // Check message age (reject if older than 10 minutes)
    const age = Date.now() - timestamp.getTime();
    if (age > 600000) {
        console.warn('Message too old');
        return false;
    }
    
    return true;
}

ws.onmessage = (event) => {
    try {
        const data = JSON.parse(event.data);
        if (validateMessage(data)) {
            processMessage(data);
        }
    } catch (error) {
        console.error('Message parsing error:', error);
    }
};
