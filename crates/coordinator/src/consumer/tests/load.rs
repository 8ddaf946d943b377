//! Large groups: what a heartbeat costs must not depend on how many others there are.

use std::time::{Duration, Instant};

use ottla_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use ottla_protocol::messages::consumer_group_heartbeat_response::Assignment;
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, GroupId, TopicName};

use super::World;
use crate::request::{Request, Response, wire};

struct Member {
    id: String,
    epoch: i32,
    assignment: Option<Assignment>,
}

struct Large {
    world: World,
    members: Vec<Member>,
}

impl Large {
    fn join(members: usize, partitions: i32) -> Self {
        let mut world = World::new(&[]);
        world.checks = false;
        world.topic("foo", partitions, &[]);
        let members = (0..members).map(|index| Member {
            id: format!("member-{index:04}"),
            epoch: 0,
            assignment: None,
        });
        let mut large = Self { world, members: members.collect() };
        large.round();
        large
    }

    /// Everybody sends a heartbeat. Whether nothing changed for anybody.
    fn round(&mut self) -> bool {
        let mut is_stable = true;
        for member in &mut self.members {
            let joins = member.epoch == 0;
            let owned = member.assignment.as_ref().map(|assignment| {
                let topic = |topic: &ottla_protocol::messages::consumer_group_heartbeat_response::TopicPartitions| {
                    TopicPartitions::default()
                        .with_topic_id(topic.topic_id)
                        .with_partitions(topic.partitions.clone())
                };
                assignment.topic_partitions.iter().map(topic).collect()
            });
            let request = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(GroupId(wire("g")))
                .with_member_id(wire(&member.id))
                .with_member_epoch(member.epoch)
                .with_rebalance_timeout_ms(if joins { 60_000 } else { -1 })
                .with_subscribed_topic_names(joins.then(|| vec![TopicName(wire("foo"))]))
                .with_topic_partitions(if joins { Some(Vec::new()) } else { owned });
            let answer = self.world.ask_now(1, Request::ConsumerGroupHeartbeat(request));
            let Some(Ok(Response::ConsumerGroupHeartbeat(response))) = answer else {
                panic!("{answer:?}")
            };
            is_stable &= response.member_epoch == member.epoch && response.assignment.is_none();
            member.epoch = response.member_epoch;
            member.assignment = response.assignment.or(member.assignment.take());
        }
        self.world.now_ms += 5_000;
        is_stable
    }

    fn settle(&mut self) -> usize {
        (1..).find(|_| self.round()).unwrap()
    }

    /// Of one heartbeat that changes nothing.
    fn cost(&mut self) -> Duration {
        let best = (0..5).map(|_| {
            let start = Instant::now();
            assert!(self.round());
            start.elapsed() / u32::try_from(self.members.len()).unwrap()
        });
        best.min().unwrap()
    }
}

#[test]
fn a_thousand_members_join_and_their_heartbeats_stay_cheap() {
    let mut small = Large::join(10, 2_000);
    small.settle();
    let small = small.cost();

    let start = Instant::now();
    let mut large = Large::join(1_000, 2_000);
    let joined = start.elapsed();
    let rounds = large.settle();
    let settled = start.elapsed();
    let members = &large.members;
    let sizes = members.iter().map(|member| {
        let topics = &member.assignment.as_ref().unwrap().topic_partitions;
        topics.iter().map(|topic| topic.partitions.len()).sum::<usize>()
    });
    assert_eq!(sizes.collect::<Vec<_>>(), vec![2; 1_000]);
    let cost = large.cost();
    println!("joined in {joined:?}, settled in {settled:?} and {rounds} rounds");
    println!("a heartbeat costs {cost:?}; in a group of ten {small:?}");
    // Unoptimized and on a busy machine; the point is that it does not grow with the members.
    assert!(cost < small * 10 + Duration::from_micros(100), "{cost:?} against {small:?}");
    assert!(settled < Duration::from_secs(30), "{settled:?}");
}
