use ottla_metadata::{Batch, Partition, Record};
use ottla_protocol::ids::{KafkaUuid, TopicIdPartition};

use super::*;

const TOPIC: &str = "moving";

/// Partitions of one topic by their leaders; each has broker 4 as a replica, in sync where `in_sync`.
fn image(configs: &[(ConfigResource, &str, &str)], leaders: &[BrokerId], in_sync: bool) -> Image {
    let topic_id = KafkaUuid::from_bytes([1; 16]);
    let mut records = vec![Record::Topic { topic_id, name: TOPIC.into() }];
    for (index, leader) in (0..).zip(leaders) {
        let mut isr = vec![*leader];
        isr.extend(in_sync.then_some(4));
        let state = Partition {
            replicas: vec![*leader, 4],
            isr,
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            adding_replicas: Vec::new(),
            removing_replicas: Vec::new(),
            leader: Some(*leader),
            leader_epoch: 0,
            partition_epoch: 0,
            leader_recovering: false,
        };
        records.push(Record::Partition { id: TopicIdPartition::new(topic_id, index), state });
    }
    for (resource, key, value) in configs {
        let (key, value) = ((*key).to_owned(), Some((*value).to_owned()));
        records.push(Record::Config { resource: resource.clone(), key, value });
    }
    let mut image = Image::default();
    let delta = image.replay_batch(1, &Batch { records, timestamp_ms: 0 });
    assert_eq!(delta.ignored, []);
    image
}

fn topic() -> ConfigResource {
    ConfigResource::Topic(TOPIC.into())
}

fn throttles_of_1(image: &Image) -> Throttles {
    let throttles = Throttles::default();
    throttles.follow(1, image, true);
    throttles
}

fn limit(throttles: &Throttles, partition: PartitionIndex) -> Option<Limit> {
    throttles.limit(1, &TOPIC.into(), partition, 4)
}

/// What is sent in `seconds` by who asks again whenever it was told to wait.
fn sent(throttles: &Throttles, limits: &[Limit], seconds: u64) -> usize {
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut due = vec![start; limits.len()];
    let mut sent = 0;
    while let Some((next, now)) =
        due.iter().copied().enumerate().min_by_key(|(_, due)| *due).filter(|(_, due)| *due < end)
    {
        match throttles.wait(&limits[next], now) {
            // The timer is late now and then.
            Some(wait) => due[next] = now + wait + Duration::from_millis(7),
            None => {
                throttles.charge(&limits[next], limits[next].chunk());
                sent += limits[next].chunk();
                due[next] = now + Duration::from_micros(100);
            }
        }
    }
    sent
}

fn assert_close(sent: usize, expected: u64) {
    let ratio = sent as f64 / expected as f64;
    assert!((0.9..=1.1).contains(&ratio), "{sent} bytes instead of {expected}");
}

#[test]
fn a_leaders_rate_holds_over_all_that_it_sends() {
    for rate in [50_000, 1_000_000, 30_000_000_u64] {
        let text = rate.to_string();
        let configs = [
            (topic(), LEADER_REPLICAS, "0:1,1:1"),
            (ConfigResource::Broker(1), LEADER_RATE, text.as_str()),
        ];
        let throttles = throttles_of_1(&image(&configs, &[1, 1, 1], false));
        let limits = [0, 1].map(|partition| limit(&throttles, partition).expect("it is throttled"));
        assert_close(sent(&throttles, &limits, 20), rate * 20);
        assert_eq!(limit(&throttles, 2), None, "it is not named");
    }
}

#[test]
fn a_followers_rate_is_shared_by_those_who_send_to_it() {
    let configs = [
        (topic(), FOLLOWER_REPLICAS, "*"),
        (ConfigResource::ClusterDefault, FOLLOWER_RATE, "900000"),
    ];
    let throttles = throttles_of_1(&image(&configs, &[1, 2, 3], false));
    let limits = [limit(&throttles, 0).expect("it is throttled")];
    assert_close(sent(&throttles, &limits, 20), 300_000 * 20);
}

#[test]
fn who_is_in_sync_takes_no_share_and_a_cleared_throttle_is_none() {
    let configs =
        [(topic(), FOLLOWER_REPLICAS, "*"), (ConfigResource::Broker(4), FOLLOWER_RATE, "900000")];
    let throttles = throttles_of_1(&image(&configs, &[1, 2], true));
    assert_eq!(limit(&throttles, 0), None);
    throttles.follow(1, &image(&configs[1..], &[1, 2], false), true);
    assert!(throttles.plan.load().is_none());
}

#[test]
fn lists_that_make_no_sense_throttle_nothing() {
    let list = |text: &str| Replicas::parse(Some(&text.to_owned()));
    assert!(list(" * ").contain(7, 7));
    assert!(list("0:1, 2:3").contain(2, 3));
    assert_eq!(list("0,1:x,:"), Replicas::These(HashSet::new()));
    assert_eq!(Replicas::parse(None), Replicas::These(HashSet::new()));
}
