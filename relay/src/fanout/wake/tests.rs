use super::*;

#[test]
fn a_channel_is_queued_once_until_its_flag_is_taken() {
    let (bell, flag) = (Doorbell::new(), Flag::new());
    assert!(!flag.take(), "nothing was posted");
    assert!(bell.post(&flag, 7));
    assert!(!bell.post(&flag, 7));
    assert_eq!((bell.pop(), bell.pop()), (Some(7), None));
    assert!(!bell.post(&flag, 7), "popped, but its flag is not taken yet");
    assert!(flag.take());
    assert!(bell.post(&flag, 7));
    assert_eq!(bell.pop(), Some(7));
}

#[test]
fn only_the_first_ring_before_an_answer_notifies() {
    let bell = Doorbell::new();
    assert!(bell.ring());
    assert!(!bell.ring());
    bell.answer();
    assert!(bell.ring());
}

#[test]
fn the_mask_has_a_bit_for_each_interested_shard() {
    let interest = Interest::new();
    assert_eq!(interest.mask(), 0);
    interest.add(0);
    interest.add(63);
    interest.add(63);
    assert_eq!(interest.mask(), 1 << 63 | 1);
    interest.remove(0);
    interest.remove(5);
    assert_eq!(interest.mask(), 1 << 63);
}
