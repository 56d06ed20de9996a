//! Which request goes out when.

use super::{Change, Condition, Effect, Flight, Now, Poller, Request};

/// A subject that is due within this part of its interval travels with those that are due now.
const COMPANION_PART: u64 = 4;

impl Poller {
    /// Decides what is due. Call it after inputs and at `next_due`, then drain `poll`.
    pub fn tick(&mut self, now: Now) {
        self.expire(now.ms);
        self.held_until_ms = 0;
        while self.flights.len() < self.settings.in_flight_max && self.closed_until_ms <= now.ms {
            let Some(group) = self.next_group(now.ms) else { break };
            if !self.send(group, now) {
                break;
            }
        }
        self.tell_interval();
    }

    /// When `tick` has something to do next; `u64::MAX` when only an input can change anything.
    pub fn next_due(&self) -> u64 {
        let permille = self.stretch_permille();
        let deadline = |name: &str, subject: &super::Subject| {
            let stale_ms = match subject.is_wanted() && !subject.is_stale {
                true => subject.heard_ms + self.settings.stale_ms(name, permille),
                false => u64::MAX,
            };
            subject.linger_end_ms(self.settings.linger_ms).min(stale_ms)
        };
        let quiet = self.subjects.iter().map(|(name, subject)| deadline(name, subject)).min().unwrap_or(u64::MAX);
        if self.flights.len() >= self.settings.in_flight_max {
            return quiet;
        }
        let idle = self.subjects.values().filter(|subject| subject.is_wanted() && !subject.is_busy);
        let due = idle.map(|subject| subject.due_ms).min().unwrap_or(u64::MAX);
        let due = if self.again.is_empty() { due } else { 0 };
        match due {
            u64::MAX => quiet,
            due => quiet.min(due.max(self.closed_until_ms).max(self.held_until_ms)),
        }
    }

    /// Ends lingers, and finds out what is stale.
    fn expire(&mut self, now_ms: u64) {
        let permille = self.stretch_permille();
        let (settings, effects) = (&self.settings, &mut self.effects);
        self.subjects.retain(|name, subject| {
            let is_over = |since: u64| now_ms >= since + settings.linger_ms;
            for stream in subject.streams.extract_if(.., |stream| stream.unwanted_ms.is_some_and(is_over)) {
                effects.push_back(Effect::Released { stream: stream.name });
            }
            if subject.is_wanted()
                && !subject.is_stale
                && now_ms >= subject.heard_ms + settings.stale_ms(name, permille)
            {
                subject.is_stale = true;
                let streams = subject.streams.iter().map(|stream| Effect::Stale { stream: stream.name.clone() });
                effects.extend(streams);
            }
            !subject.streams.is_empty()
        });
    }

    /// What the next request asks for.
    fn next_group(&mut self, now_ms: u64) -> Option<Vec<Box<str>>> {
        while let Some(mut half) = self.again.pop_front() {
            half.retain(|name| {
                self.subjects.get_mut(name).is_some_and(|subject| {
                    subject.is_busy = subject.is_wanted();
                    subject.is_busy
                })
            });
            if !half.is_empty() {
                return Some(half);
            }
        }
        let idle = || self.subjects.iter().filter(|(_, subject)| subject.is_wanted() && !subject.is_busy);
        let due = idle().filter(|(_, subject)| subject.due_ms <= now_ms);
        let (first, lead) = due.min_by_key(|(_, subject)| (!subject.is_fresh, subject.due_ms))?;
        let batch_max = self.settings.format.batch_max();
        if batch_max == 1 {
            return Some(vec![first.clone()]);
        }
        // One that the source may not know must not take others down with it; where all there is comes with every
        // answer it cannot.
        let is_shared = self.settings.format.is_shared();
        let early_ms = now_ms + self.interval_ms(first, self.stretch_permille()) / COMPANION_PART;
        let fits =
            |subject: &super::Subject| is_shared || (subject.is_known == lead.is_known && subject.due_ms <= early_ms);
        let mut group: Vec<_> = idle().filter(|(_, subject)| fits(subject)).collect();
        group.sort_by_key(|(_, subject)| (!subject.is_fresh, subject.due_ms));
        Some(group.into_iter().take(batch_max).map(|(name, _)| name.clone()).collect())
    }

    /// False if a limit of ours does not let it go now.
    fn send(&mut self, group: Vec<Box<str>>, now: Now) -> bool {
        let weight = self.settings.format.weight(&group);
        let weight_ms = self.weight.as_mut().map_or(0, |budget| budget.wait_ms(weight, now.calendar_ms));
        let month_ms = self.allowance.as_ref().map_or(0, |allowance| allowance.wait_ms(now.ms));
        if weight_ms.max(month_ms) > 0 {
            self.held_until_ms = now.ms + weight_ms.max(month_ms);
            let is_half = group.iter().any(|name| self.subjects.get(name).is_some_and(|subject| subject.is_busy));
            if is_half {
                self.again.push_front(group);
            }
            if weight_ms > 0 {
                let used = self.weight.as_ref().map_or(0, |budget| budget.used());
                self.change(Condition::Weighted, || Change::Weighted { used, wait_ms: weight_ms });
            }
            return false;
        }
        if let Some(budget) = &mut self.weight {
            budget.take(weight, now.calendar_ms);
        }
        if let Some(allowance) = &mut self.allowance {
            allowance.take(now.ms);
        }
        for name in &group {
            if let Some(subject) = self.subjects.get_mut(name) {
                subject.is_busy = true;
                // Unless it is wanted anew meanwhile, the answer says when it is due.
                subject.due_ms = u64::MAX;
            }
        }
        let path = self.settings.format.path(&self.base, &group);
        let request = Request {
            id: self.next_id,
            headers: self.cache.conditions(&path),
            path: path.clone(),
            subjects: group.clone(),
        };
        self.next_id += 1;
        self.flights.insert(request.id, Flight { subjects: group, path, weight, sent_ms: now.ms });
        self.effects.push_back(Effect::Fetch(request));
        true
    }

    /// The interval of a subject, stretched if the month's requests demand it.
    pub(super) fn interval_ms(&self, subject: &str, permille: u64) -> u64 {
        self.settings.stretched(subject, self.settings.interval_ms, permille)
    }

    /// How much longer than configured intervals are, so that what is wanted now could go on like this for ever.
    pub(super) fn stretch_permille(&self) -> u64 {
        let Some(allowance) = &self.allowance else { return 1000 };
        let wanted: Vec<_> = self.subjects.iter().filter(|(_, subject)| subject.is_wanted()).collect();
        let batch = self.settings.format.batch_max().min(wanted.len()).max(1) as u128;
        let share = |name: &str| {
            let interval_ms = self.settings.format.interval_ms(name, self.settings.interval_ms).max(1);
            u128::from(allowance.pace_ms()) * 1_000_000 / u128::from(interval_ms) / batch
        };
        let permille = wanted.iter().map(|(name, _)| share(name)).sum::<u128>().div_ceil(1000);
        u64::try_from(permille).unwrap_or(u64::MAX).max(1000)
    }

    fn tell_interval(&mut self) {
        let permille = u128::from(self.stretch_permille());
        let interval_ms = (u128::from(self.settings.interval_ms) * permille / 1000) as u64;
        if interval_ms > self.stretched_ms {
            self.effects.push_back(Effect::Changed(Change::Stretched { interval_ms }));
        }
        self.stretched_ms = interval_ms;
    }
}
