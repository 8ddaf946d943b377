//! The world of a machine: a log that commits when it is told to, a clock, topics, answers by token.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ottla_config::{NodeConfig, Properties};
use ottla_coordinator::{
    Answer, Caller, Effect, Groups, Input, LogRecord, Record, Request, Settings, Token, WriteId,
};
use ottla_metadata::{Image, Partition, Record as Fact};
use ottla_protocol::ids::{KafkaUuid, TopicIdPartition};
use ottla_protocol::{ErrorCode, StrBytes};

/// A written record.
pub(crate) type Line = (Bytes, Option<Bytes>);

pub(crate) struct World {
    pub(crate) groups: Groups,
    pub(crate) settings: Arc<Settings>,
    pub(crate) image: Arc<Image>,
    pub(crate) now_ms: i64,
    /// Committed.
    pub(crate) log: Vec<Line>,
    /// Appended, not committed.
    pub(crate) in_flight: VecDeque<(WriteId, Vec<Line>)>,
    /// Writes are committed as soon as they are appended.
    pub(crate) commits: bool,
    /// Writes are refused with this.
    pub(crate) refuses: Option<ErrorCode>,
    /// What has come out since it was last looked at.
    pub(crate) appended: Vec<Record>,
    pub(crate) answers: Vec<(Token, Answer)>,
    last_token: Token,
    lives: u64,
    topics: u64,
}

/// Settings of a node with these lines.
pub(crate) fn settings(lines: &[(&str, &str)]) -> Arc<Settings> {
    let lines = lines.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let (node, _) = NodeConfig::resolve(&lines.collect::<Properties>()).expect("a node");
    Arc::new(Settings::of(&node))
}

impl World {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        let image = Arc::new(Image::default());
        let mut world = Self {
            groups: Groups::new(Arc::clone(&settings), Arc::clone(&image), 0),
            settings,
            image,
            now_ms: 1_000_000,
            log: Vec::new(),
            in_flight: VecDeque::new(),
            commits: true,
            refuses: None,
            appended: Vec::new(),
            answers: Vec::new(),
            last_token: 0,
            lives: 0,
            topics: 0,
        };
        world.restart();
        world
    }

    /// The machine dies and another one loads what is committed.
    pub(crate) fn restart(&mut self) {
        self.lives += 1;
        self.in_flight.clear();
        self.groups = Groups::new(Arc::clone(&self.settings), Arc::clone(&self.image), self.lives);
        for (offset, (key, value)) in (0..).zip(&self.log) {
            let record = LogRecord { key, value: value.as_deref(), timestamp_ms: 0, offset };
            self.groups.load(record).expect("a sound record");
        }
        let mut effects = Vec::new();
        self.groups.loaded(self.now_ms, &mut effects);
        self.perform(effects);
    }

    pub(crate) fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.groups.step(self.now_ms, input, &mut effects);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            let (write, records) = match effect {
                Effect::Append { write, records } => (write, records),
                Effect::Respond { token, response } => {
                    self.answers.push((token, response));
                    continue;
                }
            };
            if let Some(code) = self.refuses {
                // What was planned on top of it falls with it, the newest first.
                let mut refused = vec![write];
                for effect in &effects {
                    if let Effect::Append { write, .. } = effect {
                        refused.push(*write);
                    }
                }
                effects.retain(|effect| matches!(effect, Effect::Respond { .. }));
                let mut more = Vec::new();
                for write in refused.into_iter().rev() {
                    self.groups.step(self.now_ms, Input::Failed { write, code }, &mut more);
                }
                effects.extend(more);
                continue;
            }
            let lines = records.iter().map(Record::encode).collect();
            self.appended.extend(records);
            self.in_flight.push_back((write, lines));
            if self.commits {
                let mut more = Vec::new();
                self.commit_next(&mut more);
                effects.extend(more);
            }
        }
    }

    fn commit_next(&mut self, effects: &mut Vec<Effect>) -> bool {
        let Some((write, lines)) = self.in_flight.pop_front() else { return false };
        self.log.extend(lines);
        self.groups.step(self.now_ms, Input::Committed { write }, effects);
        true
    }

    /// Commits so many writes.
    pub(crate) fn commit(&mut self, writes: usize) {
        for _ in 0..writes {
            let mut effects = Vec::new();
            if !self.commit_next(&mut effects) {
                return;
            }
            self.perform(effects);
        }
    }

    /// Lets the time pass, with ticks when they are due.
    pub(crate) fn pass(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while let Some(at_ms) = self.groups.next_deadline_ms().filter(|at_ms| *at_ms <= until_ms) {
            self.now_ms = self.now_ms.max(at_ms);
            self.step(Input::Tick);
        }
        self.now_ms = until_ms;
    }

    pub(crate) fn ask(&mut self, client_id: &str, api_version: i16, request: Request) -> Token {
        self.last_token += 1;
        let caller = Caller {
            client_id: StrBytes::from(client_id.to_owned()),
            client_host: "/127.0.0.1".into(),
            api_version,
        };
        self.step(Input::Request { token: self.last_token, caller, request });
        self.last_token
    }

    /// Asks, and takes the answer away if there is one at once.
    pub(crate) fn call(
        &mut self,
        client_id: &str,
        api_version: i16,
        request: Request,
    ) -> Option<Answer> {
        let token = self.ask(client_id, api_version, request);
        self.answer_to(token)
    }

    pub(crate) fn answer_to(&mut self, token: Token) -> Option<Answer> {
        let place = self.answers.iter().position(|(to, _)| *to == token)?;
        Some(self.answers.remove(place).1)
    }

    /// Creates topics, each with its partitions, in a life of its own.
    pub(crate) fn create_topics(&mut self, topics: &[(&str, i32)]) {
        let mut image = self.image.as_ref().clone();
        for (name, partitions) in topics {
            self.topics += 1;
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&self.topics.to_be_bytes());
            bytes[8..8 + name.len().min(8)].copy_from_slice(&name.as_bytes()[..name.len().min(8)]);
            let topic_id = KafkaUuid::from_bytes(bytes);
            image.replay(&Fact::Topic { topic_id, name: (*name).into() }).expect("a new topic");
            for index in 0..*partitions {
                let id = TopicIdPartition::new(topic_id, index);
                image
                    .replay(&Fact::Partition { id, state: partition() })
                    .expect("its topic is there");
            }
        }
        self.show(image);
    }

    pub(crate) fn delete_topic(&mut self, name: &str) {
        let mut image = self.image.as_ref().clone();
        let id = image.topic_by_name(name).expect("the topic is there").id;
        image.replay(&Fact::RemoveTopic(id)).expect("the topic is there");
        self.show(image);
    }

    fn show(&mut self, image: Image) {
        self.image = Arc::new(image);
        self.step(Input::Image(Arc::clone(&self.image)));
    }
}

fn partition() -> Partition {
    Partition {
        replicas: vec![1],
        isr: vec![1],
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        leader: Some(1),
        leader_epoch: 0,
        partition_epoch: 0,
        leader_recovering: false,
    }
}

/// A consumer's subscription as it stands in a join (version 0).
pub(crate) fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend((topic.len() as i16).to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1_i32).to_be_bytes());
    bytes.into()
}
