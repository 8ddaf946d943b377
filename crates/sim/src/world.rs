//! The world: brokers, the controller, the network between them, clients, time.

use std::collections::{BTreeMap, VecDeque};

use ottla_metadata::plan;
use ottla_metadata::proposal::{CreateTopics, NewTopic, Proposal, Proposer};
use ottla_protocol::ids::{BrokerId, PartitionIndex, TopicId, TopicIdPartition};
use ottla_replication::Rules;

use crate::broker::{Broker, Held, Process};
use crate::client::{Consumer, Producer};
use crate::dice::Dice;
use crate::disk::{Disk, NOTHING};
use crate::event::{Event, Life, Schedule};
use crate::ledger::Ledger;
use crate::quorum::Quorum;
use crate::sabotage::Sabotage;
use crate::stream::{Stream, StreamId};
use crate::swarm::Swarm;

/// The active controller, as a node of the network.
pub(crate) const CONTROLLER: BrokerId = 0;
pub(crate) const SESSION_TIMEOUT_US: u64 = 300_000;
pub(crate) const BEAT_US: u64 = 50_000;
const JUDGE_US: u64 = 40_000;
const BALANCE_US: u64 = 300_000;
const LAG_TIME_MAX_MS: i64 = 400;
/// Between two full comparisons of the replicas.
const AUDIT_US: u64 = 100_000;
/// Lines of the trace that are kept.
const TRACE_LINES: usize = 1_000_000;

/// An invariant does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its name, as in the list of invariants.
    pub name: &'static str,
    /// What is so instead.
    pub what: String,
}

pub(crate) struct World {
    pub(crate) swarm: Swarm,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) dice: Dice,
    pub(crate) now_us: u64,
    schedule: Schedule,
    pub(crate) quorum: Quorum,
    pub(crate) brokers: BTreeMap<BrokerId, Broker>,
    pub(crate) topic_id: TopicId,
    pub(crate) streams: BTreeMap<StreamId, Stream>,
    pub(crate) next_stream: StreamId,
    /// Directions that are cut, and until when.
    pub(crate) cuts: BTreeMap<(BrokerId, BrokerId), u64>,
    pub(crate) producers: Vec<Producer>,
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) ledger: Ledger,
    pub(crate) violation: Option<Violation>,
    /// Faults are over.
    pub(crate) healing: bool,
    /// Clients send nothing new.
    pub(crate) quiet: bool,
    /// A node has lost what it had not flushed, and the others have not made up for it yet.
    pub(crate) lossy: Option<Life>,
    audited_us: u64,
    pub(crate) trace: Option<VecDeque<String>>,
    pub(crate) events: u64,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        sabotage: Option<Sabotage>,
        trace: bool,
        shape: impl FnOnce(&mut Swarm),
    ) -> Self {
        let mut dice = Dice::new(seed);
        let mut swarm = Swarm::draw(seed, &mut dice);
        shape(&mut swarm);
        let brokers = (1..=swarm.brokers).map(|id| (id, Broker::new())).collect();
        Self {
            swarm,
            sabotage,
            dice,
            now_us: 1_000_000,
            schedule: Schedule::default(),
            quorum: Quorum::new(),
            brokers,
            topic_id: TopicId::ZERO,
            streams: BTreeMap::new(),
            next_stream: 0,
            cuts: BTreeMap::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
            ledger: Ledger::default(),
            violation: None,
            healing: false,
            quiet: false,
            lossy: None,
            audited_us: 0,
            trace: trace.then(VecDeque::new),
            events: 0,
        }
    }

    // ---- The run

    /// The brokers come up and the topic is made.
    pub(crate) fn start(&mut self) {
        for id in self.ids() {
            self.after(0, Event::Boot(id));
        }
        self.after(JUDGE_US, Event::Judge);
        self.after(BALANCE_US, Event::Balance);
        self.run_until(self.now_us + 5_000_000, |world| {
            world.ids().iter().all(|id| world.quorum.image().is_active(*id))
        });
        self.create_topic();
        let partitions: Vec<PartitionIndex> = (0..self.swarm.partitions).collect();
        for partition in partitions {
            for acks_all in [true, false] {
                self.producers.push(Producer::new(self.producers.len(), partition, acks_all));
            }
            self.consumers.push(Consumer::new(partition));
            if self.swarm.deletes {
                self.after(1000, Event::Delete(partition));
            }
            if self.swarm.compacts {
                self.after(1000, Event::Compact(partition));
            }
        }
        for producer in 0..self.producers.len() {
            self.after(1000, Event::Producer(producer));
        }
        for consumer in 0..self.consumers.len() {
            self.after(1000, Event::Poll(consumer));
        }
    }

    fn create_topic(&mut self) {
        let topic = NewTopic {
            name: "sim".into(),
            partitions: self.swarm.partitions,
            replication_factor: self.swarm.replication_factor,
            assignments: Vec::new(),
            configs: vec![("min.insync.replicas".to_owned(), Some(self.swarm.min_isr.to_string()))],
        };
        let request = CreateTopics { topics: vec![topic], validate_only: false };
        let proposal = Proposal::CreateTopics(request);
        let seed = self.dice.wide();
        let image = self.quorum.image();
        let plan = plan::propose(image, self.quorum.limits(), seed, Proposer::TOOL, &proposal);
        self.commit(plan.records);
        let topic = self.quorum.image().topic_by_name("sim").map(|topic| topic.id);
        self.topic_id = topic.expect("nothing keeps it from being created");
    }

    /// Runs until a condition or a time; whether the condition came.
    pub(crate) fn run_until(&mut self, until_us: u64, done: impl Fn(&Self) -> bool) -> bool {
        while self.violation.is_none() {
            if done(self) {
                return true;
            }
            if self.now_us >= until_us {
                return false;
            }
            let Some((at_us, event)) = self.schedule.next() else { return false };
            self.now_us = self.now_us.max(at_us);
            self.events += 1;
            self.note(|| format!("{event:?}"));
            self.dispatch(event);
            if self.now_us >= self.audited_us + AUDIT_US {
                self.audited_us = self.now_us;
                self.audit();
            }
        }
        false
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::Boot(id) => self.boot(id),
            Event::Register(life) => self.register(life),
            Event::RegisterArrives(life) => self.on_register(life),
            Event::Registered(life, epoch) => self.on_registered(life, epoch),
            Event::Beat(life) => self.beat(life),
            Event::BeatArrives { life, epoch, metadata_offset, want_shutdown } => {
                self.on_beat(life, epoch, metadata_offset, want_shutdown);
            }
            Event::BeatAnswered { life, epoch, stale, should_shut_down } => {
                self.on_beat_answered(life, epoch, stale, should_shut_down);
            }
            Event::GiveUpHandover(life) => self.stop_cleanly(life),
            Event::Gone { broker, epoch, cleanly } => self.on_gone(broker, epoch, cleanly),
            Event::Judge => {
                self.judge_sessions();
                self.after(JUDGE_US, Event::Judge);
            }
            Event::Balance => {
                self.balance();
                self.after(BALANCE_US, Event::Balance);
            }
            Event::Feed(life) => self.feed(life),
            Event::Propose(life) => self.propose(life),
            Event::ProposalArrives { life, call, epoch, wishes } => {
                self.on_proposal(life, call, epoch, &wishes);
            }
            Event::ProposalAnswered { life, call, outcomes } => {
                self.on_proposal_answer(life, call, Some(outcomes));
            }
            Event::ProposalTimedOut { life, call } => self.on_proposal_answer(life, call, None),
            Event::Dial(life, leader) => self.dial(life, leader),
            Event::Up(stream) => self.deliver_up(stream),
            Event::Down(stream) => self.deliver_down(stream),
            Event::Pump(stream) => self.pump(stream),
            Event::FollowerHangsUp(stream) => self.follower_hangs_up(stream),
            Event::LeaderHangsUp(stream) => self.leader_hangs_up(stream),
            Event::Send(life, leader, message) => self.send_up(life, leader, message),
            Event::AskAgain { life, partition, leader_epoch, attempt } => {
                self.ask_again(life, partition, leader_epoch, attempt);
            }
            Event::Flushed { life, partition, flush } => self.on_flushed(life, partition, flush),
            Event::Tick(life, partition) => self.tick(life, partition),
            Event::Checkpoint(life) => self.checkpoint(life),
            Event::Producer(producer) => self.wake_producer(producer),
            Event::ProduceArrives { producer, connection, broker, entry } => {
                self.on_produce(producer, connection, broker, entry);
            }
            Event::ProduceAnswered { producer, connection, sequence, answer } => {
                self.on_produce_answer(producer, connection, sequence, answer);
            }
            Event::ProduceTimedOut { producer, connection } => {
                self.lose_connection(producer, connection);
            }
            Event::Poll(consumer) => self.poll(consumer),
            Event::Delete(partition) => self.delete_records(partition),
            Event::Compact(partition) => self.compact(partition),
            Event::Fault => self.fault(),
        }
    }

    // ---- Who is where

    pub(crate) fn ids(&self) -> Vec<BrokerId> {
        (1..=self.swarm.brokers).collect()
    }

    pub(crate) fn partition_id(&self, partition: PartitionIndex) -> TopicIdPartition {
        TopicIdPartition::new(self.topic_id, partition)
    }

    pub(crate) fn broker(&self, id: BrokerId) -> &Broker {
        &self.brokers[&id]
    }

    pub(crate) fn broker_mut(&mut self, id: BrokerId) -> &mut Broker {
        self.brokers.get_mut(&id).expect("one of those there are")
    }

    /// The process of this very life, if it still runs.
    pub(crate) fn process(&self, life: Life) -> Option<&Process> {
        self.broker(life.broker).process.as_ref().filter(|process| process.life == life)
    }

    pub(crate) fn process_mut(&mut self, life: Life) -> Option<&mut Process> {
        self.broker_mut(life.broker).process.as_mut().filter(|process| process.life == life)
    }

    pub(crate) fn life_of(&self, id: BrokerId) -> Option<Life> {
        self.broker(id).process.as_ref().map(|process| process.life)
    }

    pub(crate) fn held(&self, id: BrokerId, partition: PartitionIndex) -> Option<&Held> {
        self.broker(id).process.as_ref()?.replicas.get(&partition)
    }

    pub(crate) fn held_mut(
        &mut self,
        id: BrokerId,
        partition: PartitionIndex,
    ) -> Option<&mut Held> {
        self.broker_mut(id).process.as_mut()?.replicas.get_mut(&partition)
    }

    pub(crate) fn disk(&self, id: BrokerId, partition: PartitionIndex) -> &Disk {
        self.broker(id).disks.get(&partition).unwrap_or(&NOTHING)
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            flush_messages: self.swarm.flush_messages,
            min_insync_replicas: self.swarm.min_isr,
            replica_lag_time_max_ms: LAG_TIME_MAX_MS,
            producer_id_expiration_ms: i64::MAX,
        }
    }

    // ---- Time and the network

    pub(crate) fn now_ms(&self) -> i64 {
        (self.now_us / 1000) as i64
    }

    pub(crate) fn after(&mut self, delay_us: u64, event: Event) {
        self.schedule.add(self.now_us + delay_us, event);
    }

    pub(crate) fn at(&mut self, at_us: u64, event: Event) {
        self.schedule.add(at_us.max(self.now_us), event);
    }

    pub(crate) fn is_cut(&self, from: BrokerId, to: BrokerId) -> bool {
        self.cuts.get(&(from, to)).is_some_and(|until_us| self.now_us < *until_us)
    }

    /// How long a message takes: mostly a little, now and then the longest time there is.
    pub(crate) fn delay(&mut self) -> u64 {
        let longest = if self.dice.one_in(8) { self.swarm.max_delay_us } else { 200 };
        self.dice.between(50, longest.max(50))
    }

    /// An event at the other end of a call, unless the call is lost on a cut line.
    pub(crate) fn call(&mut self, from: BrokerId, to: BrokerId, event: Event) -> bool {
        let lost = self.is_cut(from, to);
        if !lost {
            let delay = self.delay();
            self.after(delay, event);
        }
        !lost
    }

    // ---- What is noted

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let now_us = self.now_us;
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE_LINES {
                trace.pop_front();
            }
            trace.push_back(format!("{now_us} {}", line()));
        }
    }

    pub(crate) fn judge(&mut self, name: &'static str, result: Result<(), String>) {
        if let Err(what) = result
            && self.violation.is_none()
        {
            self.violation = Some(Violation { name, what });
        }
    }
}
