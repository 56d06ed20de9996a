//! What the venue's streams are called, and what it has no events for.

use crate::event::NameTemplate;
use crate::market;

#[derive(Clone, Debug)]
pub enum Names {
    Topics {
        template: NameTemplate,
        count: u32,
    },
    /// The trades of so many pairs.
    Pairs {
        count: u32,
    },
}

impl Names {
    pub fn count(&self) -> u32 {
        match self {
            Self::Topics { count, .. } | Self::Pairs { count } => *count,
        }
    }

    pub fn name(&self, topic: u32) -> String {
        match self {
            Self::Topics { template, .. } => template.name(topic),
            Self::Pairs { .. } => market::stream(topic),
        }
    }

    /// The topic of a name; `None` stays silent.
    pub fn topic(&self, name: &str) -> Option<u32> {
        let topic = match self {
            Self::Topics { template, .. } => template.topic(name),
            Self::Pairs { .. } => market::pair_of_stream(name),
        };
        topic.filter(|&topic| topic < self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what there are events for is a topic.
    #[test]
    fn topics() {
        let pairs = Names::Pairs { count: 2 };
        for (name, topic) in [("btcusdt@trade", Some(0)), ("ethusdt@trade", Some(1)), ("bnbusdt@trade", None)] {
            assert_eq!(pairs.topic(name), topic, "{name}");
        }
        assert_eq!(pairs.topic("btcusdt@bookTicker"), None);
        assert_eq!(pairs.name(1), "ethusdt@trade");
        let topics = Names::Topics { template: NameTemplate::parse("s{t}@trade").unwrap(), count: 2 };
        assert_eq!((topics.topic("s1@trade"), topics.topic("s2@trade")), (Some(1), None));
    }
}
