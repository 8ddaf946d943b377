use super::*;

/// Vectors published with Kafka's own clients.
#[test]
fn murmur2_agrees_with_kafka() {
    let vectors: [(&[u8], i32); 7] = [
        (b"21", -973_932_308),
        (b"foobar", -790_332_482),
        (b"a-little-bit-long-string", -985_981_536),
        (b"a-little-bit-longer-string", -1_486_304_829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        (b"abc", 479_470_107),
        (b"", 275_646_681),
    ];
    for (key, hash) in vectors {
        assert_eq!(murmur2(key) as i32, hash, "{:?}", String::from_utf8_lossy(key));
    }
}

#[test]
fn keys_keep_their_partition() {
    assert_eq!(partition_for_key(b"foobar", 1), 0);
    let first = partition_for_key(b"foobar", 12);
    assert_eq!(partition_for_key(b"foobar", 12), first);
    assert_eq!(i64::from(first), ((-790_332_482_i64) & 0x7fff_ffff) % 12);
}

#[test]
fn unkeyed_records_stick_until_a_batch_is_full() {
    let mut sticky = Sticky::default();
    let all = [0, 1, 2];
    let first = sticky.choose(60, 100, &all, 0);
    assert_eq!(sticky.choose(60, 100, &all, 1), first);
    let second = sticky.choose(60, 100, &all, 0);
    assert_ne!(second, first, "another partition after 100 bytes");
}

#[test]
fn unkeyed_records_leave_a_partition_without_leader() {
    let mut sticky = Sticky::default();
    assert_eq!(sticky.choose(1, 100, &[0], 7), Some(0));
    assert_eq!(sticky.choose(1, 100, &[2], 7), Some(2));
    assert_eq!(sticky.choose(1, 100, &[], 7), None);
}
