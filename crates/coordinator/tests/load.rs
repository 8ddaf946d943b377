//! What one machine bears. Run by hand: `cargo test --release -p ottla-coordinator --test load -- --ignored
//! --nocapture`.

mod support;

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use ottla_coordinator::record::OffsetValue;
use ottla_coordinator::{Groups, LogRecord, Record, Request, Response};
use ottla_protocol::StrBytes;
use ottla_protocol::ids::KafkaUuid;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, OffsetCommitRequest, SyncGroupRequest, TopicName,
};
use support::{World, settings, subscription};

fn wire(text: &str) -> StrBytes {
    StrBytes::from(text.to_owned())
}

fn world() -> World {
    let mut world = World::new(settings(&[]));
    world.create_topics(&[("t", 1000)]);
    world
}

/// Members of groups join and sync; group and id of each come back.
fn fill(world: &mut World, groups: &[String], members: usize) -> Vec<(String, String)> {
    let mut tokens = Vec::new();
    for group in groups {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(wire("range"))
            .with_metadata(subscription(&["t"]));
        let join = JoinGroupRequest::default()
            .with_group_id(GroupId(wire(group)))
            .with_protocol_type(wire("consumer"))
            .with_protocols(vec![protocol])
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(60_000);
        for _ in 0..members {
            tokens.push((group, world.ask("c", 3, Request::JoinGroup(join.clone()))));
        }
    }
    world.pass(6000);
    let mut answers: HashMap<_, _> = std::mem::take(&mut world.answers).into_iter().collect();
    let mut all = Vec::new();
    for (group, token) in tokens {
        let Some(Ok(Response::JoinGroup(joined))) = answers.remove(&token) else {
            panic!("{group}")
        };
        all.push((group.clone(), joined.member_id.to_string()));
        if joined.members.is_empty() {
            continue;
        }
        let assignment = |id: StrBytes| {
            SyncGroupRequestAssignment::default()
                .with_member_id(id)
                .with_assignment(Bytes::from_static(&[0; 40]))
        };
        let ids = joined.members.into_iter().map(|member| member.member_id);
        let sync = SyncGroupRequest::default()
            .with_group_id(GroupId(wire(group)))
            .with_member_id(joined.member_id)
            .with_generation_id(joined.generation_id)
            .with_assignments(ids.map(assignment).collect());
        assert!(matches!(world.call("c", 3, Request::SyncGroup(sync)), Some(Ok(_))));
    }
    all
}

fn beat(world: &mut World, group: &str, id: &str) {
    let beat = HeartbeatRequest::default()
        .with_group_id(GroupId(wire(group)))
        .with_member_id(wire(id))
        .with_generation_id(1);
    let answer = world.call("c", 4, Request::Heartbeat(beat));
    assert!(matches!(answer, Some(Ok(Response::Heartbeat(_)))), "{answer:?}");
}

fn report(what: &str, count: usize, began: Instant) {
    let took = began.elapsed();
    println!("{what}: {count} in {took:?}, {:.1} µs each", took.as_secs_f64() * 1e6 / count as f64);
}

#[test]
#[ignore = "a measurement"]
fn heartbeats_cost_the_same_in_large_groups() {
    for (groups, members) in [(1000, 5), (1, 1000)] {
        let mut world = world();
        let began = Instant::now();
        let names: Vec<_> = (0..groups).map(|number| format!("group-{number}")).collect();
        let all = fill(&mut world, &names, members);
        report(&format!("{groups} groups of {members}, joins and syncs"), all.len(), began);
        let began = Instant::now();
        for _ in 0..20 {
            for (group, id) in &all {
                beat(&mut world, group, id);
            }
            world.pass(3000);
        }
        report("heartbeats, and the ticks between", 20 * all.len(), began);
    }
}

#[test]
#[ignore = "a measurement"]
fn commits() {
    let mut world = world();
    let count = 100_000;
    let began = Instant::now();
    for number in 0..count {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index((number % 1000) as i32)
            .with_committed_offset(number as i64);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(wire("t")))
            .with_partitions(vec![partition]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(GroupId(wire(&format!("group-{}", number % 100))))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        assert!(matches!(world.call("c", 8, Request::OffsetCommit(commit)), Some(Ok(_))));
    }
    report("commits", count, began);
}

#[test]
#[ignore = "a measurement"]
fn loading() {
    let world = world();
    let count = 1_000_000;
    let record = |number: usize| {
        let value = OffsetValue {
            offset: number as i64,
            leader_epoch: 1,
            metadata: "".into(),
            commit_timestamp_ms: 1,
            expire_timestamp_ms: -1,
            topic_id: KafkaUuid::ZERO,
        };
        let group = format!("group-{}", number % 1000).into();
        let partition = (number / 1000) as i32;
        Record::Offset { group, topic: "t".into(), partition, value: Some(value) }.encode()
    };
    let log: Vec<_> = (0..count).map(record).collect();
    let began = Instant::now();
    let mut groups = Groups::new(world.settings.clone(), world.image.clone(), 1);
    for (offset, (key, value)) in (0..).zip(&log) {
        let record = LogRecord { key, value: value.as_deref(), timestamp_ms: 0, offset };
        groups.load(record).expect("a sound record");
    }
    groups.loaded(0, &mut Vec::new());
    report("records loaded", count, began);
    assert_eq!(groups.committed_offsets().count(), count);
}
