//! What the kernel knows about a process: its time, its memory, its descriptors.

use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// Time of all threads of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub on_cpu_ns: u64,
    /// Ready to run, but another process had the core.
    pub waiting_ns: u64,
}

impl Process {
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Threads that have ended are not counted: compare moments between which none ends.
    pub fn times(self) -> Result<Times> {
        let mut times = Times::default();
        let tasks = self.path("task");
        for task in fs::read_dir(&tasks).with_context(|| format!("reading {}", tasks.display()))? {
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            let mut fields = text.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
            times.on_cpu_ns += fields.next().unwrap_or(0);
            times.waiting_ns += fields.next().unwrap_or(0);
        }
        Ok(times)
    }

    pub fn memory(self) -> Result<Memory> {
        let text = self.read("smaps_rollup")?;
        let field = |name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        Ok(Memory { rss_bytes: field("Rss:"), pss_bytes: field("Pss:") })
    }

    pub fn descriptors(self) -> Result<usize> {
        let path = self.path("fd");
        Ok(fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))?.count())
    }

    fn read(self, name: &str) -> Result<String> {
        let path = self.path(name);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    }

    fn path(self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.0).into()
    }
}

/// Seconds each core was busy since the machine started, with whatever: it shows foreign load beside our own.
pub fn cores_busy_s() -> Result<Vec<f64>> {
    let ticks_per_s = rustix::param::clock_ticks_per_second() as f64;
    let text = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let cores = text.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
    Ok(cores
        .map(|line| {
            let ticks: Vec<f64> = line.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0.0)).collect();
            // user nice system (idle iowait) irq softirq steal; guests are part of user.
            let busy =
                ticks.iter().enumerate().filter(|(index, _)| !matches!(index, 3 | 4 | 8..)).map(|(_, ticks)| ticks);
            busy.sum::<f64>() / ticks_per_s
        })
        .collect())
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub rss_bytes: u64,
    pub pss_bytes: u64,
}

/// The growth per unit of x, by least squares; `None` for fewer than three points.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 3 {
        return None;
    }
    let count = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let joint: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (spread > 0.0).then(|| joint / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line has its own slope, whatever it starts from.
    #[test]
    fn slopes() {
        assert_eq!(slope(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]), Some(2.0));
        assert_eq!(slope(&[(0.0, 5.0), (1.0, 7.0)]), None);
        assert_eq!(slope(&[(1.0, 5.0), (1.0, 7.0), (1.0, 6.0)]), None);
    }

    /// A process can read itself.
    #[test]
    fn own() {
        let own = Process::own();
        assert!(own.times().unwrap().on_cpu_ns > 0);
        assert!(own.memory().unwrap().pss_bytes > 0);
        assert!(own.descriptors().unwrap() > 2);
    }
}
