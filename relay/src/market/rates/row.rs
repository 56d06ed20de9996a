//! The rows of the tables as JSON, and a row alone as a message.

use crate::market::topic::Class;
use crate::venue::decimal::write_scaled;
use crate::wire::json::write_string;

/// One price of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub class: Class,
    pub base: &'a str,
    /// The currency or the coin.
    pub symbol: &'a str,
    pub price: &'a str,
    pub time_ms: u64,
    /// Not a venue's own price.
    pub is_computed: bool,
}

impl Row<'_> {
    /// Appends `{"base":"USD","currency":"EUR","price":"0.92150","timestamp":…}`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"base\":");
        write_string(self.base, out);
        out.extend_from_slice(match self.class {
            Class::Fiat => b",\"currency\":",
            Class::Crypto => b",\"symbol\":".as_slice(),
        });
        write_string(self.symbol, out);
        out.extend_from_slice(b",\"price\":");
        write_string(self.price, out);
        out.extend_from_slice(b",\"timestamp\":");
        write_scaled(out, self.time_ms.into(), 0);
        out.extend_from_slice(if self.is_computed { b",\"computed\":true}" } else { b"}" });
    }

    /// Appends the whole message of a client that listens to this row only.
    pub fn write_message(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.class {
            Class::Fiat => b"42[\"currency\",",
            Class::Crypto => b"42[\"crypto\",".as_slice(),
        });
        self.write(out);
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows and messages read as the page has them; only what is computed says so.
    #[test]
    fn rows_read_as_documented() {
        let eur = Row {
            class: Class::Fiat,
            base: "USD",
            symbol: "EUR",
            price: "0.92150",
            time_ms: 1765211445123,
            is_computed: false,
        };
        let btc = Row { class: Class::Crypto, symbol: "BTC", price: "42150.50", is_computed: true, ..eur };
        let mut out = Vec::new();
        eur.write(&mut out);
        out.push(b'\n');
        btc.write_message(&mut out);
        let expected = r#"{"base":"USD","currency":"EUR","price":"0.92150","timestamp":1765211445123}
42["crypto",{"base":"USD","symbol":"BTC","price":"42150.50","timestamp":1765211445123,"computed":true}]"#;
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }
}
