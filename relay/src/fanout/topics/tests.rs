//! The table of topics, without upstreams or shards.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn topics(slots: usize, unproven: usize) -> (Topics, std::sync::Arc<AtomicUsize>) {
    let wants = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = wants.clone();
    let tell = move |_, demand| {
        if let Demand::Want { .. } = demand {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    };
    let bounds = Bounds { shards: 2, topics_max: 100, unproven_per_client: 3 };
    let route = |name: &str| if name.starts_with('x') { Routed::Nowhere } else { Routed::To(0) };
    let capacity = vec![Capacity { slots, unproven }];
    (Topics::new(bounds, Arc::new(Budget::new(1 << 20)), capacity, Box::new(route), Box::new(tell)), wants)
}

fn id(topics: &Topics, name: &str, client: u8) -> Result<u32, Refused> {
    let wanted = Wanted {
        name,
        kind: Kind::Event,
        dialect: Dialect::Stream,
        dead: false,
        client: Some(IpKey::from(std::net::IpAddr::from([10, 0, 0, client]))),
    };
    topics.subscribe(wanted, 0).map(|channel| channel.id)
}

/// One client's invented names stop at its own bound, all invented names at the upstream's.
#[test]
fn invented_names_are_bounded() {
    let (topics, _) = topics(10, 5);
    for name in ["a", "b", "c"] {
        id(&topics, name, 1).unwrap();
    }
    assert_eq!(id(&topics, "d", 1), Err(Refused::TooManyUnproven));
    id(&topics, "e", 2).unwrap();
    id(&topics, "f", 2).unwrap();
    assert_eq!(id(&topics, "g", 2), Err(Refused::UpstreamFull));
    // Data frees the credit, and the name stays good after it was let go.
    let a = id(&topics, "a", 3).unwrap();
    topics.prove(a);
    id(&topics, "d", 1).unwrap();
    topics.release(a, 0);
    assert!(topics.let_go(a));
    assert_eq!(topics.census().unproven, 5);
    id(&topics, "a", 1).unwrap();
}

/// A slot is held from the first want to the moment the upstream let go, and then is free again.
#[test]
fn slots_come_back() {
    let (topics, wants) = topics(2, 2);
    let a = id(&topics, "a", 1).unwrap();
    id(&topics, "b", 1).unwrap();
    assert_eq!(id(&topics, "c", 2), Err(Refused::UpstreamFull));
    topics.release(a, 0);
    assert_eq!(id(&topics, "c", 2), Err(Refused::UpstreamFull), "it lingers");
    assert!(topics.let_go(a));
    id(&topics, "c", 2).unwrap();
    assert_eq!(wants.load(Ordering::Relaxed), 3);
}

/// Wanted again while it lingers, it is not forgotten.
#[test]
fn wanted_again_in_time() {
    let (topics, wants) = topics(2, 2);
    let a = id(&topics, "a", 1).unwrap();
    topics.release(a, 0);
    assert_eq!(id(&topics, "a", 1), Ok(a));
    assert_eq!(wants.load(Ordering::Relaxed), 2);
    assert!(!topics.let_go(a));
}

/// A given-up name keeps its number until the upstream let go, and can be had again before.
#[test]
fn a_given_up_names_number_is_not_reused_early() {
    let (topics, wants) = topics(2, 2);
    let a = id(&topics, "a", 1).unwrap();
    topics.gave_up(a);
    assert_eq!(topics.census().unproven, 0);
    topics.release(a, 0);
    let b = id(&topics, "b", 1).unwrap();
    assert_ne!(a, b);
    assert_eq!(id(&topics, "a", 1), Ok(a));
    assert_eq!(wants.load(Ordering::Relaxed), 3, "asked for anew");
    assert!(!topics.let_go(a));
    topics.gave_up(a);
    topics.release(a, 0);
    topics.release(a, 0);
    assert!(topics.let_go(a));
    assert!(topics.let_go(a));
    assert_eq!(id(&topics, "c", 1), Ok(a));
    assert_eq!(topics.census().topics, 2);
}

/// A silent name costs the upstream nothing and goes with its last client.
#[test]
fn nowhere_is_silent() {
    let (topics, wants) = topics(1, 1);
    let x = id(&topics, "x", 1).unwrap();
    assert_eq!(wants.load(Ordering::Relaxed), 0);
    topics.release(x, 0);
    assert_eq!(topics.census().topics, 0);
}

/// What the configuration names is no invention: it fills an upstream, and costs nobody's credit.
#[test]
fn what_is_kept_needs_no_credit() {
    let (topics, wants) = topics(10, 2);
    for name in ["a", "b", "c", "d"] {
        topics.keep(name, Kind::Event).unwrap();
    }
    assert_eq!(wants.load(Ordering::Relaxed), 4);
    assert_eq!(topics.census().unproven, 0);
    id(&topics, "e", 1).unwrap();
    id(&topics, "f", 1).unwrap();
    assert_eq!(id(&topics, "g", 2), Err(Refused::UpstreamFull));
}
