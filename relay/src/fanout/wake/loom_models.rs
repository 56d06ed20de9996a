//! The wake-up protocol under every interleaving, and the mutants that must lose a wake-up.
//!
//! A head that only counts stands for the log, a token for tokio's `Notify`.

use super::*;
use crate::sync::{Arc, atomic::AtomicUsize};
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The channels of the frames published. A lost append needs two on one channel, a lost push a second channel.
const FRAMES: [usize; 3] = [0, 0, 1];
const SEEN: [usize; 2] = [2, 1];

/// The order of the publisher's steps.
#[derive(Clone, Copy)]
enum Publish {
    PostThenRing,
    RingThenPost,
}

/// How the shard clears a flag.
#[derive(Clone, Copy)]
enum Clear {
    Swap,
    Store,
}

/// When the shard loads the head.
#[derive(Clone, Copy)]
enum LoadHead {
    AfterClear,
    BeforeClear,
}

#[derive(Clone, Copy)]
struct Protocol {
    publish: Publish,
    clear_shard: Clear,
    clear_channel: Clear,
    load_head: LoadHead,
}

const OURS: Protocol = Protocol {
    publish: Publish::PostThenRing,
    clear_shard: Clear::Swap,
    clear_channel: Clear::Swap,
    load_head: LoadHead::AfterClear,
};

struct World {
    protocol: Protocol,
    heads: [AtomicUsize; 2],
    flags: [Flag; 2],
    bell: Doorbell,
    is_notified: AtomicBool,
}

impl World {
    fn publish(&self, channel: usize) {
        // Only this thread writes it.
        let head = self.heads[channel].load(Relaxed) + 1;
        self.heads[channel].store(head, Release);
        let post = || self.bell.post(&self.flags[channel], channel as u32);
        match self.protocol.publish {
            Publish::PostThenRing => {
                post();
                self.ring();
            }
            Publish::RingThenPost => {
                self.ring();
                post();
            }
        }
    }

    fn ring(&self) {
        if self.bell.ring() {
            // Not a store: loom lets an earlier swap of the shard overwrite it.
            self.is_notified.swap(true, AcqRel);
        }
    }

    /// One turn, if the shard was notified. Whether it was.
    fn turn(&self, seen: &mut [usize; 2]) -> bool {
        if !self.is_notified.swap(false, AcqRel) {
            return false;
        }
        match self.protocol.clear_shard {
            Clear::Swap => self.bell.answer(),
            Clear::Store => self.bell.is_rung.store(false, Release),
        }
        while let Some(channel) = self.bell.pop() {
            let channel = channel as usize;
            let load = || self.heads[channel].load(Acquire);
            seen[channel] = match self.protocol.load_head {
                LoadHead::AfterClear => {
                    self.clear_channel(channel);
                    load()
                }
                LoadHead::BeforeClear => {
                    let head = load();
                    self.clear_channel(channel);
                    head
                }
            };
        }
        true
    }

    fn clear_channel(&self, channel: usize) {
        match self.protocol.clear_channel {
            Clear::Swap => {
                self.flags[channel].take();
            }
            Clear::Store => self.flags[channel].0.store(false, Release),
        }
    }
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(5);
    builder.check(model);
}

/// A publisher against a shard that takes turns meanwhile. In the end every wake-up that was given is taken, and
/// then the shard must have seen all frames: otherwise it would sleep on them.
fn check_wake_ups(protocol: Protocol) {
    explore(move || {
        let world = Arc::new(World {
            protocol,
            heads: [AtomicUsize::new(0), AtomicUsize::new(0)],
            flags: [Flag::new(), Flag::new()],
            bell: Doorbell::new(),
            is_notified: AtomicBool::new(false),
        });
        let publisher = {
            let world = Arc::clone(&world);
            thread::spawn(move || FRAMES.map(|channel| world.publish(channel)))
        };
        let mut seen = [0; 2];
        for _ in 0..2 {
            world.turn(&mut seen);
            thread::yield_now();
        }
        publisher.join().expect("the publisher does not panic");
        while world.turn(&mut seen) {}
        assert_eq!(seen, SEEN, "a wake-up was lost");
    });
}

/// The model must fail, and for the right reason.
fn check_found(message: &str, model: impl FnOnce()) {
    let failure = catch_unwind(AssertUnwindSafe(model)).expect_err("the model misses the mutant");
    let text = match failure.downcast_ref::<String>() {
        Some(text) => text.as_str(),
        None => failure.downcast_ref::<&str>().expect("a panic has a text"),
    };
    assert!(text.contains(message), "it failed for another reason: {text}");
}

fn check_mutant(mutant: Protocol) {
    check_found("a wake-up was lost", || check_wake_ups(mutant));
}

#[test]
fn no_wake_up_is_lost() {
    check_wake_ups(OURS);
}

#[test]
fn clearing_the_shards_flag_by_a_store_is_found() {
    check_mutant(Protocol { clear_shard: Clear::Store, ..OURS });
}

#[test]
fn clearing_the_channels_flag_by_a_store_is_found() {
    check_mutant(Protocol { clear_channel: Clear::Store, ..OURS });
}

#[test]
fn loading_the_head_before_the_clear_is_found() {
    check_mutant(Protocol { load_head: LoadHead::BeforeClear, ..OURS });
}

#[test]
fn ringing_before_the_push_is_found() {
    check_mutant(Protocol { publish: Publish::RingThenPost, ..OURS });
}

#[derive(Clone, Copy, PartialEq)]
enum Fences {
    Both,
    PublisherOnly,
    SubscriberOnly,
}

/// One frame against one subscription: the subscriber starts behind it, or is told of it.
fn check_subscription(fences: Fences) {
    explore(move || {
        let interest = Arc::new(Interest::new());
        let head = Arc::new(AtomicUsize::new(0));
        let publisher = {
            let (interest, head) = (Arc::clone(&interest), Arc::clone(&head));
            thread::spawn(move || {
                head.store(1, Release);
                match fences {
                    Fences::SubscriberOnly => interest.0.load(Acquire),
                    _ => interest.mask(),
                }
            })
        };
        match fences {
            Fences::PublisherOnly => {
                interest.0.fetch_or(bit(5), AcqRel);
            }
            _ => interest.add(5),
        }
        let position = head.load(Acquire);
        let mask = publisher.join().expect("the publisher does not panic");
        assert!(position == 1 || mask == bit(5), "the subscriber stands before a frame nobody tells it of");
    });
}

#[test]
fn a_subscription_sees_the_frame_or_is_told_of_it() {
    check_subscription(Fences::Both);
}

#[test]
fn a_missing_fence_is_found() {
    for fences in [Fences::PublisherOnly, Fences::SubscriberOnly] {
        check_found("a frame nobody tells it of", || check_subscription(fences));
    }
}

/// The whole path: a log, a shard that subscribes while its publisher appends, and every frame from there on.
#[test]
fn a_subscriber_that_races_with_the_publisher_reads_every_frame_from_its_position_on() {
    use crate::fanout::{
        kind::Kind,
        log::{Budget, log},
    };
    explore(|| {
        let (mut appender, log) = log(Kind::Event, std::sync::Arc::new(Budget::new(1 << 20)));
        let world = Arc::new((Interest::new(), Flag::new(), Doorbell::new()));
        let publisher = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                let (interest, flag, bell) = &*world;
                for frame in 0..2u8 {
                    appender.append(&[frame], 0);
                    if interest.mask() != 0 {
                        bell.post(flag, 0);
                    }
                }
            })
        };
        let (interest, flag, bell) = &*world;
        interest.add(0);
        let mut position = log.subscribe_position();
        let mut read = || {
            while bell.pop().is_some() {
                flag.take();
                let head = log.head();
                let mut cursor = log.cursor(position).expect("nothing is trimmed");
                while let Some(record) = cursor.next() {
                    assert_eq!(record.payload, [record.seq as u8]);
                }
                position = cursor.position();
                assert!(position >= head, "what the head promises is readable");
            }
            position
        };
        read();
        publisher.join().expect("the publisher does not panic");
        assert_eq!(read(), 2, "a frame was never announced");
    });
}
