//! CoinGecko's documents, with ETags and its limits, and a plain JSON document of prices.

use crate::mock::http::{Reply, Request};
use crate::mock::market::number::fixed;
use crate::mock::market::{Market, Symbol};
use crate::mock::rules::{Limit, Window};
use crate::mock::truth::SharedTruth;
use std::collections::HashMap;
use std::net::IpAddr;

/// Calls a minute, without a key and with one.
const KEYLESS: Limit = Limit { count: 30, window_ms: 60_000 };
const DEMO: Limit = Limit { count: 100, window_ms: 60_000 };

const NAMES: [(&str, &str, &str); 6] = [
    ("btcusdt", "bitcoin", "Bitcoin"),
    ("ethusdt", "ethereum", "Ethereum"),
    ("bnbusdt", "binancecoin", "BNB"),
    ("solusdt", "solana", "Solana"),
    ("xrpusdt", "ripple", "XRP"),
    ("dogeusdt", "dogecoin", "Dogecoin"),
];

pub struct Coins {
    calls: HashMap<IpAddr, Window>,
    /// Documents are made anew so often.
    every_ms: u64,
    /// By target: when it was made, and what it says.
    made: HashMap<String, (u64, String)>,
    truth: SharedTruth,
}

/// Targets whose documents are kept; more are made for every call.
const MADE_MAX: usize = 1000;
/// Addresses whose calls are remembered; beyond that all begin anew.
const ADDRESSES_MAX: usize = 10_000;

impl Coins {
    pub fn new(every_ms: u64, truth: SharedTruth) -> Self {
        Self { calls: HashMap::new(), every_ms, made: HashMap::new(), truth }
    }

    /// The answer, or nothing where the path is somebody else's.
    pub fn answer(&mut self, request: &Request, peer: IpAddr, now_ms: u64, market: &Market) -> Option<Reply> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let make: fn(&Market, &str) -> String = match path {
            "/api/v3/global" => global,
            "/api/v3/coins/markets" => markets,
            "/api/v3/search/trending" => trending,
            "/prices" => prices,
            _ => return None,
        };
        let has_key = request.header("x-cg-demo-api-key").is_some() || query.contains("x_cg_demo_api_key=");
        let limit = if has_key { DEMO } else { KEYLESS };
        if self.calls.len() >= ADDRESSES_MAX {
            self.calls.clear();
        }
        if path != "/prices" && !self.calls.entry(peer).or_default().note(limit, now_ms) {
            let detail = format!("more than {} in a minute", limit.count);
            self.truth.borrow_mut().violation("rest-calls", now_ms, None, &detail);
            let body = r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit."}}"#;
            return Some(Reply::json(429, body).with("retry-after", 60));
        }
        let version = now_ms / self.every_ms;
        if self.made.len() > MADE_MAX {
            self.made.clear();
        }
        let entry = self.made.entry(request.target.clone()).or_insert_with(|| (version, make(market, query)));
        if entry.0 != version {
            *entry = (version, make(market, query));
        }
        let tag = format!("W/\"{version:x}-{}\"", entry.1.len());
        let fresh_s = (self.every_ms - now_ms % self.every_ms) / 1000;
        let reply = if request.header("if-none-match") == Some(tag.as_str()) {
            Reply { status: 304, headers: Vec::new(), body: String::new() }
        } else {
            Reply::json(200, &entry.1)
        };
        Some(reply.with("etag", tag).with("cache-control", format!("public, max-age={fresh_s}")))
    }
}

/// A symbol's id and name; those CoinGecko does not know get theirs.
fn names(symbol: &Symbol) -> (String, String, String) {
    let short = symbol.name.trim_end_matches("usdt").to_owned();
    match NAMES.iter().find(|known| known.0 == symbol.name) {
        Some((_, id, name)) => ((*id).to_owned(), short, (*name).to_owned()),
        None => (short.clone(), short.clone(), short.to_uppercase()),
    }
}

/// Coins that exist, so that a price has a market cap.
const SUPPLY: u128 = 20_000_000;

fn global(market: &Market, _query: &str) -> String {
    let cap: u128 = market.symbols().iter().map(|symbol| u128::from(symbol.day.close) * SUPPLY).sum();
    let volume: u128 = market.symbols().iter().map(|symbol| symbol.day.quote).sum();
    let updated = market.now_ms() / 1000;
    format!(
        r#"{{"data":{{"active_cryptocurrencies":17397,"upcoming_icos":0,"ongoing_icos":49,"ended_icos":3376,"markets":1476,"total_market_cap":{{"usd":{},"btc":34570737.199462704}},"total_volume":{{"usd":{}}},"market_cap_percentage":{{"btc":57.9539332566265,"eth":9.58227145398409}},"market_cap_change_percentage_24h_usd":-1.6081983639177684,"volume_change_percentage_24h_usd":33.064521460740046,"updated_at":{updated}}}}}"#,
        fixed(cap, 4),
        fixed(volume, 4)
    )
}

fn markets(market: &Market, query: &str) -> String {
    let number = |name: &str, default: usize| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|pair| pair.0 == name)
            .and_then(|pair| pair.1.parse().ok())
            .unwrap_or(default)
    };
    let (per_page, page) = (number("per_page", 100).clamp(1, 250), number("page", 1).max(1));
    let ranked = market.symbols().iter().enumerate().skip((page - 1) * per_page).take(per_page);
    let mut rows: Vec<String> = ranked
        .map(|(rank, symbol)| {
            let (id, short, name) = names(symbol);
            let day = &symbol.day;
            let price = |value: u64| fixed(value.into(), symbol.digits);
            format!(
                r#"{{"id":"{id}","symbol":"{short}","name":"{name}","image":"","current_price":{},"market_cap":{},"market_cap_rank":{},"fully_diluted_valuation":null,"total_volume":{},"high_24h":{},"low_24h":{},"price_change_24h":{},"price_change_percentage_24h":{},"circulating_supply":{SUPPLY}.0,"total_supply":{SUPPLY}.0,"max_supply":null,"roi":null,"last_updated":"2026-01-01T00:00:00.000Z"}}"#,
                price(day.close),
                fixed(u128::from(day.close) * SUPPLY, 0),
                rank + 1,
                fixed(day.quote, 0),
                price(day.high),
                price(day.low),
                crate::mock::market::number::signed(day.change(), 8),
                crate::mock::market::number::signed(day.change_percent(), 5),
            )
        })
        .collect();
    if page == 1 {
        // Symbols repeat, and prices may be missing.
        rows.push(r#"{"id":"nullcoin","symbol":"btc","name":"Same symbol, no price","image":"","current_price":null,"market_cap":null,"market_cap_rank":null,"total_volume":null,"last_updated":null}"#.to_owned());
    }
    format!("[{}]", rows.join(","))
}

fn trending(market: &Market, _query: &str) -> String {
    let rows: Vec<String> = market
        .symbols()
        .iter()
        .take(15)
        .enumerate()
        .map(|(score, symbol)| {
            let (id, short, name) = names(symbol);
            format!(
                r#"{{"item":{{"id":"{id}","coin_id":{},"name":"{name}","symbol":"{}","market_cap_rank":{},"slug":"{id}","price_btc":7.821066970851871e-11,"score":{score},"data":{{"price":{},"price_btc":"0.00000000007821066970851871","price_change_percentage_24h":{{"usd":-3.2712597351582655}},"market_cap":"$521,967,819","total_volume":"$31,701,707","content":null}}}}}}"#,
                28_600 + score,
                short.to_uppercase(),
                score + 1,
                if score == 0 { "5.938674704566297e-06".to_owned() } else { fixed(symbol.day.close.into(), symbol.digits) },
            )
        })
        .collect();
    format!(r#"{{"coins":[{}],"nfts":[],"categories":[]}}"#, rows.join(","))
}

/// What a venue of one's own might say: `/data/0/symbol`, `/data/0/price`, `/data/0/time`.
fn prices(market: &Market, _query: &str) -> String {
    let now = market.now_ms();
    let rows: Vec<String> = market
        .symbols()
        .iter()
        .map(|symbol| {
            let price = fixed(symbol.day.close.into(), symbol.digits);
            format!(r#"{{"symbol":"{}","price":{price},"time":{now}}}"#, symbol.upper)
        })
        .collect();
    format!(r#"{{"data":[{}]}}"#, rows.join(","))
}
