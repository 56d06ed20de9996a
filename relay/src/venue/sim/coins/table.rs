//! The coins: names as CoinGecko has them, supplies and prices about right.

/// One row of the table.
#[derive(Debug)]
pub struct Coin {
    pub id: &'static str,
    /// In lower case.
    pub symbol: &'static str,
    pub name: &'static str,
    /// Coins in circulation.
    pub supply: i64,
    /// How many there can ever be, where that is known.
    pub supply_max: Option<i64>,
    pub origin: Origin,
}

/// Where a coin's price comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The last trade of the pair at this place in the table of instruments.
    Pair(usize),
    /// One of its own: around `level` in 10^-digits, a year's moves in thousandths.
    Own { level: i64, digits: u32, volatility: i64 },
}

const STABLE: i64 = 3;
const CALM: i64 = 500;
const WILD: i64 = 800;

#[rustfmt::skip]
pub const COINS: [Coin; 100] = [
    pair(0, "bitcoin", "btc", "Bitcoin", 19_960_000, Some(21_000_000)),
    pair(1, "ethereum", "eth", "Ethereum", 120_690_000, None),
    pair(2, "solana", "sol", "Solana", 559_000_000, None),
    pair(3, "binancecoin", "bnb", "BNB", 137_740_000, Some(200_000_000)),
    pair(4, "ripple", "xrp", "XRP", 60_330_000_000, Some(100_000_000_000)),
    pair(5, "dogecoin", "doge", "Dogecoin", 161_300_000_000, None),
    pair(6, "cardano", "ada", "Cardano", 36_570_000_000, Some(45_000_000_000)),
    pair(7, "tron", "trx", "TRON", 94_680_000_000, None),
    pair(8, "avalanche-2", "avax", "Avalanche", 429_000_000, Some(720_000_000)),
    pair(9, "chainlink", "link", "Chainlink", 696_800_000, Some(1_000_000_000)),
    pair(10, "polkadot", "dot", "Polkadot", 1_637_000_000, None),
    pair(11, "litecoin", "ltc", "Litecoin", 76_640_000, Some(84_000_000)),
    pair(12, "bitcoin-cash", "bch", "Bitcoin Cash", 19_970_000, Some(21_000_000)),
    pair(13, "uniswap", "uni", "Uniswap", 630_300_000, Some(1_000_000_000)),
    pair(14, "cosmos", "atom", "Cosmos Hub", 478_000_000, None),
    pair(15, "near", "near", "NEAR Protocol", 1_277_000_000, None),
    pair(16, "stellar", "xlm", "Stellar", 32_330_000_000, Some(50_001_806_812)),
    pair(17, "aptos", "apt", "Aptos", 735_000_000, None),
    pair(18, "filecoin", "fil", "Filecoin", 716_000_000, Some(1_960_000_000)),
    pair(19, "shiba-inu", "shib", "Shiba Inu", 589_200_000_000_000, Some(589_500_000_000_000)),
    own("tether", "usdt", "Tether", 185_600_000_000, None, 1_000_000, 6, STABLE),
    own("usd-coin", "usdc", "USDC", 78_100_000_000, None, 1_000_000, 6, STABLE),
    own("ethena-usde", "usde", "Ethena USDe", 6_800_000_000, None, 1_000_000, 6, STABLE),
    own("dai", "dai", "Dai", 4_480_000_000, None, 1_000_000, 6, STABLE),
    own("paypal-usd", "pyusd", "PayPal USD", 3_850_000_000, None, 1_000_000, 6, STABLE),
    own("first-digital-usd", "fdusd", "First Digital USD", 920_000_000, None, 1_000_000, 6, STABLE),
    own("true-usd", "tusd", "TrueUSD", 494_000_000, None, 1_000_000, 6, STABLE),
    own("hyperliquid", "hype", "Hyperliquid", 270_700_000, Some(1_000_000_000), 2_950, 2, WILD),
    own("leo-token", "leo", "LEO Token", 921_000_000, None, 9_200, 3, CALM),
    own("monero", "xmr", "Monero", 18_440_000, None, 39_500, 2, CALM),
    own("sui", "sui", "Sui", 3_736_000_000, Some(10_000_000_000), 16_100, 4, WILD),
    own("hedera-hashgraph", "hbar", "Hedera", 42_470_000_000, Some(50_000_000_000), 133_000, 6, WILD),
    own("the-open-network", "ton", "Toncoin", 2_440_000_000, None, 16_200, 4, WILD),
    own("zcash", "zec", "Zcash", 16_450_000, Some(21_000_000), 38_900, 2, WILD),
    own("mantle", "mnt", "Mantle", 3_252_000_000, Some(6_219_316_794), 11_100, 4, WILD),
    own("cronos", "cro", "Cronos", 38_060_000_000, None, 103_000, 6, WILD),
    own("bittensor", "tao", "Bittensor", 10_480_000, Some(21_000_000), 28_900, 2, WILD),
    own("bitget-token", "bgb", "Bitget Token", 699_900_000, Some(2_000_000_000), 3_620, 3, CALM),
    own("okb", "okb", "OKB", 21_000_000, Some(21_000_000), 10_900, 2, CALM),
    own("aave", "aave", "Aave", 15_280_000, Some(16_000_000), 18_600, 2, WILD),
    own("internet-computer", "icp", "Internet Computer", 543_000_000, None, 3_480, 3, WILD),
    own("ethereum-classic", "etc", "Ethereum Classic", 154_300_000, Some(210_700_000), 1_330, 2, CALM),
    own("pepe", "pepe", "Pepe", 420_690_000_000_000, Some(420_690_000_000_000), 46_000, 10, WILD),
    own("kaspa", "kas", "Kaspa", 27_040_000_000, Some(28_704_026_601), 49_000, 6, WILD),
    own("ondo-finance", "ondo", "Ondo", 3_159_000_000, Some(10_000_000_000), 478_000, 6, WILD),
    own("worldcoin-wld", "wld", "Worldcoin", 2_370_000_000, Some(10_000_000_000), 611_000, 6, WILD),
    own("polygon-ecosystem-token", "pol", "POL", 10_550_000_000, None, 129_000, 6, WILD),
    own("ethena", "ena", "Ethena", 7_500_000_000, Some(15_000_000_000), 262_000, 6, WILD),
    own("arbitrum", "arb", "Arbitrum", 5_660_000_000, Some(10_000_000_000), 213_000, 6, WILD),
    own("official-trump", "trump", "Official Trump", 199_999_000, Some(999_999_000), 5_760, 3, WILD),
    own("vechain", "vet", "VeChain", 85_980_000_000, Some(86_712_634_466), 129_000, 7, WILD),
    own("algorand", "algo", "Algorand", 8_830_000_000, Some(10_000_000_000), 134_000, 6, WILD),
    own("quant-network", "qnt", "Quant", 14_540_000, Some(14_881_364), 8_900, 2, CALM),
    own("kucoin-shares", "kcs", "KuCoin", 129_900_000, None, 10_800, 3, CALM),
    own("flare-networks", "flr", "Flare", 79_800_000_000, None, 138_000, 7, WILD),
    own("render-token", "render", "Render", 518_600_000, Some(644_168_762), 1_690, 3, WILD),
    own("sei-network", "sei", "Sei", 6_490_000_000, Some(10_000_000_000), 137_000, 6, WILD),
    own("gatechain-token", "gt", "Gate", 116_900_000, None, 10_300, 3, CALM),
    own("nexo", "nexo", "NEXO", 646_100_000, Some(1_000_000_000), 97_000, 5, CALM),
    own("bonk", "bonk", "Bonk", 82_960_000_000_000, Some(87_994_739_000_000), 95_000, 10, WILD),
    own("story-2", "ip", "Story", 336_000_000, None, 2_290, 3, WILD),
    own("jupiter-exchange-solana", "jup", "Jupiter", 3_180_000_000, Some(6_863_978_000), 228_000, 6, WILD),
    own("pancakeswap-token", "cake", "PancakeSwap", 334_500_000, Some(450_000_000), 2_290, 3, WILD),
    own("optimism", "op", "Optimism", 1_900_000_000, None, 312_000, 6, WILD),
    own("immutable-x", "imx", "Immutable", 824_000_000, Some(2_000_000_000), 284_000, 6, WILD),
    own("curve-dao-token", "crv", "Curve DAO", 1_430_000_000, Some(3_030_303_030), 389_000, 6, WILD),
    own("injective-protocol", "inj", "Injective", 99_970_000, None, 5_560, 3, WILD),
    own("lido-dao", "ldo", "Lido DAO", 894_000_000, Some(1_000_000_000), 590_000, 6, WILD),
    own("celestia", "tia", "Celestia", 850_000_000, None, 581_000, 6, WILD),
    own("blockstack", "stx", "Stacks", 1_810_000_000, Some(1_818_000_000), 304_000, 6, WILD),
    own("fetch-ai", "fet", "Artificial Superintelligence Alliance", 2_310_000_000, Some(2_714_493_896), 238_000, 6, WILD),
    own("spx6900", "spx", "SPX6900", 930_990_000, Some(1_000_000_000), 621_000, 6, WILD),
    own("tezos", "xtz", "Tezos", 1_066_000_000, None, 489_000, 6, WILD),
    own("virtual-protocol", "virtual", "Virtuals Protocol", 655_800_000, Some(1_000_000_000), 812_000, 6, WILD),
    own("the-graph", "grt", "The Graph", 10_620_000_000, None, 461_000, 7, WILD),
    own("floki", "floki", "FLOKI", 9_650_000_000_000, Some(10_000_000_000_000), 471_000, 10, WILD),
    own("dash", "dash", "Dash", 12_530_000, Some(18_900_000), 4_730, 2, WILD),
    own("pyth-network", "pyth", "Pyth Network", 5_750_000_000, Some(10_000_000_000), 704_000, 7, WILD),
    own("ecash", "xec", "eCash", 19_960_000_000_000, Some(21_000_000_000_000), 121_000, 10, WILD),
    own("starknet", "strk", "Starknet", 4_680_000_000, Some(10_000_000_000), 112_000, 6, WILD),
    own("helium", "hnt", "Helium", 186_200_000, Some(223_000_000), 1_920, 3, WILD),
    own("iota", "iota", "IOTA", 4_160_000_000, Some(4_600_000_000), 102_000, 6, WILD),
    own("dogwifcoin", "wif", "dogwifhat", 998_800_000, Some(998_926_392), 378_000, 6, WILD),
    own("conflux-token", "cfx", "Conflux", 5_150_000_000, None, 728_000, 7, WILD),
    own("theta-token", "theta", "Theta Network", 1_000_000_000, Some(1_000_000_000), 330_000, 6, WILD),
    own("the-sandbox", "sand", "The Sandbox", 2_620_000_000, Some(3_000_000_000), 141_000, 6, WILD),
    own("fartcoin", "fartcoin", "Fartcoin", 999_960_000, Some(1_000_000_000), 361_000, 6, WILD),
    own("gala", "gala", "GALA", 46_770_000_000, Some(50_000_000_000), 707_000, 8, WILD),
    own("raydium", "ray", "Raydium", 268_600_000, Some(555_000_000), 1_150, 3, WILD),
    own("decentraland", "mana", "Decentraland", 1_920_000_000, None, 152_000, 6, WILD),
    own("pendle", "pendle", "Pendle", 164_000_000, Some(281_527_448), 2_190, 3, WILD),
    own("flow", "flow", "Flow", 1_620_000_000, None, 221_000, 6, WILD),
    own("neo", "neo", "NEO", 70_530_000, Some(100_000_000), 4_050, 3, WILD),
    own("compound-governance-token", "comp", "Compound", 9_670_000, Some(10_000_000), 2_810, 2, WILD),
    own("arweave", "ar", "Arweave", 65_650_000, Some(66_000_000), 4_060, 3, WILD),
    own("axie-infinity", "axs", "Axie Infinity", 167_200_000, Some(270_000_000), 962_000, 6, WILD),
    own("thorchain", "rune", "THORChain", 351_400_000, Some(425_000_000), 634_000, 6, WILD),
    own("elrond-erd-2", "egld", "MultiversX", 28_900_000, None, 7_920, 3, WILD),
    own("mina-protocol", "mina", "Mina Protocol", 1_260_000_000, None, 856_000, 7, WILD),
    own("brett", "brett", "Brett", 9_910_000_000, Some(9_999_998_988), 154_000, 7, WILD),
];

const fn pair(
    pair: usize,
    id: &'static str,
    symbol: &'static str,
    name: &'static str,
    supply: i64,
    supply_max: Option<i64>,
) -> Coin {
    Coin { id, symbol, name, supply, supply_max, origin: Origin::Pair(pair) }
}

#[allow(clippy::too_many_arguments)] // the columns of the table above
const fn own(
    id: &'static str,
    symbol: &'static str,
    name: &'static str,
    supply: i64,
    supply_max: Option<i64>,
    level: i64,
    digits: u32,
    volatility: i64,
) -> Coin {
    assert!(level >= 1_000 && digits <= 18, "enough digits to move, and few enough to divide by");
    Coin { id, symbol, name, supply, supply_max, origin: Origin::Own { level, digits, volatility } }
}
