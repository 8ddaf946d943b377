//! Random histories: whatever is asked, in whatever order, the image stays sound, only rises where it
//! must rise, and is the same by replay, by snapshot and by bytes.

mod support;

use std::collections::BTreeMap;

use ottla_metadata::codec::{decode_batch, encode_batch};
use ottla_metadata::plan::brokers::{self, NEW_DATA_DIRECTORY, Registration};
use ottla_metadata::plan::{self, Plan, balance};
use ottla_metadata::proposal::{
    AlterClientQuota, AlterClientQuotas, AlterConfig, AlterConfigOp, AlterConfigResource,
    AlterConfigs, AlterPartition, AlterScramCredential, CreatePartitions, CreateTopics,
    ElectLeaders, ElectionType, FeatureUpdate, GrowTopic, IsrMember, NewTopic, Proposal, Proposer,
    Reassign, ReassignPartitions, Reply, ResourceType, UpdateFeatures, UpgradeType,
};
use ottla_metadata::quota::{QuotaKey, QuotaValue};
use ottla_metadata::record::ScramCredential;
use ottla_metadata::{Batch, Delta, Endpoint, FenceCause, Image, Limits, Record};
use ottla_protocol::ids::{BrokerId, KafkaUuid, TopicIdPartition};
use ottla_protocol::scram::ScramKeys;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Register { id: BrokerId, process: u8, previous: u8 },
    Unfence(BrokerId),
    Fence(BrokerId),
    Shutdown(BrokerId),
    Create { topic: u8, partitions: i32, replication_factor: i32, unclean: bool },
    Delete(u8),
    Grow { topic: u8, partitions: i32 },
    MinIsr { topic: Option<u8>, value: Option<i32> },
    AlterIsr { topic: u8, partition: i32, members: u8, by: Option<BrokerId>, stale: bool },
    Elect { topic: u8, partition: i32, unclean: bool },
    Reassign { topic: u8, partition: i32, replicas: Option<u8>, same_factor: bool },
    Unregister(BrokerId),
    Balance,
    ProducerIds(BrokerId),
    Feature { level: i16, upgrade_type: UpgradeType },
    Quota { user: bool, client: bool, key: u8, value: Option<u8> },
    Scram { user: u8, mechanism: i8, iterations: Option<i32> },
}

fn step() -> impl Strategy<Value = Step> {
    let broker = || 1..=4_i32;
    let topic = || 0..3_u8;
    prop_oneof![
        4 => (broker(), any::<u8>(), 0..3_u8)
            .prop_map(|(id, process, previous)| Step::Register { id, process, previous }),
        5 => broker().prop_map(Step::Unfence),
        3 => broker().prop_map(Step::Fence),
        1 => broker().prop_map(Step::Shutdown),
        2 => (topic(), -1..4_i32, -1..4_i32, any::<bool>()).prop_map(
            |(topic, partitions, replication_factor, unclean)| Step::Create {
                topic, partitions, replication_factor, unclean
            }),
        1 => topic().prop_map(Step::Delete),
        1 => (topic(), 0..6_i32).prop_map(|(topic, partitions)| Step::Grow { topic, partitions }),
        1 => (prop::option::of(topic()), prop::option::of(0..4_i32))
            .prop_map(|(topic, value)| Step::MinIsr { topic, value }),
        6 => (topic(), 0..3_i32, any::<u8>(), prop::option::of(broker()), prop::bool::weighted(0.2))
            .prop_map(|(topic, partition, members, by, stale)| Step::AlterIsr {
                topic, partition, members, by, stale
            }),
        1 => (topic(), 0..3_i32, any::<bool>())
            .prop_map(|(topic, partition, unclean)| Step::Elect { topic, partition, unclean }),
        3 => (topic(), 0..3_i32, prop::option::weighted(0.8, any::<u8>()), prop::bool::weighted(0.2))
            .prop_map(|(topic, partition, replicas, same_factor)| Step::Reassign {
                topic, partition, replicas, same_factor
            }),
        1 => broker().prop_map(Step::Unregister),
        1 => Just(Step::Balance),
        1 => broker().prop_map(Step::ProducerIds),
        1 => (any::<bool>(), any::<bool>(), 0..5_u8, prop::option::of(any::<u8>())).prop_map(
            |(user, client, key, value)| Step::Quota { user, client, key, value }),
        1 => (0..3_u8, 0..4_i8, prop::option::of(4000..17_000_i32)).prop_map(
            |(user, mechanism, iterations)| Step::Scram { user, mechanism, iterations }),
        1 => (0..2_i16, prop_oneof![Just(UpgradeType::Upgrade), Just(UpgradeType::SafeDowngrade)])
            .prop_map(|(level, upgrade_type)| Step::Feature { level, upgrade_type }),
    ]
}

fn topic_name(topic: u8) -> String {
    // The first two collide in metrics.
    ["a.b", "a_b", "orders"][usize::from(topic)].to_owned()
}

fn registration(image: &Image, id: BrokerId, process: u8, previous: u8) -> Registration {
    Registration {
        broker_id: id,
        incarnation_id: KafkaUuid::from_bytes([process; 16]),
        endpoints: vec![Endpoint {
            listener: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: "PLAINTEXT".into(),
        }],
        rack: (id % 2 == 0).then(|| "even".into()),
        inter_broker_listener: "PLAINTEXT".into(),
        previous_broker_epoch: match previous {
            0 => image.broker(id).map_or(-1, |broker| broker.epoch),
            1 => NEW_DATA_DIRECTORY,
            _ => -1,
        },
    }
}

fn min_isr(topic: Option<u8>, value: Option<i32>) -> Proposal {
    let op = if value.is_some() { AlterConfigOp::Set } else { AlterConfigOp::Delete };
    let alter = AlterConfig {
        op,
        key: "min.insync.replicas".to_owned(),
        value: value.map(|value| value.to_string()),
    };
    Proposal::AlterConfigs(AlterConfigs {
        resources: vec![AlterConfigResource {
            resource_type: topic.map_or(ResourceType::Broker, |_| ResourceType::Topic),
            name: topic.map(topic_name).unwrap_or_default(),
            alters: vec![alter],
            replace_all: false,
        }],
        validate_only: false,
    })
}

fn alter_isr(
    image: &Image,
    (topic, index): (u8, i32),
    members: u8,
    by: Option<BrokerId>,
    stale: bool,
) -> Option<(BrokerId, Proposal)> {
    let topic = image.topic_by_name(&topic_name(topic))?;
    let partition = topic.partitions.get(&index)?;
    let by = by.or(partition.leader).unwrap_or(1);
    let new_isr = (1..=4)
        .filter(|id| members & (1 << id) != 0 || *id == by)
        .map(|broker_id| {
            let registered = image.broker(broker_id).map_or(-1, |broker| broker.epoch);
            IsrMember { broker_id, broker_epoch: registered - i64::from(members > 250) }
        })
        .collect();
    let wish = AlterPartition {
        id: TopicIdPartition::new(topic.id, index),
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch - i32::from(stale),
        new_isr,
    };
    Some((by, Proposal::AlterPartitions(vec![wish])))
}

/// The records that a step makes; none if it is refused.
fn records(image: &Image, limits: &Limits, seed: u128, step: &Step) -> Vec<Record> {
    let epoch = |id| image.broker(id).map_or(-1, |broker| broker.epoch);
    let propose = |broker_id, proposal: &Proposal| {
        let proposer = Proposer { broker_id, broker_epoch: epoch(broker_id) };
        let Plan { records, reply } = plan::propose(image, limits, seed, proposer, proposal);
        if let Reply::AlterPartitions(outcomes) = &reply {
            assert!(outcomes[0].is_ok() || records.is_empty(), "a refusal changes nothing");
        }
        records
    };
    match *step {
        Step::Register { id, process, previous } => {
            let registration = registration(image, id, process, previous);
            brokers::register(image, limits, &registration).map(|plan| plan.records)
        }
        Step::Unfence(id) => {
            brokers::unfence(image, limits, id, epoch(id)).map(|plan| plan.records)
        }
        Step::Fence(id) => {
            let cause = FenceCause::SessionExpired;
            brokers::fence(image, limits, id, epoch(id), cause, 1).map(|plan| plan.records)
        }
        Step::Shutdown(id) => {
            brokers::controlled_shutdown(image, limits, id, epoch(id)).map(|plan| plan.records)
        }
        Step::Create { topic, partitions, replication_factor, unclean } => {
            let unclean = ("unclean.leader.election.enable".to_owned(), Some(unclean.to_string()));
            let topic = NewTopic {
                name: topic_name(topic).into(),
                partitions,
                replication_factor,
                assignments: Vec::new(),
                configs: vec![unclean],
            };
            let request = CreateTopics { topics: vec![topic], validate_only: false };
            Ok(propose(-1, &Proposal::CreateTopics(request)))
        }
        Step::Delete(topic) => {
            let id = image.topic_by_name(&topic_name(topic)).map(|topic| topic.id);
            Ok(propose(-1, &Proposal::DeleteTopics(vec![id.unwrap_or(KafkaUuid::ZERO)])))
        }
        Step::Grow { topic, partitions } => {
            let topic = GrowTopic { name: topic_name(topic).into(), partitions, assignments: None };
            let request = CreatePartitions { topics: vec![topic], validate_only: false };
            Ok(propose(-1, &Proposal::CreatePartitions(request)))
        }
        Step::MinIsr { topic, value } => Ok(propose(-1, &min_isr(topic, value))),
        Step::AlterIsr { topic, partition, members, by, stale } => {
            let wish = alter_isr(image, (topic, partition), members, by, stale);
            Ok(wish.map_or_else(Vec::new, |(by, proposal)| propose(by, &proposal)))
        }
        Step::Elect { topic, partition, unclean } => {
            let election_type =
                if unclean { ElectionType::Unclean } else { ElectionType::Preferred };
            let partitions = vec![(topic_name(topic).into(), partition)];
            Ok(propose(-1, &Proposal::ElectLeaders(ElectLeaders { election_type, partitions })))
        }
        Step::Reassign { topic, partition, replicas, same_factor } => {
            // Some of the four, beginning at any of them.
            let chosen = |bits: u8| {
                let rotated = (0..4).map(|place| (place + i32::from(bits >> 4)) % 4 + 1);
                rotated.filter(|id| bits & (1 << (id - 1)) != 0).collect()
            };
            let partitions = vec![Reassign {
                topic: topic_name(topic).into(),
                partition,
                replicas: replicas.map(chosen),
            }];
            let allow_replication_factor_change = !same_factor;
            let request = ReassignPartitions { allow_replication_factor_change, partitions };
            Ok(propose(-1, &Proposal::ReassignPartitions(request)))
        }
        Step::Quota { user, client, key, value } => {
            let kinds = [(user, "user"), (client, "client-id"), (!user && !client, "ip")];
            let entity = kinds.into_iter().filter(|(named, _)| *named);
            let entry = AlterClientQuota {
                entity: entity.map(|(_, kind)| (kind.to_owned(), Some("it".to_owned()))).collect(),
                ops: vec![(
                    QuotaKey::ALL[usize::from(key)].name().to_owned(),
                    value.map(|value| QuotaValue::new(value.into())),
                )],
            };
            let request = AlterClientQuotas { entries: vec![entry], validate_only: false };
            Ok(propose(-1, &Proposal::AlterClientQuotas(request)))
        }
        Step::Scram { user, mechanism, iterations } => {
            let keys = ScramKeys { stored_key: vec![1], server_key: vec![2] };
            let credential =
                iterations.map(|iterations| ScramCredential { salt: vec![3], keys, iterations });
            let user = format!("user{user}");
            let alteration = AlterScramCredential { user, mechanism, credential };
            Ok(propose(-1, &Proposal::AlterScramCredentials(vec![alteration])))
        }
        Step::Unregister(id) => Ok(propose(-1, &Proposal::UnregisterBroker(id))),
        Step::Balance => Ok(balance::preferred(image, limits, |_| true).records),
        Step::ProducerIds(id) => Ok(propose(id, &Proposal::AllocateProducerIds)),
        Step::Feature { level, upgrade_type } => {
            let feature = "group.version".to_owned();
            let updates = vec![FeatureUpdate { feature, level, upgrade_type }];
            let wish = UpdateFeatures { updates, validate_only: false };
            Ok(propose(-1, &Proposal::UpdateFeatures(wish)))
        }
    }
    .unwrap_or_default()
}

/// Plays a history; gives the image after each step, from the empty one on, and the batches between.
fn play(steps: &[Step], seed: u128) -> (Vec<Image>, Vec<Batch>) {
    let limits = Limits { num_partitions: 2, ..Limits::default() };
    let mut images = vec![Image::default()];
    let mut batches = Vec::new();
    for (offset, step) in (1..).zip(steps) {
        let old = &images[images.len() - 1];
        let seed =
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835 + 2 * u128::from(offset));
        let batch = Batch { records: records(old, &limits, seed, step), timestamp_ms: 5 };
        let mut new = old.clone();
        let delta = new.replay_batch(offset, &batch);
        assert_eq!(delta.ignored, [], "{step:?}");
        support::check_image(&new);
        support::check_step(old, &new);
        check_delta(old, &new, delta);
        images.push(new);
        batches.push(batch);
    }
    (images, batches)
}

fn check_delta(old: &Image, new: &Image, mut delta: Delta) {
    delta.timestamp_ms = 0;
    for broker in delta.brokers.values_mut() {
        (broker.cause, broker.detected_at_ms) = (FenceCause::None, 0);
    }
    assert_eq!(delta, Delta::between(old, new));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_image_stays_sound(steps in prop::collection::vec(step(), 1..80), seed: u128) {
        play(&steps, seed);
    }

    #[test]
    fn no_two_brokers_lead_in_one_leader_epoch(
        steps in prop::collection::vec(step(), 1..80),
        seed: u128,
    ) {
        let mut leaders = BTreeMap::new();
        for image in play(&steps, seed).0 {
            for topic in image.topics() {
                for (index, partition) in &topic.partitions {
                    let Some(leader) = partition.leader else { continue };
                    let epoch = (topic.id, *index, partition.leader_epoch);
                    prop_assert_eq!(*leaders.entry(epoch).or_insert(leader), leader);
                }
            }
        }
    }

    #[test]
    fn a_snapshot_and_the_rest_is_the_whole(
        steps in prop::collection::vec(step(), 1..60),
        seed: u128,
        cut: prop::sample::Index,
    ) {
        let (images, batches) = play(&steps, seed);
        let cut = cut.index(images.len());
        let records: Vec<_> = images[cut].records().collect();
        let (mut image, ignored) = Image::from_records(images[cut].offset(), &records);
        prop_assert_eq!(ignored, []);
        prop_assert_eq!(&image, &images[cut]);
        for (offset, batch) in (1..).zip(&batches).skip(cut) {
            image.replay_batch(offset, batch);
        }
        prop_assert_eq!(&image, &images[images.len() - 1]);
    }

    #[test]
    fn a_batch_comes_back_from_its_bytes(
        steps in prop::collection::vec(step(), 1..60),
        seed: u128,
    ) {
        for batch in play(&steps, seed).1 {
            prop_assert_eq!(decode_batch(&encode_batch(&batch)), Ok(batch));
        }
    }

    #[test]
    fn replay_takes_any_records_in_any_order(
        steps in prop::collection::vec(step(), 1..40),
        seed: u128,
        order in any::<u64>(),
    ) {
        let (_, batches) = play(&steps, seed);
        let mut records: Vec<_> = batches.into_iter().flat_map(|batch| batch.records).collect();
        let (count, order) = (records.len().max(1), order as usize);
        records.rotate_left(order % count);
        let mut image = Image::default();
        for record in records.iter().step_by(1 + order % 3) {
            let _diagnostic = image.replay(record);
        }
    }

    #[test]
    fn garbage_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_batch(&bytes);
    }

    #[test]
    fn damaged_batches_are_refused_or_read(
        steps in prop::collection::vec(step(), 1..30),
        seed: u128,
        at: prop::sample::Index,
        value: u8,
    ) {
        for batch in play(&steps, seed).1 {
            let mut bytes = encode_batch(&batch);
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = value;
                let _ = decode_batch(&bytes);
            }
        }
    }
}
