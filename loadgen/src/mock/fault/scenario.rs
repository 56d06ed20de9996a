//! A file that schedules faults:
//!
//! ```toml
//! seed = 7
//! random = { every = "10s", kinds = ["cut", "drop-frames"] }
//!
//! [[fault]]
//! at = "5s"
//! kind = "half-open"
//! for = "5s"
//! ```

use super::Fault;
use crate::mock::market::random::Random;
use crate::mock::span;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

#[derive(Debug, Default)]
pub struct Scenario {
    /// Those still to come, the next one last.
    planned: Vec<(u64, Fault)>,
    random: Option<Chance>,
    pub seed: Option<u64>,
}

#[derive(Debug)]
struct Chance {
    every_ms: u64,
    next_ms: u64,
    kinds: Vec<Value>,
}

/// How long a random fault lasts that would otherwise never end.
const RANDOM_FOR: &str = "3s";

impl Scenario {
    pub fn parse(text: &str) -> Result<Self> {
        let file: Value = toml::from_str(text).context("the scenario is not TOML")?;
        let mut scenario = Self::default();
        for (key, value) in file.as_object().into_iter().flatten() {
            match key.as_str() {
                "seed" => scenario.seed = Some(value.as_u64().context("seed must be a whole number")?),
                "random" => scenario.random = Some(Chance::parse(value).context("random")?),
                "fault" => {
                    for (index, fault) in value.as_array().context("fault must be a list")?.iter().enumerate() {
                        let planned = planned(fault).with_context(|| format!("fault {}", index + 1))?;
                        scenario.planned.push(planned);
                    }
                }
                other => bail!("'{other}' is none of seed, random, fault"),
            }
        }
        scenario.planned.sort_by_key(|planned| std::cmp::Reverse(planned.0));
        Ok(scenario)
    }

    /// Whether the venue can do all of it.
    pub fn check(&self, suits: impl Fn(&Fault) -> Result<()>) -> Result<()> {
        self.planned.iter().try_for_each(|planned| suits(&planned.1))?;
        let random = self.random.iter().flat_map(|chance| &chance.kinds);
        random.map(Fault::parse).try_for_each(|fault| suits(&fault?))
    }

    /// What is due, given how long the venue has run.
    pub fn due(&mut self, elapsed_ms: u64, random: &mut Random) -> Vec<Fault> {
        let mut due = Vec::new();
        while self.planned.last().is_some_and(|planned| planned.0 <= elapsed_ms) {
            due.extend(self.planned.pop().map(|planned| planned.1));
        }
        if let Some(chance) = &mut self.random {
            while chance.next_ms <= elapsed_ms {
                chance.next_ms += chance.every_ms;
                let asked = &chance.kinds[random.below(chance.kinds.len() as u64) as usize];
                due.push(Fault::parse(asked).expect("it was parsed when the file was read"));
            }
        }
        due
    }
}

fn planned(fault: &Value) -> Result<(u64, Fault)> {
    let mut fault = fault.clone();
    let at = fault.as_object_mut().and_then(|fields| fields.remove("at")).context("`at` is missing")?;
    let at_ms = span::parse_ms(at.as_str().context("`at` must be a text")?)?;
    Ok((at_ms, Fault::parse(&fault)?))
}

impl Chance {
    fn parse(value: &Value) -> Result<Self> {
        let every = value["every"].as_str().context("`every` must be a time")?;
        let every_ms = span::parse_ms(every)?;
        ensure!(every_ms > 0, "`every` must be above 0");
        let mut kinds = Vec::new();
        for kind in value["kinds"].as_array().context("`kinds` must be a list")? {
            // A name alone, or a whole fault.
            let mut asked = if kind.is_string() { json!({ "kind": kind }) } else { kind.clone() };
            let fault = Fault::parse(&asked)?;
            let ends = fault.is_momentary() || fault.for_ms.is_some() || fault.count.is_some();
            if !ends && let Some(fields) = asked.as_object_mut() {
                fields.insert("for".to_owned(), RANDOM_FOR.into());
            }
            kinds.push(asked);
        }
        ensure!(!kinds.is_empty(), "`kinds` is empty");
        if let Some(key) =
            value.as_object().into_iter().flatten().map(|field| field.0).find(|key| *key != "every" && *key != "kinds")
        {
            bail!("'{key}' is none of every, kinds");
        }
        Ok(Self { every_ms, next_ms: every_ms, kinds })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    /// Faults come when they are due, whatever their order in the file, and the same ones for the same seed.
    #[test]
    fn schedule() {
        let text = r#"
            seed = 7
            random = { every = "10s", kinds = ["cut", "stall", { kind = "close", code = 1012 }] }
            [[fault]]
            at = "8s"
            kind = "restart"
            [[fault]]
            at = "2s"
            kind = "drop-frames"
            streams = ["*@trade"]
            count = 3
        "#;
        let run = || {
            let mut scenario = Scenario::parse(text).unwrap();
            assert_eq!(scenario.seed, Some(7));
            let mut random = Random::new(7, "scenario");
            let mut kinds = Vec::new();
            for elapsed in (0..60_000).step_by(500) {
                kinds.extend(scenario.due(elapsed, &mut random).into_iter().map(|fault| (elapsed, fault.kind)));
            }
            kinds
        };
        let kinds = run();
        assert_eq!(kinds[..2], [(2000, Kind::DropFrames), (8000, Kind::Restart)]);
        assert_eq!(kinds.len(), 7);
        assert_eq!(kinds, run());
    }

    /// A mistake in the file is named.
    #[test]
    fn mistakes() {
        for (text, reason) in [
            ("x = 1", "none of seed, random, fault"),
            ("[[fault]]\nkind = \"cut\"", "`at` is missing"),
            ("[[fault]]\nat = \"1s\"\nkind = \"x\"", "fault 1"),
            ("random = { every = \"1s\", kinds = [] }", "empty"),
            ("random = { every = \"1s\", kinds = [\"cut\"], seed = 1 }", "'seed'"),
            ("=", "not TOML"),
        ] {
            let error = format!("{:#}", Scenario::parse(text).unwrap_err());
            assert!(error.contains(reason), "{error}");
        }
    }
}
