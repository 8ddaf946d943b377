//! A machine with a log and a cluster around it, for scripts and for random runs.

mod client;
mod hashes;
mod interleavings;
mod load;
mod reconciling;
mod scripts;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use ottla_config::{NodeConfig, Properties};
use ottla_metadata::{Batch, ConfigResource, Image, Partition, Record as Fact};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{KafkaUuid, TopicId, TopicIdPartition};

use crate::groups::Groups;
use crate::record::Record;
use crate::request::{Answer, Caller, Effect, Input, LogRecord, Request, Token, WriteId};
use crate::settings::Settings;
use crate::state::Group;
use crate::{GroupName, MemberId};

/// Key and value of a committed record.
type LogEntry = (Bytes, Option<Bytes>);

/// All groups of one partition, its log, and the cluster's metadata.
struct World {
    groups: Groups,
    settings: Arc<Settings>,
    image: Image,
    now_ms: i64,
    next_token: Token,
    /// How often the coordinator has moved.
    moves: u64,
    /// Every count is counted again after each step.
    checks: bool,
    /// Writes are committed as soon as they are made.
    commits: bool,
    /// The next writes are refused.
    refuses: bool,
    in_flight: VecDeque<(WriteId, Vec<Record>)>,
    log: Vec<LogEntry>,
    /// Every record that was ever appended.
    written: Vec<Record>,
    answers: BTreeMap<Token, Answer>,
    /// Epoch or generation of each group when last seen, and of its members.
    epochs: BTreeMap<GroupName, (i32, BTreeMap<MemberId, i32>)>,
}

impl World {
    fn new(properties: &[(&str, &str)]) -> Self {
        let own = [("process.roles", "broker,controller"), ("node.id", "1")];
        let properties: Properties = own.iter().chain(properties).copied().collect();
        let settings = Arc::new(Settings::of(&NodeConfig::resolve(&properties).unwrap().0));
        let image = Image::default();
        Self {
            groups: Groups::new(Arc::clone(&settings), Arc::new(image.clone()), 1),
            settings,
            image,
            now_ms: 1_000_000,
            next_token: 0,
            moves: 0,
            checks: true,
            commits: true,
            refuses: false,
            in_flight: VecDeque::new(),
            log: Vec::new(),
            written: Vec::new(),
            answers: BTreeMap::new(),
            epochs: BTreeMap::new(),
        }
    }

    fn facts(&mut self, facts: Vec<Fact>) {
        let offset = self.image.offset() + 1;
        let delta = self.image.replay_batch(offset, &Batch { records: facts, timestamp_ms: 0 });
        assert_eq!(delta.ignored, []);
        self.step(Input::Image(Arc::new(self.image.clone())));
    }

    /// Creates a topic or adds partitions; its id is made of its name.
    fn topic(&mut self, name: &str, partitions: i32, replicas: &[i32]) -> TopicId {
        let id = topic_id(name);
        let has = self.image.topic(id).map(|topic| topic.partitions.len());
        let mut facts = Vec::new();
        if has.is_none() {
            facts.push(Fact::Topic { topic_id: id, name: name.into() });
        }
        for index in i32::try_from(has.unwrap_or(0)).unwrap()..partitions {
            let replica = |n: usize| replicas.get(n % replicas.len().max(1)).copied();
            let own = replica(usize::try_from(index).unwrap());
            facts.push(Fact::Partition {
                id: TopicIdPartition::new(id, index),
                state: Partition {
                    replicas: own.into_iter().collect(),
                    isr: own.into_iter().collect(),
                    elr: Vec::new(),
                    last_known_elr: Vec::new(),
                    adding_replicas: Vec::new(),
                    removing_replicas: Vec::new(),
                    leader: own,
                    leader_epoch: 0,
                    partition_epoch: 0,
                    leader_recovering: false,
                },
            });
        }
        self.facts(facts);
        id
    }

    fn configure(&mut self, group: &str, key: &str, value: &str) {
        self.facts(vec![Fact::Config {
            resource: ConfigResource::Group(group.into()),
            key: key.to_owned(),
            value: Some(value.to_owned()),
        }]);
    }

    fn ask(&mut self, api_version: i16, request: Request) -> Token {
        self.next_token += 1;
        let token = self.next_token;
        let caller = Caller {
            client_id: "client".to_owned().into(),
            client_host: "/127.0.0.1".into(),
            api_version,
        };
        self.step(Input::Request { token, caller, request });
        token
    }

    /// Asks, with every write committed, and gets the answer; none if it has to wait for others.
    fn ask_now(&mut self, api_version: i16, request: Request) -> Option<Answer> {
        let token = self.ask(api_version, request);
        self.answers.remove(&token)
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.groups.step(self.now_ms, input, &mut effects);
        self.take(effects);
    }

    fn take(&mut self, effects: Vec<Effect>) {
        let mut refused = Vec::new();
        for effect in effects {
            match effect {
                Effect::Append { write, .. } if self.refuses => refused.push(write),
                Effect::Append { write, records } => {
                    self.written.extend(records.iter().cloned());
                    self.in_flight.push_back((write, records));
                }
                Effect::Respond { token, response } => {
                    assert!(self.answers.insert(token, response).is_none(), "two answers");
                }
            }
        }
        for write in refused.into_iter().rev() {
            self.step(Input::Failed { write, code: ErrorCode::CoordinatorNotAvailable });
        }
        self.check();
        if self.commits {
            self.commit(usize::MAX);
        }
    }

    /// Commits so many of the writes that are on their way.
    fn commit(&mut self, count: usize) {
        for _ in 0..count.min(self.in_flight.len()) {
            let Some((write, records)) = self.in_flight.pop_front() else { return };
            for record in &records {
                let (key, value) = record.encode();
                let read = Record::decode(&key, value.as_deref()).unwrap();
                assert_eq!(read.as_ref(), Some(record));
                self.log.push((key, value));
            }
            self.step(Input::Committed { write });
        }
    }

    fn advance(&mut self, ms: i64) {
        let until = self.now_ms + ms;
        while let Some(at) = self.groups.next_deadline_ms().filter(|at| *at <= until) {
            self.now_ms = self.now_ms.max(at);
            self.step(Input::Tick);
        }
        self.now_ms = until;
    }

    /// The coordinator moves: what is not committed is lost.
    fn fail_over(&mut self) {
        self.fail_over_with(&self.log.clone());
    }

    /// The coordinator moves and finds this log.
    fn fail_over_with(&mut self, log: &[LogEntry]) {
        self.in_flight.clear();
        let image = Arc::new(self.image.clone());
        self.moves += 1;
        let seed = self.moves + 1;
        self.groups = Groups::new(Arc::clone(&self.settings), image, seed);
        for (offset, (key, value)) in log.iter().enumerate() {
            let record = LogRecord {
                key,
                value: value.as_deref(),
                timestamp_ms: self.now_ms,
                offset: i64::try_from(offset).unwrap(),
            };
            self.groups.load(record).unwrap();
        }
        let mut effects = Vec::new();
        self.groups.loaded(self.now_ms, &mut effects);
        self.take(effects);
    }

    /// The log as compaction leaves it: the last value of each key, or with its tombstones gone.
    fn compacted(&self, tombstones: bool) -> Vec<LogEntry> {
        let last: BTreeMap<_, _> =
            self.log.iter().enumerate().map(|(at, (key, _))| (key, at)).collect();
        let kept = |(at, (key, value)): &(usize, &LogEntry)| {
            last.get(key) == Some(at) && (tombstones || value.is_some())
        };
        self.log.iter().enumerate().filter(kept).map(|(_, entry)| entry.clone()).collect()
    }

    fn check(&mut self) {
        if !self.checks {
            return;
        }
        for state in [&self.groups.cx.committed, &self.groups.cx.planned] {
            for group in state.groups.values() {
                if let Group::Consumer(group) = group {
                    group.check();
                }
            }
        }
        self.check_epochs();
    }

    /// Epochs of a group only grow, also from one protocol to the other, as long as it has members.
    fn check_epochs(&mut self) {
        let mut seen = BTreeMap::new();
        for (name, group) in &self.groups.cx.committed.groups {
            let (floor, members) = self.epochs.remove(name).unwrap_or_default();
            let (epoch, new_members) = match group {
                Group::Consumer(group) => {
                    let epochs = group.members().map(|m| (Arc::clone(&m.id), m.current.epoch));
                    (group.epoch(), epochs.collect::<BTreeMap<_, _>>())
                }
                Group::Classic(group) => {
                    let Some(value) = &group.value else { continue };
                    let generation = value.generation;
                    let epochs = value.members.iter().map(|m| (Arc::clone(&m.member_id), -2));
                    (generation, epochs.collect())
                }
            };
            if new_members.is_empty() {
                continue;
            }
            assert!(epoch >= floor, "the group's epoch went from {floor} to {epoch}");
            for (member, epoch) in &new_members {
                let before = members.get(member).copied().unwrap_or(-2);
                assert!(*epoch >= before || *epoch == -2, "{member} from {before} to {epoch}");
            }
            seen.insert(Arc::clone(name), (epoch, new_members));
        }
        self.epochs = seen;
    }
}

/// The id of a topic of this name.
fn topic_id(name: &str) -> TopicId {
    let mut bytes = [0; 16];
    for (byte, of) in bytes.iter_mut().zip(name.bytes()) {
        *byte = of;
    }
    KafkaUuid::from_bytes(bytes)
}

/// The name that an id was made of.
fn topic_name(id: TopicId) -> String {
    String::from_utf8_lossy(id.as_bytes()).trim_end_matches('\0').to_owned()
}
