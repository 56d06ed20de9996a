//! The relay's metrics as a test reads them.

use std::net::SocketAddr;

use super::http;

/// One scrape.
pub struct Metrics(String);

pub fn scrape(admin: SocketAddr) -> Metrics {
    let answer = http::get(admin, "/metrics");
    assert_eq!(answer.status, 200);
    Metrics(answer.body)
}

impl Metrics {
    /// The sum over all labels.
    pub fn sum(&self, name: &str) -> f64 {
        self.sum_where(name, "")
    }

    /// The sum over the rows whose labels contain this text, such as `reason="repeated"`.
    pub fn sum_where(&self, name: &str, label: &str) -> f64 {
        let mut found = false;
        let mut sum = 0.0;
        for line in self.0.lines().filter(|line| !line.starts_with('#')) {
            let (key, value) = line.rsplit_once(' ').expect("a name and a value");
            let (row, labels) = key.split_once('{').unwrap_or((key, ""));
            if row == name && labels.contains(label) {
                found = true;
                sum += value.parse::<f64>().expect("a number");
            }
        }
        assert!(found, "no metric {name} with {label:?}");
        sum
    }
}
