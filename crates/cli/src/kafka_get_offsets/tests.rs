use super::*;

fn chosen_by(filter: &Filter) -> Vec<String> {
    let all = ["one", "orders"].into_iter().flat_map(|topic| {
        let count = if topic == "one" { 1 } else { 4 };
        (0..count).map(move |partition| TopicPartition::new(topic, partition))
    });
    all.filter(|partition| filter.allows(partition)).map(|p| p.to_string()).collect()
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn rules_choose_partitions() {
    for (rules, partitions) in [
        ("orders:0", vec!["orders-0"]),
        ("orders:0-2,one", vec!["one-0", "orders-0", "orders-1"]),
        ("orders:2-", vec!["orders-2", "orders-3"]),
        ("orders:-2", vec!["orders-0", "orders-1"]),
        (":0", vec!["one-0", "orders-0"]),
        ("orders:3-1", vec![]),
    ] {
        assert_eq!(chosen_by(&Filter::rules(rules).unwrap()), partitions, "{rules}");
    }
    assert_eq!(Filter::rules("one,orders:x").unwrap_err(), "orders:x");
}

#[test]
fn a_topic_pattern_and_partitions() {
    assert_eq!(chosen_by(&Filter::topic(Some("o.*"), Some("0,2")).unwrap()).len(), 3);
    assert_eq!(chosen_by(&Filter::topic(None, None).unwrap()).len(), 5);
    assert!(Filter::topic(None, Some("x")).unwrap_err().ends_with("but received: x"));
}

#[test]
fn times_have_names() {
    assert_eq!(time("latest").unwrap(), -1);
    assert_eq!(time("-3").unwrap(), -3);
    assert_eq!(time("1577836800000").unwrap(), 1_577_836_800_000);
    assert_eq!(
        time("soon").unwrap_err().message,
        "Malformed time argument soon. Please use -1 or latest / -2 or earliest / -3 or max-timestamp \
         / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified \
         long format timestamp"
    );
}
