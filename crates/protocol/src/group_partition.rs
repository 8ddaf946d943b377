//! Which partition of `__consumer_offsets` a group belongs to: as in Kafka, so that tools that read the
//! topic, and clusters that move over, find it there.

use crate::ids::PartitionIndex;

/// The partition of a group, of so many.
#[must_use]
pub fn group_partition(group_id: &str, partitions: PartitionIndex) -> PartitionIndex {
    // The one number without an opposite counts as zero.
    let hash = java_string_hash(group_id).checked_abs().unwrap_or(0);
    hash % partitions.max(1)
}

/// Java's `String.hashCode`, over UTF-16 code units.
fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16()
        .fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_where_kafka_puts_it() {
        // Computed by Java.
        assert_eq!(java_string_hash(""), 0);
        assert_eq!(java_string_hash("hello"), 99_162_322);
        assert_eq!(java_string_hash("polygenelubricants"), i32::MIN);
        assert_eq!(
            java_string_hash("console-consumer-12345"),
            hash_by_hand("console-consumer-12345")
        );
        assert_eq!(java_string_hash("😀"), 0xd83d * 31 + 0xde00);
        assert_eq!(group_partition("hello", 50), 22);
        assert_eq!(group_partition("polygenelubricants", 50), 0);
        assert_eq!(group_partition("anything", 1), 0);
    }

    fn hash_by_hand(ascii: &str) -> i32 {
        let sum = ascii
            .bytes()
            .fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
        sum.cast_signed()
    }
}
