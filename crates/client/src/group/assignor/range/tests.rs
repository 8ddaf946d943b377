use std::collections::BTreeMap;

use ottla_protocol::ids::TopicName;

use super::super::Subscriber;
use super::divide;

fn subscriber(id: &str, instance: Option<&str>, topics: &[&str]) -> Subscriber {
    Subscriber {
        member_id: id.to_owned(),
        instance_id: instance.map(str::to_owned),
        topics: topics.iter().map(|topic| TopicName::from(*topic)).collect(),
        ..Subscriber::default()
    }
}

fn divided(subscribers: &[Subscriber], counts: &[(&str, usize)]) -> Vec<(String, String)> {
    let counts: BTreeMap<TopicName, usize> =
        counts.iter().map(|(topic, count)| (TopicName::from(*topic), *count)).collect();
    let text = |partitions: std::collections::BTreeSet<_>| {
        partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    divide(subscribers, &counts).into_iter().map(|(id, places)| (id, text(places))).collect()
}

#[test]
fn each_topic_is_divided_into_runs() {
    let both = [subscriber("m2", None, &["a", "b"]), subscriber("m1", None, &["a", "b"])];
    assert_eq!(
        divided(&both, &[("a", 3), ("b", 2)]),
        [("m1".into(), "a-0 a-1 b-0".into()), ("m2".into(), "a-2 b-1".into())]
    );
}

#[test]
fn only_subscribers_of_a_topic_get_its_partitions() {
    let members = [subscriber("m1", None, &["a"]), subscriber("m2", None, &["b", "gone"])];
    assert_eq!(
        divided(&members, &[("a", 2), ("b", 1)]),
        [("m1".into(), "a-0 a-1".into()), ("m2".into(), "b-0".into())]
    );
}

#[test]
fn members_beyond_the_partitions_get_nothing_and_static_ones_come_first() {
    let members = [
        subscriber("m1", None, &["a"]),
        subscriber("m3", Some("i1"), &["a"]),
        subscriber("m2", Some("i2"), &["a"]),
    ];
    assert_eq!(
        divided(&members, &[("a", 2)]),
        [("m1".into(), "".into()), ("m2".into(), "a-1".into()), ("m3".into(), "a-0".into())]
    );
}
