// babakcode-socketio.md, "Client-Side Implementation", word for word.
import { io } from "socket.io-client";

// Connect to the WebSocket server
const socket = io("https://wss.babakcode.com", {
    auth: {
        "api-key": "your-api-key-here",
    },
   path: "/currency/"
});

// Example: Listen for all fiat currency price changes
socket.emit("fiat/allListen", { base: "USD" });
socket.on("currency", (data) => {
  console.log("fiat/All fiat currency price updates:", data);
});

// Example: Receive all fiat currency prices as acknowledgment
socket.emit("fiat/allAck", { base: "USD" }, (response) => {
  console.log("fiat/Acknowledgment for all fiat prices:", response);
});

// Example: Listen for a specific fiat currency price update
socket.emit("fiat/onlyListen", { base: "USD", currency: "EUR" });
socket.on("currency", (data) => {
  console.log("fiat/Specific fiat currency price update:", data);
});

// Example: Receive a specific fiat currency price as acknowledgment
socket.emit("fiat/onlyAck", { base: "USD", currency: "EUR" }, (response) => {
  console.log("fiat/Acknowledgment for specific fiat price:", response);
});

// Example: Listen for all cryptocurrency price changes
socket.emit("crypto/allListen", { base: "USD" });
socket.on("crypto", (data) => {
  console.log("crypto/All cryptocurrency price updates:", data);
});

// Example: Receive all cryptocurrency prices as acknowledgment
socket.emit("crypto/allAck", { base: "USD" }, (response) => {
  console.log("crypto/Acknowledgment for all crypto prices:", response);
});

// Example: Listen for a specific cryptocurrency price update
socket.emit("crypto/onlyListen", { base: "USD", symbol: "BTC" });
socket.on("crypto", (data) => {
  console.log("crypto/Specific cryptocurrency price update:", data);
});

// Example: Receive a specific cryptocurrency price as acknowledgment
socket.emit("crypto/onlyAck", { base: "USD", symbol: "BTC" }, (response) => {
  console.log("crypto/Acknowledgment for specific crypto price:", response);
});
