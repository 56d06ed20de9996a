//! The venue's own order: what the sources of an upstream bring is merged, and what is missing is written down.

use super::{Entry, Ingest, Link};
use crate::metrics::UpstreamMetrics;
use crate::venue::gap::{End, Extent, Gap, Gaps, Healer};
use crate::venue::merge::{Merge, Note, Source, Sources, Tally};

/// What the topics of one upstream have in common.
#[derive(Default)]
pub(super) struct Order {
    pub sources: Sources,
    pub tally: Tally,
    /// Topics that hold frames.
    pub holding: Vec<u32>,
    /// One of them is new: whoever waits for the next deadline has to look again.
    pub is_newly_held: bool,
}

impl Ingest {
    /// When a frame that is held has to be looked at.
    pub fn due_ns(&self) -> Option<u64> {
        let entry = |id: &u32| self.entries.get(*id as usize)?.as_ref()?.merge.due_ns();
        self.order.holding.iter().filter_map(entry).min()
    }

    /// Whether there is a deadline that was not there before.
    pub fn is_newly_held(&mut self) -> bool {
        std::mem::take(&mut self.order.is_newly_held)
    }

    /// Publishes what has been held for long enough.
    pub fn release_due(&mut self) {
        for id in self.order.holding.clone() {
            self.release(id);
        }
        self.flush();
    }

    /// All that comes from here on is new, whatever its numbers are: a recording begins again.
    pub fn begin_again(&mut self) {
        for id in std::mem::take(&mut self.order.holding) {
            let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::as_deref_mut) else { continue };
            let mut held = Vec::new();
            while let Some(frame) = entry.merge.poll(u64::MAX, &mut self.order.tally) {
                held.push(frame);
            }
            held.iter().for_each(|frame| self.publish(id, &frame.payload, frame.read_ns));
            self.write_down(id, None);
        }
        for entry in self.entries.iter_mut().flatten() {
            entry.merge = Merge::new(entry.merge.rule());
        }
    }

    /// Notes how a source stands; true if that is a change.
    pub fn source(&mut self, source: Source, link: Link) -> bool {
        match link {
            Link::Up => self.order.sources.up(source, self.now_ns()),
            Link::Down => self.order.sources.down(source, false),
            Link::Closed => self.order.sources.down(source, true),
        }
        let is_news = self.connection(usize::from(source.leg) << 16 | usize::from(source.conn), link);
        let of_leg = |(conn, link): &(&usize, &Link)| *conn >> 16 == usize::from(source.leg) && **link == Link::Up;
        let open = self.links.iter().filter(of_leg).count();
        if let Some(leg) = self.shared.metrics.upstreams[self.upstream].legs.get(usize::from(source.leg)) {
            leg.counters.connections.set(open as u64);
        }
        is_news
    }

    /// A frame of this topic is kept until what is missing before it has come.
    pub(super) fn hold(&mut self, id: u32) {
        if !self.order.holding.contains(&id) {
            self.order.holding.push(id);
        }
        self.order.is_newly_held = true;
    }

    /// Publishes the frames of a topic whose time has come.
    pub(super) fn release(&mut self, id: u32) {
        let now_ns = self.now_ns();
        let disorder = self.order.tally.disorder;
        let mut revived = None;
        while let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::as_deref_mut)
            && let Some(frame) = entry.merge.poll(now_ns, &mut self.order.tally)
        {
            // One that was read before the loss says nothing about what came of it.
            if entry.lost_ns.is_none_or(|lost_ns| frame.read_ns > lost_ns) {
                revived = revived.or(self.revive(id, disorder));
            }
            self.publish(id, &frame.payload, frame.read_ns);
        }
        let is_over = |entry: &Entry| entry.merge.due_ns().is_none();
        if self.entries.get(id as usize).and_then(Option::as_deref).is_none_or(is_over) {
            self.order.holding.retain(|other| *other != id);
        }
        self.write_down(id, revived);
    }

    /// The stream of a topic goes on: it is live, and its outage ends. `disorder` is what was counted before.
    pub(super) fn revive(&mut self, id: u32, disorder: u64) -> Option<Revived> {
        self.set_live(id);
        let gap = self.entry(id)?.outage.take()?;
        Some(Revived { gap, disorder })
    }

    /// Writes down what the merge found, and how the outage ended that a frame ended.
    pub(super) fn write_down(&mut self, id: u32, revived: Option<Revived>) {
        let notes = std::mem::take(&mut self.order.tally.notes);
        if notes.is_empty() && revived.is_none() {
            return;
        }
        let Some(entry) = self.entries.get(id as usize).and_then(Option::as_deref) else { return };
        let (topic, rule) = (entry.channel.name.clone(), entry.merge.rule());
        let (upstream, now_ms) = (self.upstream, self.calendar_ms());
        let mut outage = revived.as_ref().map(|revived| revived.gap);
        let mut gaps = self.gaps();
        let mut missing_gaps = 0;
        for note in notes {
            match note {
                Note::Gap { extent, leg, since_ns, healed } => {
                    let end = match healed {
                        Some(by) => End::Healed { until_ms: now_ms, by },
                        None => End::Missed { until_ms: now_ms },
                    };
                    // An outage that shows in the numbers is one gap, and has been counted when it began.
                    if healed.is_none()
                        && let Some(gap) = outage.take().and_then(|number| gaps.get_mut(number))
                    {
                        (gap.extent, gap.end) = (extent, end);
                        continue;
                    }
                    missing_gaps += u64::from(healed.is_none());
                    let since_ms = self.shared.calendar_ms(since_ns);
                    gaps.add(Gap { topic: topic.clone(), upstream, extent, leg: Some(leg), since_ms, end });
                }
                Note::CameLate { number } => gaps.came_late(upstream, &topic, number, now_ms),
                Note::Resynced => {
                    if let Some(gap) = outage.take().and_then(|number| gaps.get_mut(number)) {
                        gap.end = End::Healed { until_ms: now_ms, by: Healer::Resync };
                    }
                    gaps.resynced(upstream, &topic, now_ms);
                }
            }
        }
        if let Some(gap) = outage.and_then(|number| gaps.get_mut(number)) {
            let goes_on =
                rule.shows_holes() && revived.is_some_and(|revived| revived.disorder == self.order.tally.disorder);
            gap.end = match goes_on {
                true => End::Healed { until_ms: now_ms, by: Healer::Nothing },
                false => End::Missed { until_ms: now_ms },
            };
        }
        drop(gaps);
        self.counters().gaps_missing.add(missing_gaps);
    }

    /// A stream that was live is interrupted.
    pub(super) fn begin_outage(&mut self, id: u32, since_ns: u64) {
        let (upstream, since_ms) = (self.upstream, self.shared.calendar_ms(since_ns));
        let Some(topic) = self.entry(id).map(|entry| entry.channel.name.clone()) else { return };
        let gap = Gap { topic, upstream, extent: Extent::Unknown, leg: None, since_ms, end: End::Open };
        let number = self.gaps().add(gap);
        if let Some(entry) = self.entry(id) {
            entry.outage = Some(number);
        }
    }

    /// Nobody waits for the end of this outage any more.
    pub(super) fn end_outage(&self, number: u64) {
        let until_ms = self.calendar_ms();
        if let Some(gap) = self.gaps().get_mut(number) {
            gap.end = End::Missed { until_ms };
        }
    }

    /// Once a second.
    pub(super) fn show_tally(&self) {
        show(&self.order.tally, &self.shared.metrics.upstreams[self.upstream]);
    }

    fn gaps(&self) -> std::sync::MutexGuard<'_, Gaps> {
        self.shared.gaps.lock().expect("a panic ends the process")
    }
}

/// A topic has data again.
pub(super) struct Revived {
    /// The outage that ends.
    pub gap: u64,
    /// What had been counted before.
    pub disorder: u64,
}

fn show(tally: &Tally, metrics: &UpstreamMetrics) {
    let counters = &metrics.counters;
    for (counter, value) in [
        (&counters.duplicate, tally.duplicates),
        (&counters.out_of_date, tally.late_dropped),
        (&counters.late, tally.late_published),
        (&counters.disorder, tally.disorder),
        (&counters.held, tally.held),
        (&counters.missing, tally.missing),
    ] {
        counter.set(value);
    }
    for (leg, shown) in tally.legs.iter().zip(&metrics.legs) {
        shown.counters.wins.set(leg.wins);
        leg.lags.iter().zip(&shown.lags).for_each(|(count, counter)| counter.set(*count));
        shown.lag_ns.set(leg.lag_ns);
    }
}
