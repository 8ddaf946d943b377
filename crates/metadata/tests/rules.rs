//! The rules that keep data, those of them that live here: one test each, named for it.

use ottla_metadata::election::{Change, Election, Terms, next_state};
use ottla_metadata::plan::brokers::{self, NEW_DATA_DIRECTORY, Registration};
use ottla_metadata::plan::isr;
use ottla_metadata::proposal::{AlterPartition, IsrMember, Outcome, Proposer};
use ottla_metadata::{Batch, Endpoint, FenceCause, Image, Limits, Partition, Plan, Record};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TopicIdPartition};

const TOPIC: KafkaUuid = KafkaUuid::ZERO;
const NOBODY: [BrokerId; 0] = [];

fn orders() -> TopicIdPartition {
    TopicIdPartition::new(TOPIC, 0)
}

/// Three brokers, registered with epochs 1 to 3 and unfenced, and a partition on them.
struct Cluster {
    image: Image,
    limits: Limits,
}

impl Cluster {
    fn with(partition: Partition) -> Self {
        let mut cluster = Self { image: Image::default(), limits: Limits::default() };
        for id in 1..=3 {
            let epoch = cluster.register(id, -1);
            let plan = brokers::unfence(&cluster.image, &cluster.limits, id, epoch);
            cluster.commit(plan.expect("registered").records);
        }
        let id = TopicIdPartition::new(TOPIC, 0);
        cluster.commit(vec![
            Record::Topic { topic_id: TOPIC, name: "orders".into() },
            Record::Partition { id, state: partition },
        ]);
        cluster
    }

    fn commit(&mut self, records: Vec<Record>) {
        let offset = self.image.offset() + 1;
        let delta = self.image.replay_batch(offset, &Batch { records, timestamp_ms: 0 });
        assert_eq!(delta.ignored, []);
    }

    fn register(&mut self, id: BrokerId, previous_broker_epoch: BrokerEpoch) -> BrokerEpoch {
        let registration = Registration {
            broker_id: id,
            incarnation_id: KafkaUuid::from_bytes([self.image.offset() as u8 + 1; 16]),
            endpoints: vec![Endpoint {
                listener: "PLAINTEXT".into(),
                host: "localhost".into(),
                port: 9092,
                security_protocol: "PLAINTEXT".into(),
            }],
            rack: None,
            inter_broker_listener: "PLAINTEXT".into(),
            previous_broker_epoch,
        };
        let plan = brokers::register(&self.image, &self.limits, &registration);
        let Plan { records, reply } = plan.expect("the old registration is fenced");
        self.commit(records);
        reply
    }

    fn fence(&mut self, id: BrokerId) {
        let epoch = self.epoch(id);
        let cause = FenceCause::ConnectionRefused;
        let plan = brokers::fence(&self.image, &self.limits, id, epoch, cause, 0);
        self.commit(plan.expect("registered").records);
    }

    fn unfence(&mut self, id: BrokerId) {
        let epoch = self.epoch(id);
        let plan = brokers::unfence(&self.image, &self.limits, id, epoch);
        self.commit(plan.expect("registered").records);
    }

    fn shut_down(&mut self, id: BrokerId) {
        let epoch = self.epoch(id);
        let plan = brokers::controlled_shutdown(&self.image, &self.limits, id, epoch);
        self.commit(plan.expect("registered").records);
    }

    fn epoch(&self, id: BrokerId) -> BrokerEpoch {
        self.image.broker(id).expect("registered").epoch
    }

    fn partition(&self) -> &Partition {
        self.image.partition(TopicIdPartition::new(TOPIC, 0)).expect("it is there")
    }

    fn wish(&self, isr: &[BrokerId]) -> AlterPartition {
        let partition = self.partition();
        let member = |&broker_id| IsrMember { broker_id, broker_epoch: self.epoch(broker_id) };
        AlterPartition {
            id: TopicIdPartition::new(TOPIC, 0),
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            new_isr: isr.iter().map(member).collect(),
        }
    }

    fn alter(&mut self, by: BrokerId, wish: AlterPartition) -> Outcome {
        let proposer = Proposer { broker_id: by, broker_epoch: self.epoch(by) };
        let plan = isr::alter_partitions(&self.image, &self.limits, proposer, &[wish])?;
        self.commit(plan.records);
        plan.reply.into_iter().next().expect("one outcome for one wish")
    }
}

fn led_by(leader: BrokerId, isr: &[BrokerId]) -> Partition {
    Partition {
        replicas: vec![1, 2, 3],
        isr: isr.to_vec(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        leader: Some(leader),
        leader_epoch: 0,
        partition_epoch: 0,
        leader_recovering: false,
    }
}

fn code(outcome: Outcome) -> Option<ErrorCode> {
    outcome.err().map(|refusal| refusal.code)
}

#[test]
fn alter_partition_is_a_compare_and_set_on_the_partition_epoch() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2, 3]));
    let (first, second) = (cluster.wish(&[1, 2]), cluster.wish(&[1, 3]));
    assert_eq!(cluster.alter(1, first), Ok(()));
    assert_eq!(code(cluster.alter(1, second)), Some(ErrorCode::InvalidUpdateVersion));
    assert_eq!(cluster.partition().isr, [1, 2]);
}

#[test]
fn a_deposed_leader_is_not_heard() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2, 3]));
    let late = cluster.wish(&[1]);
    cluster.fence(1);
    cluster.register(1, 1);
    assert_eq!(code(cluster.alter(1, late)), Some(ErrorCode::FencedLeaderEpoch));
    let proposer = Proposer { broker_id: 1, broker_epoch: 1 };
    let refusal = isr::alter_partitions(&cluster.image, &cluster.limits, proposer, &[]).err();
    assert_eq!(refusal.map(|refusal| refusal.code), Some(ErrorCode::StaleBrokerEpoch));
}

#[test]
fn fenced_and_shutting_down_replicas_never_enter_the_isr() {
    let mut cluster = Cluster::with(led_by(1, &[1]));
    cluster.fence(2);
    cluster.shut_down(3);
    for isr in [&[1, 2], &[1, 3]] {
        let wish = cluster.wish(isr);
        assert_eq!(code(cluster.alter(1, wish)), Some(ErrorCode::IneligibleReplica));
    }
}

#[test]
fn a_member_that_caught_up_in_another_life_is_ineligible() {
    let mut cluster = Cluster::with(led_by(1, &[1]));
    let before_its_restart = cluster.wish(&[1, 2]);
    cluster.fence(2);
    cluster.register(2, -1);
    cluster.unfence(2);
    assert_eq!(code(cluster.alter(1, before_its_restart)), Some(ErrorCode::IneligibleReplica));
    let wish = cluster.wish(&[1, 2]);
    assert_eq!(cluster.alter(1, wish), Ok(()));
}

#[test]
fn who_leaves_an_isr_below_the_minimum_stays_eligible() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2, 3]));
    cluster.fence(3);
    assert_eq!(
        cluster.partition().elr,
        NOBODY,
        "two in sync are enough: the high watermark moves on"
    );
    cluster.fence(2);
    assert_eq!(cluster.partition().elr, [2]);
    cluster.unfence(3);
    let wish = cluster.wish(&[1, 3]);
    assert_eq!(cluster.alter(1, wish), Ok(()));
    assert_eq!(cluster.partition().elr, NOBODY, "enough are in sync again");
}

#[test]
fn a_replica_back_from_an_unclean_stop_leaves_isr_and_elr() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2]));
    cluster.fence(2);
    assert_eq!(cluster.partition().elr, [2]);
    cluster.register(2, -1);
    assert_eq!(cluster.partition().elr, NOBODY);
}

#[test]
fn a_replica_back_from_a_clean_stop_stays_eligible() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2]));
    cluster.shut_down(2);
    cluster.fence(2);
    cluster.register(2, 2);
    assert_eq!(cluster.partition().elr, [2]);
    // A marker of another life proves nothing.
    cluster.register(2, 2);
    assert_eq!(cluster.partition().elr, NOBODY);
}

#[test]
fn the_last_leader_comes_back_when_nobody_is_eligible() {
    let mut cluster = Cluster::with(led_by(1, &[1]));
    cluster.fence(1);
    assert_eq!((cluster.partition().leader, cluster.partition().elr.as_slice()), (None, &[1][..]));
    cluster.register(1, -1);
    assert_eq!(cluster.partition().leader, None, "it is fenced, and 2 and 3 do not lead");
    cluster.unfence(1);
    assert_eq!(cluster.partition().leader, Some(1));
    assert!(cluster.partition().leader_recovering, "the election is declared");
}

#[test]
fn a_replica_with_an_empty_disk_is_never_elected_by_itself() {
    let mut cluster = Cluster::with(led_by(1, &[1]));
    cluster.fence(1);
    cluster.register(1, NEW_DATA_DIRECTORY);
    cluster.unfence(1);
    assert_eq!(cluster.partition().leader, None);
}

#[test]
fn unclean_elections_are_off_unless_wanted() {
    let cluster = Cluster::with(Partition {
        leader: None,
        elr: vec![1],
        last_known_elr: vec![1],
        ..led_by(1, &[])
    });
    let mut image = cluster.image;
    let plan = brokers::fence(&image, &cluster.limits, 1, 1, FenceCause::None, 0);
    let records = plan.expect("registered").records;
    image.replay_batch(9, &Batch { records, timestamp_ms: 0 });
    let partition = image.partition(TopicIdPartition::new(TOPIC, 0)).expect("it is there");
    let elect = |unclean| {
        let terms = Terms { id: orders(), image: &image, min_isr: Some(2), unclean };
        next_state(partition, Change::elect(partition, Election::Online), terms)
    };
    assert_eq!(elect(false), None);
    let elected = elect(true).expect("2 and 3 are active");
    assert_eq!((elected.leader, elected.leader_recovering), (Some(2), true));
    assert_eq!((elected.isr, elected.elr), (vec![2], vec![]), "nobody else is known to agree");
}

#[test]
fn a_fenced_broker_leads_nothing_and_is_in_no_isr() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2, 3]));
    for id in 1..=3 {
        cluster.fence(id);
        assert_ne!(cluster.partition().leader, Some(id));
        assert!(!cluster.partition().isr.contains(&id));
    }
}

#[test]
fn a_controlled_shutdown_moves_everything_in_one_batch() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2, 3]));
    cluster.shut_down(1);
    assert_eq!(cluster.partition().leader, Some(2));
    assert_eq!(cluster.partition().isr, [2, 3]);
    assert!(cluster.image.broker(1).is_some_and(|broker| !broker.fenced), "still reachable");
}

#[test]
fn epochs_rise_with_every_change_and_leader_epochs_with_every_leader() {
    let cluster = Cluster::with(led_by(1, &[1, 2, 3]));
    let old = cluster.partition();
    let terms = Terms { id: orders(), image: &cluster.image, min_isr: Some(2), unclean: false };
    let shrunk = next_state(old, Change::isr(vec![1, 2]), terms).expect("a change");
    assert_eq!((shrunk.leader_epoch, shrunk.partition_epoch), (0, 1));
    let moved = next_state(old, Change::isr(vec![2, 3]), terms).expect("a change");
    assert_eq!((moved.leader, moved.leader_epoch, moved.partition_epoch), (Some(2), 1, 1));
    assert_eq!(next_state(old, Change::isr(vec![1, 2, 3]), terms), None);
}

#[test]
fn a_live_registration_is_not_taken_over() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2, 3]));
    let registration = Registration {
        broker_id: 1,
        incarnation_id: KafkaUuid::from_bytes([99; 16]),
        endpoints: vec![Endpoint {
            listener: "PLAINTEXT".into(),
            host: "elsewhere".into(),
            port: 9092,
            security_protocol: "PLAINTEXT".into(),
        }],
        rack: None,
        inter_broker_listener: "PLAINTEXT".into(),
        previous_broker_epoch: -1,
    };
    let refusal = brokers::register(&cluster.image, &cluster.limits, &registration).err();
    let code = refusal.map(|refusal| refusal.code);
    assert_eq!(code, Some(ErrorCode::DuplicateBrokerRegistration));
    cluster.fence(1);
    assert!(brokers::register(&cluster.image, &cluster.limits, &registration).is_ok());
}

#[test]
fn a_replica_in_a_failed_log_directory_neither_leads_nor_is_in_sync() {
    let mut cluster = Cluster::with(led_by(1, &[1, 2, 3]));
    let proposer = |broker_id| Proposer { broker_id, broker_epoch: broker_id.into() };
    let report = |cluster: &mut Cluster, broker: BrokerId, replicas: &[TopicIdPartition]| {
        let plan =
            brokers::report_offline(&cluster.image, &cluster.limits, proposer(broker), replicas);
        let records = plan.expect("registered").records;
        let count = records.len();
        cluster.commit(records);
        count
    };
    assert_eq!(report(&mut cluster, 1, &[orders()]), 2);
    assert_eq!(report(&mut cluster, 1, &[orders()]), 0, "nothing new");
    let now = cluster.partition().clone();
    assert_eq!((now.leader, now.isr), (Some(2), vec![2, 3]));
    let wish = AlterPartition {
        id: orders(),
        leader_epoch: now.leader_epoch,
        partition_epoch: now.partition_epoch,
        new_isr: [2, 3, 1].map(|id| IsrMember { broker_id: id, broker_epoch: id.into() }).into(),
    };
    let plan = isr::alter_partitions(&cluster.image, &cluster.limits, proposer(2), &[wish]);
    let refused = plan.expect("registered").reply.remove(0).expect_err("1 is offline");
    assert_eq!(refused.code, ErrorCode::IneligibleReplica);
    // Nobody is left: the broker is alive, but not this replica of it.
    report(&mut cluster, 2, &[orders()]);
    report(&mut cluster, 3, &[orders()]);
    assert_eq!(cluster.partition().leader, None);
    let snapshot: Vec<Record> = cluster.image.records().collect();
    assert!(snapshot.iter().any(|it| matches!(it, Record::OfflineReplicas { broker_id: 3, .. })));
    // A broker that has gone away and come back has its replicas again, for what they are worth.
    let fenced = brokers::fence(&cluster.image, &cluster.limits, 3, 3, FenceCause::None, 0);
    cluster.commit(fenced.expect("registered").records);
    let epoch = cluster.register(3, 3);
    let unfenced = brokers::unfence(&cluster.image, &cluster.limits, 3, epoch);
    cluster.commit(unfenced.expect("registered").records);
    assert_eq!(cluster.partition().leader, Some(3));
    // So has one from which the replica was taken, once it is given back.
    let mut state = cluster.partition().clone();
    state.replicas = vec![2, 3];
    cluster.commit(vec![Record::Partition { id: orders(), state }]);
    assert!(cluster.image.broker(1).is_some_and(|broker| broker.offline_replicas.is_empty()));
}
