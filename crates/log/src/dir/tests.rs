//! Checkpoint files: what is written is read again.

use std::collections::BTreeMap;

use ottla_protocol::ids::TopicPartition;
use proptest::prelude::*;

use super::checkpoint::{parse, render};

proptest! {
    #[test]
    fn checkpoints_round_trip(
        lines in proptest::collection::btree_map(("[a-zA-Z0-9._-]{1,40}", 0..1000_i32), 0..i64::MAX, 0..30)
    ) {
        let offsets: BTreeMap<_, _> = lines
            .into_iter()
            .map(|((topic, partition), offset)| (TopicPartition::new(topic, partition), offset))
            .collect();
        prop_assert_eq!(parse(&render(&offsets)), Ok(offsets));
    }

    #[test]
    fn nonsense_never_panics(text in "[0-9a-z \n.-]{0,60}") {
        let _ = parse(&text);
    }
}

#[test]
fn the_text_is_kafkas() {
    let offsets = BTreeMap::from([(TopicPartition::new("t.a", 3), 17)]);
    assert_eq!(render(&offsets), "0\n1\nt.a 3 17\n");
}
