//! Recorded sessions (`relay/testdata`, protocols/fixtures/README.md): one JSON object per line.

use serde_json::Value;

pub struct Line(Value);

pub fn read(name: &str) -> Vec<Line> {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = text.lines().map(|line| Line(serde_json::from_str(line).expect("a line is JSON")));
    lines.filter(|line| line.0.get("note").is_none()).collect()
}

impl Line {
    pub fn is_clients(&self) -> bool {
        self.0["from"] == "client"
    }

    /// Milliseconds since the start.
    pub fn time_ms(&self) -> u64 {
        self.0["t"].as_u64().expect("a time")
    }

    /// The connection's label, where there are several.
    pub fn conn(&self) -> &str {
        self.0["conn"].as_str().unwrap_or_default()
    }

    pub fn connect(&self) -> Option<(&str, u16)> {
        Some((self.0["connect"].as_str()?, self.0["status"].as_u64()? as u16))
    }

    pub fn text(&self) -> Option<&str> {
        self.0["text"].as_str()
    }

    /// A request's method, path and body.
    pub fn call(&self) -> Option<(&str, &str, &str)> {
        let http = self.0.get("http")?;
        Some((http["method"].as_str()?, http["path"].as_str()?, http["body"].as_str()?))
    }

    pub fn ping(&self) -> Option<&str> {
        self.0["ping"].as_str()
    }

    pub fn pong(&self) -> Option<&str> {
        self.0["pong"].as_str()
    }

    pub fn close(&self) -> Option<(u16, &str)> {
        let close = self.0.get("close")?;
        Some((close["code"].as_u64()? as u16, close["reason"].as_str()?))
    }

    /// A request's method, path and header lines.
    pub fn request(&self) -> Option<(&str, &str, String)> {
        let http = self.0.get("http").filter(|_| self.is_clients())?;
        let headers = http["headers"].as_object()?.iter();
        let headers = headers.map(|(name, value)| format!("{name}: {}\r\n", value.as_str().expect("text"))).collect();
        Some((http["method"].as_str()?, http["path"].as_str()?, headers))
    }

    /// An answer's status and body.
    pub fn response(&self) -> Option<(u16, &str)> {
        let http = self.0.get("http").filter(|_| !self.is_clients())?;
        Some((http["status"].as_u64()? as u16, http["body"].as_str()?))
    }
}
