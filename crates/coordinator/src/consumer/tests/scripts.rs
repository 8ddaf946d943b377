//! Golden scripts: `testdata/consumer/*.txt`. A line that begins with `> ` is a command, the lines below
//! it are what comes of it. `UPDATE_GOLDEN=1` writes what comes now.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use bytes::Bytes;
use ottla_metadata::Record as Fact;
use ottla_metadata::record::RegisterBroker;
use ottla_protocol::ids::{KafkaUuid, TopicId};
use ottla_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    SyncGroupRequest, TopicName,
};

use super::{World, topic_id, topic_name};
use crate::consumer::embedded;
use crate::request::{Answer, Request, Response, Token, wire};

const GROUP: &str = "g";

/// What a script's client knows of itself.
#[derive(Default)]
struct Client {
    epoch: i32,
    /// What it was last told to have.
    assigned: BTreeMap<TopicId, Vec<i32>>,
    /// Its id, if it was given one.
    id: Option<String>,
}

struct Script {
    world: World,
    clients: BTreeMap<String, Client>,
    waiting: BTreeMap<Token, String>,
    written: usize,
}

type Args<'a> = BTreeMap<&'a str, &'a str>;

impl Script {
    fn new() -> Self {
        let world = World::new(&[("group.consumer.assignment.interval.ms", "0")]);
        Self { world, clients: BTreeMap::new(), waiting: BTreeMap::new(), written: 0 }
    }

    fn run(&mut self, command: &str) -> String {
        let mut words = command.split(' ');
        let verb = words.next().unwrap();
        let (mut names, mut args) = (Vec::new(), Args::new());
        for word in words {
            match word.split_once('=') {
                Some((key, value)) => _ = args.insert(key, value),
                None => names.push(word),
            }
        }
        let name = names.first().copied().unwrap_or_default();
        let mut out = String::new();
        match verb {
            "topic" => {
                let replicas: Vec<i32> =
                    list(args.get("on")).map(|id| id.parse().unwrap()).collect();
                _ = self.world.topic(name, names[1].parse().unwrap(), &replicas);
            }
            "drop" => self.world.facts(vec![Fact::RemoveTopic(topic_id(name))]),
            "broker" => self.world.facts(vec![Fact::RegisterBroker(RegisterBroker {
                broker_id: name.parse().unwrap(),
                incarnation_id: KafkaUuid::ZERO,
                broker_epoch: 1,
                endpoints: Vec::new(),
                rack: Some(args["rack"].into()),
                inter_broker_listener: "PLAINTEXT".into(),
            })]),
            "configure" => {
                for (key, value) in args {
                    self.world.configure(GROUP, key, value);
                }
            }
            "node" => {
                let pairs: Vec<_> = args.into_iter().collect();
                *self = Self { world: World::new(&pairs), ..Self::new() };
            }
            "wait" => self.world.advance(name.parse().unwrap()),
            "hold" => self.world.commits = false,
            "commit" => {
                self.world.commits = true;
                self.world.commit(usize::MAX);
            }
            "refuse" => self.world.refuses = true,
            "accept" => self.world.refuses = false,
            "fail-over" => match name {
                "compacted" => self.world.fail_over_with(&self.world.compacted(true)),
                "compacted-long-ago" => self.world.fail_over_with(&self.world.compacted(false)),
                _ => self.world.fail_over(),
            },
            "records" => {
                for record in &self.world.written[self.written..] {
                    writeln!(out, "{record:?}").unwrap();
                }
            }
            "group" => self.describe(&mut out),
            "join" | "beat" | "leave" => {
                let epoch = match verb {
                    "join" => 0,
                    "leave" => -1,
                    _ => self.clients.get(name).map_or(0, |client| client.epoch),
                };
                let request = self.heartbeat(name, epoch, &args);
                let version = args.get("version").map_or(1, |version| version.parse().unwrap());
                let token = self.world.ask(version, Request::ConsumerGroupHeartbeat(request));
                self.waiting.insert(token, name.to_owned());
            }
            "classic-join" => self.classic_join(name, &args),
            "classic-sync" => {
                let client = &self.clients[name];
                let request = SyncGroupRequest::default()
                    .with_group_id(group_id())
                    .with_member_id(wire(client.id.as_deref().unwrap()))
                    .with_generation_id(client.epoch)
                    .with_group_instance_id(args.get("instance").map(|id| wire(id)))
                    .with_protocol_type(Some(wire("consumer")))
                    .with_protocol_name(Some(wire("range")))
                    .with_assignments(self.given(args.get("gives").copied().unwrap_or_default()));
                let token = self.world.ask(5, Request::SyncGroup(request));
                self.waiting.insert(token, name.to_owned());
            }
            "classic-beat" => {
                let client = &self.clients[name];
                let epoch = args.get("epoch").map_or(client.epoch, |epoch| epoch.parse().unwrap());
                let request = HeartbeatRequest::default()
                    .with_group_id(group_id())
                    .with_member_id(wire(client.id.as_deref().unwrap()))
                    .with_group_instance_id(args.get("instance").map(|id| wire(id)))
                    .with_generation_id(epoch);
                let token = self.world.ask(4, Request::Heartbeat(request));
                self.waiting.insert(token, name.to_owned());
            }
            "classic-leave" => {
                let client = self.clients.get(name).and_then(|client| client.id.as_deref());
                let id = if args.contains_key("instance") { "" } else { client.unwrap_or(name) };
                let member = MemberIdentity::default()
                    .with_member_id(wire(id))
                    .with_group_instance_id(args.get("instance").map(|id| wire(id)));
                let request = LeaveGroupRequest::default()
                    .with_group_id(group_id())
                    .with_members(vec![member]);
                let token = self.world.ask(5, Request::LeaveGroup(request));
                self.waiting.insert(token, name.to_owned());
            }
            other => panic!("no command '{other}'"),
        }
        for (token, answer) in std::mem::take(&mut self.world.answers) {
            let name = self.waiting.remove(&token).unwrap_or_default();
            self.answer(&name, answer, &mut out);
        }
        if verb == "records" {
            self.written = self.world.written.len();
        }
        out
    }

    fn heartbeat(&self, name: &str, epoch: i32, args: &Args<'_>) -> ConsumerGroupHeartbeatRequest {
        let unknown = Client::default();
        let client = self.clients.get(name).unwrap_or(&unknown);
        let epoch = args.get("epoch").map_or(epoch, |epoch| epoch.parse().unwrap());
        let joins = epoch == 0;
        let owned = match args.get("owned").copied() {
            Some("acked") => Some(client.assigned.clone()),
            Some("nothing") => Some(BTreeMap::new()),
            Some("unsaid") => None,
            Some(partitions) => Some(parse(partitions)),
            None => joins.then(BTreeMap::new),
        };
        let topics = args.get("topics").map(|topics| {
            list(Some(topics)).map(|topic| TopicName(wire(topic))).collect::<Vec<_>>()
        });
        let timeout = args.get("timeout").map(|timeout| timeout.parse().unwrap());
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group_id())
            .with_member_id(wire(args.get("id").copied().unwrap_or(name)))
            .with_member_epoch(epoch)
            .with_instance_id(args.get("instance").map(|id| wire(id)))
            .with_rack_id(args.get("rack").map(|rack| wire(rack)))
            .with_rebalance_timeout_ms(timeout.unwrap_or(if joins { 60_000 } else { -1 }))
            .with_subscribed_topic_names(topics)
            .with_subscribed_topic_regex(args.get("regex").map(|regex| wire(regex)))
            .with_server_assignor(args.get("assignor").map(|assignor| wire(assignor)))
            .with_topic_partitions(owned.map(|owned| {
                let topic = |(topic, partitions): (TopicId, Vec<i32>)| {
                    TopicPartitions::default().with_topic_id(topic.0).with_partitions(partitions)
                };
                owned.into_iter().map(topic).collect()
            }))
    }

    /// What a leader gives to whom, as in `a@foo:0,1|b@foo:2`.
    fn given(&self, text: &str) -> Vec<SyncGroupRequestAssignment> {
        let one = |one: &str| {
            let (name, partitions) = one.split_once('@').unwrap();
            let partitions = parse(partitions);
            let names: Vec<_> = partitions
                .iter()
                .map(|(topic, partitions)| (topic_name(*topic), partitions.clone()))
                .collect();
            let names = names.iter().map(|(name, p)| (name.as_str(), p.clone())).collect();
            SyncGroupRequestAssignment::default()
                .with_member_id(wire(self.clients[name].id.as_deref().unwrap()))
                .with_assignment(embedded::encode_assignment(1, &names))
        };
        text.split('|').filter(|one| !one.is_empty()).map(one).collect()
    }

    fn classic_join(&mut self, name: &str, args: &Args<'_>) {
        let client = self.clients.entry(name.to_owned()).or_default();
        let owned = match args.get("owned").copied() {
            Some("acked") => client.assigned.clone(),
            Some(partitions) => parse(partitions),
            None => BTreeMap::new(),
        };
        let topics: Vec<_> = list(args.get("topics")).collect();
        let metadata = subscription(&topics, &owned);
        let protocols = list(Some(args.get("protocols").unwrap_or(&"range"))).map(|protocol| {
            JoinGroupRequestProtocol::default()
                .with_name(wire(protocol))
                .with_metadata(metadata.clone())
        });
        let timeout = args.get("timeout").map_or(60_000, |timeout| timeout.parse().unwrap());
        let request = JoinGroupRequest::default()
            .with_group_id(group_id())
            .with_session_timeout_ms(30_000)
            .with_rebalance_timeout_ms(timeout)
            .with_member_id(wire(client.id.as_deref().unwrap_or_default()))
            .with_group_instance_id(args.get("instance").map(|id| wire(id)))
            .with_protocol_type(wire("consumer"))
            .with_protocols(protocols.collect());
        let token = self.world.ask(9, Request::JoinGroup(request));
        self.waiting.insert(token, name.to_owned());
    }

    fn answer(&mut self, name: &str, answer: Answer, out: &mut String) {
        let client = self.clients.entry(name.to_owned()).or_default();
        match answer {
            Err(crate::GroupError::MemberIdRequired { member_id }) => {
                client.id = Some(member_id);
                writeln!(out, "{name}: MemberIdRequired").unwrap();
            }
            Err(error) => {
                // Random ids are not for golden files.
                let kind = format!("{error:?}");
                let kind = kind.split(['(', '{']).next().unwrap().trim().to_owned();
                writeln!(out, "{name}: {kind}: {}", names(&error.to_string(), &self.clients))
                    .unwrap();
            }
            Ok(Response::ConsumerGroupHeartbeat(response)) => {
                client.epoch = response.member_epoch;
                let mut line = format!("{name}: epoch {}", response.member_epoch);
                if let Some(assignment) = response.assignment {
                    client.assigned = assignment
                        .topic_partitions
                        .iter()
                        .map(|topic| (KafkaUuid(topic.topic_id), topic.partitions.clone()))
                        .collect();
                    write!(line, ", has {}", shown(&client.assigned)).unwrap();
                }
                writeln!(out, "{line}").unwrap();
            }
            Ok(Response::JoinGroup(response)) => {
                client.epoch = response.generation_id;
                client.id = Some(response.member_id.to_string());
                let protocol = response.protocol_name.as_deref().unwrap_or("-");
                let leads = if response.leader == response.member_id { ", leads" } else { "" };
                let generation = response.generation_id;
                writeln!(out, "{name}: joined generation {generation} by {protocol}{leads}")
                    .unwrap();
            }
            Ok(Response::SyncGroup(response)) => {
                let assigned = embedded::assignment(&response.assignment).unwrap();
                client.assigned = assigned
                    .partitions
                    .iter()
                    .map(|(topic, partitions)| (topic_id(topic), partitions.clone()))
                    .collect();
                writeln!(out, "{name}: synced, has {}", shown(&client.assigned)).unwrap();
            }
            Ok(Response::Heartbeat(_)) => writeln!(out, "{name}: ok").unwrap(),
            Ok(Response::LeaveGroup(response)) => {
                let codes: Vec<_> = response.members.iter().map(|m| m.error_code).collect();
                writeln!(out, "{name}: left {codes:?}").unwrap();
            }
            Ok(other) => writeln!(out, "{name}: {other:?}").unwrap(),
        }
    }

    fn describe(&mut self, out: &mut String) {
        let describe = Request::ConsumerGroupDescribe(wire(GROUP));
        let group = match self.world.ask_now(1, describe).unwrap() {
            Ok(Response::ConsumerGroupDescribe(group)) => group,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                writeln!(out, "{error}").unwrap();
                let Some(live) = self.world.groups.classic.get(GROUP) else { return };
                writeln!(out, "classic, {:?}, generation {}", live.phase, live.generation).unwrap();
                let mut lines: Vec<_> = live
                    .members()
                    .map(|member| {
                        let assigned = embedded::assignment(&member.assignment).unwrap();
                        let assigned = assigned.partitions.iter();
                        let assigned = assigned.map(|(t, p)| (topic_id(t), p.clone())).collect();
                        let name = names(&member.id, &self.clients);
                        format!("  {name}: {}", shown(&assigned))
                    })
                    .collect();
                lines.sort();
                lines.iter().for_each(|line| writeln!(out, "{line}").unwrap());
                return;
            }
        };
        writeln!(
            out,
            "{}, epoch {}, target {}, {}",
            &*group.group_state, group.group_epoch, group.assignment_epoch, &*group.assignor_name
        )
        .unwrap();
        let mut lines = Vec::new();
        for member in &group.members {
            let mut line = format!("  {}", names(&member.member_id, &self.clients));
            if let Some(instance) = &member.instance_id {
                write!(line, " ({})", &**instance).unwrap();
            }
            if member.member_type == 0 {
                line.push_str(" classic");
            }
            let partitions = |assignment: &ottla_protocol::messages::consumer_group_describe_response::Assignment| {
                let topics = assignment.topic_partitions.iter();
                shown(&topics.map(|t| (KafkaUuid(t.topic_id), t.partitions.clone())).collect())
            };
            write!(line, ": epoch {}, has {}", member.member_epoch, partitions(&member.assignment))
                .unwrap();
            let (has, wants) =
                (partitions(&member.assignment), partitions(&member.target_assignment));
            if has != wants {
                write!(line, ", should have {wants}").unwrap();
            }
            lines.push(line);
        }
        lines.sort();
        lines.iter().for_each(|line| writeln!(out, "{line}").unwrap());
    }
}

fn group_id() -> GroupId {
    GroupId(wire(GROUP))
}

fn list<'a>(text: Option<&&'a str>) -> impl Iterator<Item = &'a str> + use<'a> {
    text.copied().unwrap_or_default().split(',').filter(|word| !word.is_empty())
}

/// Partitions as in `foo:0,1;bar:2`.
fn parse(text: &str) -> BTreeMap<TopicId, Vec<i32>> {
    text.split(';')
        .map(|topic| {
            let (topic, partitions) = topic.split_once(':').unwrap();
            (topic_id(topic), partitions.split(',').map(|p| p.parse().unwrap()).collect())
        })
        .collect()
}

fn shown(partitions: &BTreeMap<TopicId, Vec<i32>>) -> String {
    if partitions.is_empty() {
        return "nothing".to_owned();
    }
    let topics = partitions.iter().map(|(topic, partitions)| {
        let partitions: Vec<_> = partitions.iter().map(i32::to_string).collect();
        format!("{}:{}", topic_name(*topic), partitions.join(","))
    });
    topics.collect::<Vec<_>>().join(";")
}

/// Ids that were drawn, by the names of their clients.
fn names(text: &str, clients: &BTreeMap<String, Client>) -> String {
    let mut text = text.to_owned();
    for (name, client) in clients {
        if let Some(id) = client.id.as_ref().filter(|id| !id.is_empty()) {
            text = text.replace(id, name);
        }
    }
    text
}

/// A consumer's subscription, version 1.
pub(super) fn subscription(topics: &[&str], owned: &BTreeMap<TopicId, Vec<i32>>) -> Bytes {
    let mut bytes = vec![0, 1];
    let count = |bytes: &mut Vec<u8>, count: usize| {
        bytes.extend_from_slice(&i32::try_from(count).unwrap().to_be_bytes());
    };
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend_from_slice(&i16::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    count(&mut bytes, topics.len());
    topics.iter().for_each(|topic| text(&mut bytes, topic));
    bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    count(&mut bytes, owned.len());
    for (topic, partitions) in owned {
        text(&mut bytes, &topic_name(*topic));
        count(&mut bytes, partitions.len());
        partitions.iter().for_each(|p| bytes.extend_from_slice(&p.to_be_bytes()));
    }
    Bytes::from(bytes)
}

#[test]
fn scripts_come_out_as_written() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/consumer");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut script = Script::new();
        let mut out = String::new();
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("> ") {
                writeln!(out, "{line}").unwrap();
                out.push_str(&script.run(command.trim()));
            } else if line.starts_with('#') || line.is_empty() {
                writeln!(out, "{line}").unwrap();
            }
        }
        if out != text {
            if update {
                std::fs::write(&file, &out).unwrap();
            } else {
                wrong.push(format!("{}\n{out}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
