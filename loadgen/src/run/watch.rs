//! What the relay spends while it is watched from outside.

use crate::clock::{SECOND_NS, now_ns};
use crate::process::{Memory, Process, Times, slope};
use anyhow::Result;
use serde_json::{Value, json};

const MEGABYTE: f64 = 1024.0 * 1024.0;

/// Growth is judged after so long: buffers and allocators fill up first.
const SLOPE_FROM_S: f64 = 10.0;

pub struct Watch {
    process: Process,
    before: Memory,
    descriptors_before: usize,
    after_ramp: Memory,
    at_end: Memory,
    memory_max: u64,
    start_ns: u64,
    start: Times,
    used_ns: u64,
    /// Seconds since the start, megabytes.
    points: Vec<(f64, f64)>,
}

impl Watch {
    pub fn new(pid: u32) -> Result<Self> {
        let process = Process(pid);
        let before = process.memory()?;
        Ok(Self {
            process,
            before,
            descriptors_before: process.descriptors()?,
            after_ramp: before,
            at_end: before,
            memory_max: 0,
            start_ns: 0,
            start: process.times()?,
            used_ns: 0,
            points: Vec::new(),
        })
    }

    pub fn start(&mut self) -> Result<()> {
        self.after_ramp = self.process.memory()?;
        self.start_ns = now_ns();
        self.start = self.process.times()?;
        Ok(())
    }

    /// Called about once a second.
    pub fn sample(&mut self) -> Result<()> {
        let at = (now_ns() - self.start_ns) as f64 / SECOND_NS as f64;
        let memory = self.process.memory()?;
        self.memory_max = self.memory_max.max(memory.pss_bytes);
        self.points.push((at, memory.rss_bytes as f64 / MEGABYTE));
        Ok(())
    }

    pub fn stop(&mut self) -> Result<()> {
        self.used_ns = self.process.times()?.on_cpu_ns - self.start.on_cpu_ns;
        self.at_end = self.process.memory()?;
        Ok(())
    }

    /// Descriptors once they are back to what they were, or what is left after `patience_ns`.
    pub fn descriptors_left(&self, patience_ns: u64) -> Result<usize> {
        let end_ns = now_ns() + patience_ns;
        loop {
            let open = self.process.descriptors()?;
            if open <= self.descriptors_before || now_ns() > end_ns {
                return Ok(open);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    pub fn to_json(&self, received: u64, descriptors_after: usize) -> Value {
        let late: Vec<(f64, f64)> = self
            .points
            .iter()
            .filter(|point| point.0 >= SLOPE_FROM_S)
            .map(|&(at, megabytes)| (at / 60.0, megabytes))
            .collect();
        let memory = |memory: Memory| json!({"rss_bytes": memory.rss_bytes, "pss_bytes": memory.pss_bytes});
        let used_us = self.used_ns as f64 / 1000.0;
        json!({
            "cpu_s": self.used_ns as f64 / SECOND_NS as f64,
            "cpu_us_per_delivery": if received > 0 { Some(used_us / received as f64) } else { None },
            "memory_before": memory(self.before),
            "memory_after_ramp": memory(self.after_ramp),
            "memory_at_end": memory(self.at_end),
            "pss_bytes_max": self.memory_max,
            "rss_slope_mb_per_min": slope(&late),
            "descriptors_before": self.descriptors_before,
            "descriptors_after": descriptors_after,
        })
    }
}
