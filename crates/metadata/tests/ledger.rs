//! What the elections are for: a model of one partition's data under random crashes. Nothing that was
//! acknowledged may be missing from an elected leader's log.
//!
//! The model: a log is a list of numbers. The leader appends; a follower copies (after it has cut what
//! its leader does not have); the high watermark is what all in-sync replicas have, and moves only
//! while enough are in sync (`min.insync.replicas` is that of its replication factor). What is below it
//! is acknowledged. The partition may move between four brokers meanwhile.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use ottla_config::default_min_insync_replicas;
use ottla_metadata::plan::brokers::{self, Registration};
use ottla_metadata::plan::{self, Plan, balance};
use ottla_metadata::proposal::{
    AlterPartition, Assignment, CreateTopics, IsrMember, NewTopic, Proposal, Proposer, Reassign,
    ReassignPartitions,
};
use ottla_metadata::{Batch, Endpoint, FenceCause, Image, Limits, Partition, Record};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TopicIdPartition};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Append,
    Follow(BrokerId),
    Shrink(BrokerId),
    Grow(BrokerId),
    Kill(BrokerId),
    Stop(BrokerId),
    Restart(BrokerId),
    Balance,
    /// To these replicas; none: cancelled.
    Reassign(Vec<BrokerId>),
}

const BROKERS: std::ops::RangeInclusive<BrokerId> = 1..=4;

fn step() -> impl Strategy<Value = Step> {
    let broker = || BROKERS;
    let replicas = || prop::sample::subsequence(BROKERS.collect::<Vec<_>>(), 0..=3).prop_shuffle();
    prop_oneof![
        5 => Just(Step::Append),
        6 => broker().prop_map(Step::Follow),
        1 => broker().prop_map(Step::Shrink),
        5 => broker().prop_map(Step::Grow),
        2 => broker().prop_map(Step::Kill),
        1 => broker().prop_map(Step::Stop),
        5 => broker().prop_map(Step::Restart),
        1 => Just(Step::Balance),
        2 => replicas().prop_map(Step::Reassign),
    ]
}

/// What a kill does to what was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// `flush.messages=1`: what a follower has reported, and what is acknowledged, is on disk.
    KeepsTheLog,
    /// Records in the page cache only, and the power fails: the whole log is lost, the worst case.
    LosesTheLog,
}

struct Model {
    image: Image,
    limits: Limits,
    id: TopicIdPartition,
    logs: BTreeMap<BrokerId, Vec<u32>>,
    alive: BTreeSet<BrokerId>,
    marker: BTreeMap<BrokerId, BrokerEpoch>,
    /// Who lost its log and has not come back to tell.
    lost: BTreeSet<BrokerId>,
    acknowledged: Vec<u32>,
    counter: u32,
    kill: Kill,
}

impl Model {
    fn new(kill: Kill) -> Self {
        let mut model = Self {
            image: Image::default(),
            limits: Limits::default(),
            id: TopicIdPartition::new(KafkaUuid::ZERO, 0),
            logs: BROKERS.map(|id| (id, Vec::new())).collect(),
            alive: BTreeSet::new(),
            marker: BTreeMap::new(),
            lost: BTreeSet::new(),
            acknowledged: Vec::new(),
            counter: 0,
            kill,
        };
        BROKERS.for_each(|id| model.restart(id));
        let topic = NewTopic {
            name: "orders".into(),
            partitions: -1,
            replication_factor: -1,
            assignments: vec![Assignment { partition: 0, replicas: vec![1, 2, 3] }],
            configs: Vec::new(),
        };
        let request = CreateTopics { topics: vec![topic], validate_only: false };
        let proposal = Proposal::CreateTopics(request);
        let plan = plan::propose(&model.image, &model.limits, 7, Proposer::TOOL, &proposal);
        model.commit(plan.records);
        let topic = model.image.topic_by_name("orders").expect("created");
        model.id.topic_id = topic.id;
        model
    }

    fn partition(&self) -> Option<&Partition> {
        self.image.partition(self.id).map(AsRef::as_ref)
    }

    fn leader(&self) -> Option<BrokerId> {
        self.partition().and_then(|partition| partition.leader)
    }

    fn commit(&mut self, records: Vec<Record>) {
        let before = self.image.clone();
        let old_leader =
            self.partition().map(|partition| (partition.leader, partition.leader_epoch));
        self.image.replay_batch(self.image.offset() + 1, &Batch { records, timestamp_ms: 0 });
        support::check_image(&self.image);
        support::check_step(&before, &self.image);
        let Some(partition) = self.partition() else { return };
        if let Some(leader) = partition.leader
            && old_leader != Some((partition.leader, partition.leader_epoch))
        {
            assert!(
                self.logs[&leader].starts_with(&self.acknowledged),
                "{leader} was elected with {:?}, but {:?} was acknowledged: {partition:?}",
                self.logs[&leader],
                self.acknowledged
            );
        }
    }

    /// The leader's view: the high watermark rises to what all in-sync replicas have.
    fn advance(&mut self) {
        let Some(partition) = self.partition() else { return };
        let Some(leader) = partition.leader else { return };
        let factor = partition.replication_factor();
        if partition.isr.len() < default_min_insync_replicas(factor) as usize {
            return;
        }
        // A follower reports how far it agrees with its leader: it truncates first.
        let agrees = |(a, b): &(&u32, &u32)| a == b;
        let has = |id: &BrokerId| {
            self.logs[id].iter().zip(&self.logs[&leader]).take_while(agrees).count()
        };
        let mark = partition.isr.iter().map(has).min().unwrap_or(0);
        if mark > self.acknowledged.len() {
            self.acknowledged = self.logs[&leader][..mark].to_vec();
        }
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Append => {
                if let Some(leader) = self.leader() {
                    self.counter += 1;
                    self.logs.get_mut(&leader).expect("a log").push(self.counter);
                }
            }
            Step::Follow(id) => self.follow(id),
            Step::Shrink(id) => self.alter_isr(|isr| isr.retain(|member| *member != id)),
            Step::Grow(id) => {
                let is_replica = self.partition().is_some_and(|it| it.replicas.contains(&id));
                let caught_up = is_replica
                    && self.alive.contains(&id)
                    && self.leader().is_some_and(|leader| {
                        self.logs[&id].starts_with(&self.acknowledged)
                            && self.logs[&leader].starts_with(&self.logs[&id])
                    });
                if caught_up {
                    self.alter_isr(|isr| {
                        if !isr.contains(&id) {
                            isr.push(id);
                        }
                    });
                }
            }
            Step::Kill(id) => self.kill(id),
            Step::Stop(id) => self.stop(id),
            Step::Restart(id) => self.restart(id),
            Step::Balance => {
                let plan = balance::preferred(&self.image, &self.limits, |_| true);
                self.commit(plan.records);
            }
            Step::Reassign(replicas) => self.reassign(replicas),
        }
        self.advance();
    }

    fn reassign(&mut self, replicas: Vec<BrokerId>) {
        let wish = Reassign {
            topic: "orders".into(),
            partition: 0,
            replicas: Some(replicas).filter(|replicas| !replicas.is_empty()),
        };
        let proposal = Proposal::ReassignPartitions(ReassignPartitions {
            allow_replication_factor_change: true,
            partitions: vec![wish],
        });
        let plan = plan::propose(&self.image, &self.limits, 0, Proposer::TOOL, &proposal);
        self.commit(plan.records);
        // Who is no replica any more deletes its log.
        let replicas = self.partition().map(|partition| partition.replicas.clone());
        for (id, log) in &mut self.logs {
            if replicas.as_ref().is_some_and(|replicas| !replicas.contains(id)) {
                log.clear();
            }
        }
    }

    fn follow(&mut self, id: BrokerId) {
        let Some(leader) = self.leader().filter(|leader| *leader != id) else { return };
        let is_replica = self.partition().is_some_and(|it| it.replicas.contains(&id));
        if is_replica && self.alive.contains(&id) {
            let copy = self.logs[&leader].clone();
            self.logs.insert(id, copy);
        }
    }

    fn alter_isr(&mut self, change: impl FnOnce(&mut Vec<BrokerId>)) {
        let Some(partition) = self.partition() else { return };
        let Some(broker_id) = partition.leader else { return };
        let mut isr = partition.isr.clone();
        change(&mut isr);
        let epoch = |id: BrokerId| self.image.broker(id).map_or(-1, |broker| broker.epoch);
        let member = |broker_id| IsrMember { broker_id, broker_epoch: epoch(broker_id) };
        let wish = AlterPartition {
            id: self.id,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            new_isr: isr.into_iter().map(member).collect(),
        };
        let proposer = Proposer { broker_id, broker_epoch: epoch(broker_id) };
        let proposal = Proposal::AlterPartitions(vec![wish]);
        let Plan { records, .. } = plan::propose(&self.image, &self.limits, 0, proposer, &proposal);
        self.commit(records);
    }

    fn kill(&mut self, id: BrokerId) {
        if !self.alive.contains(&id) {
            return;
        }
        if self.kill == Kill::LosesTheLog && !self.somebody_else_is_eligible(id) {
            // KIP-966 promises nothing when the log of every eligible replica is lost.
            return;
        }
        self.alive.remove(&id);
        self.marker.remove(&id);
        if self.kill == Kill::LosesTheLog {
            self.logs.insert(id, Vec::new());
            self.lost.insert(id);
        }
        self.fence(id);
    }

    fn somebody_else_is_eligible(&self, id: BrokerId) -> bool {
        self.partition().is_some_and(|partition| {
            let mut eligible = partition.isr.iter().chain(&partition.elr);
            eligible.any(|other| *other != id && !self.lost.contains(other))
        })
    }

    fn stop(&mut self, id: BrokerId) {
        if !self.alive.remove(&id) {
            return;
        }
        let epoch = self.image.broker(id).expect("registered").epoch;
        let plan = brokers::controlled_shutdown(&self.image, &self.limits, id, epoch);
        self.commit(plan.expect("registered").records);
        self.marker.insert(id, epoch);
        self.fence(id);
    }

    fn fence(&mut self, id: BrokerId) {
        let epoch = self.image.broker(id).expect("registered").epoch;
        let cause = FenceCause::ConnectionRefused;
        let plan = brokers::fence(&self.image, &self.limits, id, epoch, cause, 0);
        self.commit(plan.expect("registered").records);
    }

    fn restart(&mut self, id: BrokerId) {
        if !self.alive.insert(id) {
            return;
        }
        self.lost.remove(&id);
        let process = self.image.offset() as u8;
        let registration = Registration {
            broker_id: id,
            incarnation_id: KafkaUuid::from_bytes([process; 16]),
            endpoints: vec![Endpoint {
                listener: "PLAINTEXT".into(),
                host: "localhost".into(),
                port: 9092,
                security_protocol: "PLAINTEXT".into(),
            }],
            rack: None,
            inter_broker_listener: "PLAINTEXT".into(),
            previous_broker_epoch: self.marker.remove(&id).unwrap_or(-1),
        };
        let plan = brokers::register(&self.image, &self.limits, &registration);
        let Plan { records, reply: epoch } = plan.expect("the old registration is fenced");
        self.commit(records);
        let plan = brokers::unfence(&self.image, &self.limits, id, epoch).expect("registered");
        self.commit(plan.records);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn flushed_logs_lose_nothing_acknowledged_however_many_are_killed(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::new(Kill::KeepsTheLog);
        steps.into_iter().for_each(|step| model.play(step));
        // And once all are back somebody leads again.
        BROKERS.for_each(|id| model.play(Step::Restart(id)));
        prop_assert!(model.leader().is_some(), "{:?}", model.partition());
    }

    #[test]
    fn lost_logs_lose_nothing_acknowledged_while_another_replica_is_eligible(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::new(Kill::LosesTheLog);
        steps.into_iter().for_each(|step| model.play(step));
    }
}
