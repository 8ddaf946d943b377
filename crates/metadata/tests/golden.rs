//! Plays the scripts in `testdata/`: each line that starts with `>` is done to a cluster, and below
//! it stand the records that it made and the answer. `UPDATE_GOLDEN=1` writes what came out.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use ottla_metadata::plan::brokers::{self, Registration};
use ottla_metadata::plan::{self, Plan, balance};
use ottla_metadata::proposal::{
    AlterConfig, AlterConfigOp, AlterConfigResource, AlterConfigs, AlterPartition, Assignment,
    CreatePartitions, CreateTopics, ElectLeaders, ElectionType, GrowTopic, IsrMember, NewTopic,
    Outcome, Proposal, Proposer, Refusal, Reply, ResourceType,
};
use ottla_metadata::record::{BrokerChange, ConfigResource};
use ottla_metadata::{Batch, Endpoint, FenceCause, Image, Limits, Partition, Record};
use ottla_protocol::ids::{KafkaUuid, TopicIdPartition};

fn check(script: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(script);
    let expected = std::fs::read_to_string(&path).expect("the script is there");
    let played = play(&expected);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, played).expect("the script can be written");
        return;
    }
    for (number, (played, expected)) in (1..).zip(played.lines().zip(expected.lines())) {
        assert_eq!(played, expected, "{script}:{number} (UPDATE_GOLDEN=1 writes what came out)");
    }
    assert_eq!(played, expected, "{script}: one of the two is longer");
}

#[test]
fn topics_are_created_and_refused_in_kafkas_words() {
    check("create_topics.txt");
}

#[test]
fn partitions_are_added_and_topics_deleted() {
    check("grow_and_delete.txt");
}

#[test]
fn configuration_is_altered_in_kafkas_words() {
    check("configs.txt");
}

#[test]
fn brokers_come_and_go() {
    check("brokers.txt");
}

#[test]
fn a_leader_is_killed_and_comes_back() {
    check("failover.txt");
}

#[test]
fn in_sync_sets_change_by_compare_and_set() {
    check("alter_partition.txt");
}

#[test]
fn eligible_replicas_by_kip_966() {
    check("eligible_leaders.txt");
}

#[test]
fn elections_on_request_and_balance() {
    check("elections.txt");
}

#[test]
fn power_fails_everywhere() {
    check("power_cut.txt");
}

fn play(script: &str) -> String {
    let mut cluster = Cluster::default();
    let mut out = String::new();
    let mut in_answer = false;
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").expect("a string");
            cluster.run(command, &mut out);
            in_answer = true;
        } else if line.is_empty() || line.starts_with('#') || !in_answer {
            writeln!(out, "{line}").expect("a string");
            in_answer = false;
        }
    }
    out
}

#[derive(Default)]
struct Cluster {
    image: Image,
    limits: Limits,
    steps: u64,
}

/// The words of a command: plain ones in order, `key=value` ones by key.
struct Words<'a> {
    plain: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn of(command: &'a str) -> Self {
        let (named, plain): (Vec<_>, Vec<_>) =
            command.split_whitespace().partition(|word| word.contains('='));
        let named = named.into_iter().filter_map(|word| word.split_once('=')).collect();
        Self { plain, named }
    }

    fn number(&self, index: usize) -> i32 {
        self.plain[index].parse().expect("a number")
    }

    fn named_number<T: std::str::FromStr>(&mut self, key: &str, otherwise: T) -> T {
        self.named.remove(key).map_or(otherwise, |text| text.parse().ok().expect("a number"))
    }

    fn flag(&mut self, word: &str) -> bool {
        let before = self.plain.len();
        self.plain.retain(|plain| *plain != word);
        before != self.plain.len()
    }
}

fn ids(text: &str, separator: char) -> Vec<i32> {
    let part = |part: &str| part.parse().expect("a broker id");
    text.split(separator).filter(|text| !text.is_empty()).map(part).collect()
}

fn assignments(text: &str) -> Vec<Vec<i32>> {
    text.split(',').filter(|text| !text.is_empty()).map(|text| ids(text, ':')).collect()
}

impl Cluster {
    fn run(&mut self, command: &str, out: &mut String) {
        let mut words = Words::of(command);
        let verb = words.plain.remove(0);
        match verb {
            "cluster" => self.commit(
                Plan {
                    records: vec![Record::ClusterId(words.plain[0].into())],
                    reply: "ok".to_owned(),
                },
                out,
            ),
            "set" => {
                let entries = words.named.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
                self.limits.static_values.extend(entries);
            }
            "register" => self.register(words, out),
            "unfence" | "fence" | "shutdown" => self.change_broker(verb, &words, out),
            "create" => self.create(words, out),
            "delete" => {
                let id = self.image.topic_by_name(words.plain[0]).map(|topic| topic.id);
                self.propose(&Proposal::DeleteTopics(vec![id.unwrap_or(KafkaUuid::ZERO)]), out);
            }
            "grow" => self.grow(words, out),
            "config" => self.config(command, out),
            "alter-isr" => self.alter_isr(words, out),
            "elect" => self.elect(&words, out),
            "balance" => {
                let plan = balance::preferred(&self.image, &self.limits);
                let reply = format!("{} leaders change", plan.reply);
                self.commit(Plan { records: plan.records, reply }, out);
            }
            "producer-ids" => self.propose_as(words.number(0), &Proposal::AllocateProducerIds, out),
            "show" => self.show(words.plain[0], out),
            other => panic!("what is '{other}'?"),
        }
    }

    fn register(&mut self, mut words: Words<'_>, out: &mut String) {
        let id = words.number(0);
        let epoch = self.image.broker(id).map_or(-1, |broker| broker.epoch);
        let previous_broker_epoch = match words.named.remove("previous") {
            Some("clean") => epoch,
            Some("new-disk") => brokers::NEW_DATA_DIRECTORY,
            Some(text) => text.parse().expect("an epoch"),
            None => -1,
        };
        let process: u8 = words.named_number("process", self.steps as u8 + 100);
        let listener = words.named.remove("listener").unwrap_or("PLAINTEXT");
        let registration = Registration {
            broker_id: id,
            incarnation_id: KafkaUuid::from_bytes([process; 16]),
            endpoints: vec![Endpoint {
                listener: listener.into(),
                host: "localhost".into(),
                port: 9091_u16.wrapping_add_signed(id as i16),
                security_protocol: "PLAINTEXT".into(),
            }],
            rack: words.named.remove("rack").map(Into::into),
            inter_broker_listener: "PLAINTEXT".into(),
            previous_broker_epoch,
        };
        let plan = brokers::register(&self.image, &self.limits, &registration);
        self.commit_or_refuse(plan, |epoch| format!("ok, epoch {epoch}"), out);
    }

    fn change_broker(&mut self, verb: &str, words: &Words<'_>, out: &mut String) {
        let id = words.number(0);
        let registered = self.image.broker(id).map_or(-1, |broker| broker.epoch);
        let epoch = words.named.get("epoch").map_or(registered, |e| e.parse().expect("an epoch"));
        let (image, limits) = (&self.image, &self.limits);
        let plan = match verb {
            "unfence" => brokers::unfence(image, limits, id, epoch),
            "fence" => {
                let cause = FenceCause::ConnectionRefused;
                brokers::fence(image, limits, id, epoch, cause, 7)
            }
            _ => brokers::controlled_shutdown(image, limits, id, epoch),
        };
        self.commit_or_refuse(plan, |()| "ok".to_owned(), out);
    }

    fn create(&mut self, mut words: Words<'_>, out: &mut String) {
        let validate_only = words.flag("validate-only");
        let partitions = words.named_number("partitions", -1);
        let replication_factor = words.named_number("rf", -1);
        let by_hand = assignments(words.named.remove("assign").unwrap_or_default());
        let assignments = (0..)
            .zip(by_hand)
            .map(|(partition, replicas)| Assignment { partition, replicas })
            .collect::<Vec<_>>();
        let configs: Vec<_> = words
            .named
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect();
        let topic = |name: &&str| NewTopic {
            name: name.trim_matches('"').into(),
            partitions,
            replication_factor,
            assignments: assignments.clone(),
            configs: configs.clone(),
        };
        let topics = words.plain.iter().map(topic).collect();
        self.propose(&Proposal::CreateTopics(CreateTopics { topics, validate_only }), out);
    }

    fn grow(&mut self, mut words: Words<'_>, out: &mut String) {
        let validate_only = words.flag("validate-only");
        let topics = vec![GrowTopic {
            name: words.plain[0].into(),
            partitions: words.number(1),
            assignments: words.named.get("assign").map(|text| assignments(text)),
        }];
        self.propose(&Proposal::CreatePartitions(CreatePartitions { topics, validate_only }), out);
    }

    /// `config topic NAME set|delete|append|subtract KEY[=VALUE]…`, `config broker ID|default …`.
    fn config(&mut self, command: &str, out: &mut String) {
        let words: Vec<_> = command.split_whitespace().skip(1).collect();
        let (kind, name, verb, keys) = (words[0], words[1], words[2], &words[3..]);
        let op = match verb {
            "set" | "replace" => AlterConfigOp::Set,
            "delete" => AlterConfigOp::Delete,
            "append" => AlterConfigOp::Append,
            _ => AlterConfigOp::Subtract,
        };
        let alter = |word: &&str| {
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (*word, None),
            };
            AlterConfig { op, key: key.to_owned(), value }
        };
        let resource_type =
            if kind == "topic" { ResourceType::Topic } else { ResourceType::Broker };
        let name = if name == "default" { "" } else { name }.to_owned();
        let alters = keys.iter().map(alter).collect();
        let replace_all = verb == "replace";
        let resources = vec![AlterConfigResource { resource_type, name, alters, replace_all }];
        self.propose(
            &Proposal::AlterConfigs(AlterConfigs { resources, validate_only: false }),
            out,
        );
    }

    fn alter_isr(&mut self, mut words: Words<'_>, out: &mut String) {
        let (id, partition) = self.partition(words.plain[0]);
        let leader = words.named_number("by", partition.leader.unwrap_or(-1));
        let epoch_of = |id: i32| self.image.broker(id).map_or(-1, |broker| broker.epoch);
        let member = |text: &str| match text.split_once('@') {
            Some((id, epoch)) => IsrMember {
                broker_id: id.parse().expect("a broker"),
                broker_epoch: epoch.parse().expect("an epoch"),
            },
            None => {
                let broker_id = text.parse().expect("a broker");
                IsrMember { broker_id, broker_epoch: epoch_of(broker_id) }
            }
        };
        let members = words.named.remove("isr").unwrap_or_default();
        let new_isr = members.split(',').filter(|text| !text.is_empty()).map(member).collect();
        let wish = AlterPartition {
            id,
            leader_epoch: words.named_number("leader-epoch", partition.leader_epoch),
            partition_epoch: words.named_number("partition-epoch", partition.partition_epoch),
            new_isr,
        };
        self.propose_as(leader, &Proposal::AlterPartitions(vec![wish]), out);
    }

    fn elect(&mut self, words: &Words<'_>, out: &mut String) {
        let election_type = match words.plain[0] {
            "preferred" => ElectionType::Preferred,
            _ => ElectionType::Unclean,
        };
        let (topic, index) = words.plain[1].rsplit_once('-').expect("topic-partition");
        let partitions = vec![(topic.into(), index.parse().expect("an index"))];
        self.propose(&Proposal::ElectLeaders(ElectLeaders { election_type, partitions }), out);
    }

    fn partition(&self, name: &str) -> (TopicIdPartition, Partition) {
        let (topic, index) = name.rsplit_once('-').expect("topic-partition");
        let topic = self.image.topic_by_name(topic).expect("a topic");
        let index = index.parse().expect("an index");
        let partition = topic.partitions[&index].as_ref().clone();
        (TopicIdPartition::new(topic.id, index), partition)
    }

    fn propose(&mut self, proposal: &Proposal, out: &mut String) {
        self.propose_as(-1, proposal, out);
    }

    fn propose_as(&mut self, broker_id: i32, proposal: &Proposal, out: &mut String) {
        let broker_epoch = self.image.broker(broker_id).map_or(-1, |broker| broker.epoch);
        let proposer = Proposer { broker_id, broker_epoch };
        let seed = u128::from(self.steps) << 64 | 42;
        let plan = plan::propose(&self.image, &self.limits, seed, proposer, proposal);
        let reply = reply_text(&plan.reply);
        self.commit(Plan { records: plan.records, reply }, out);
    }

    fn commit_or_refuse<R>(
        &mut self,
        plan: Result<Plan<R>, Refusal>,
        text: impl FnOnce(R) -> String,
        out: &mut String,
    ) {
        match plan {
            Ok(Plan { records, reply }) => self.commit(Plan { records, reply: text(reply) }, out),
            Err(refusal) => writeln!(out, "{refusal}").expect("a string"),
        }
    }

    fn commit(&mut self, plan: Plan<String>, out: &mut String) {
        self.steps += 1;
        let before = self.image.clone();
        let batch = Batch { records: plan.records, timestamp_ms: 0 };
        let delta = self.image.replay_batch(self.steps, &batch);
        assert_eq!(delta.ignored, [], "a plan makes only records that mean something");
        for record in &batch.records {
            writeln!(out, "{}", self.record_text(&before, record)).expect("a string");
        }
        writeln!(out, "{}", plan.reply).expect("a string");
        support::check_image(&self.image);
        support::check_step(&before, &self.image);
    }

    fn record_text(&self, before: &Image, record: &Record) -> String {
        let name = |id| {
            let topic = self.image.topic(id).or(before.topic(id));
            topic.map_or_else(|| "?".to_owned(), |topic| topic.name.to_string())
        };
        match record {
            Record::ClusterId(id) => format!("cluster {id}"),
            Record::RegisterBroker(broker) => {
                format!("broker {} registered, epoch {}", broker.broker_id, broker.broker_epoch)
            }
            Record::BrokerChange(change) => change_text(change),
            Record::UnregisterBroker { broker_id, .. } => format!("broker {broker_id} gone"),
            Record::Topic { name, .. } => format!("topic {name}"),
            Record::RemoveTopic(id) => format!("topic {} removed", name(*id)),
            Record::Partition { id, state } => {
                format!("{}-{} {}", name(id.topic_id), id.partition, state_text(state))
            }
            Record::Config { resource, key, value } => {
                let resource = match resource {
                    ConfigResource::Topic(name) => format!("topic {name}"),
                    ConfigResource::ClusterDefault => "brokers".to_owned(),
                    ConfigResource::Broker(id) => format!("broker {id}"),
                };
                match value {
                    Some(value) => format!("config of {resource}: {key}={value}"),
                    None => format!("config of {resource}: {key} removed"),
                }
            }
            Record::ProducerIds { next_producer_id, .. } => {
                format!("next producer id {next_producer_id}")
            }
        }
    }

    fn show(&self, topic: &str, out: &mut String) {
        let topic = self.image.topic_by_name(topic).expect("a topic");
        for (index, partition) in &topic.partitions {
            writeln!(out, "{}-{index} {}", topic.name, state_text(partition)).expect("a string");
        }
    }
}

fn change_text(change: &BrokerChange) -> String {
    let mut text = format!("broker {}", change.broker_id);
    match change.fenced {
        Some(true) => write!(text, " fenced ({:?})", change.cause).expect("a string"),
        Some(false) => text.push_str(" unfenced"),
        None => {}
    }
    if change.in_controlled_shutdown == Some(true) {
        text.push_str(" shutting down");
    }
    text
}

fn state_text(state: &Partition) -> String {
    let list = |ids: &[i32]| {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        ids.join(",")
    };
    let leader = state.leader.map_or("none".to_owned(), |id| id.to_string());
    let mut text = format!(
        "leader {leader} (epoch {}) replicas {} isr {}",
        state.leader_epoch,
        list(&state.replicas),
        if state.isr.is_empty() { "none".to_owned() } else { list(&state.isr) },
    );
    if !state.elr.is_empty() {
        write!(text, " elr {}", list(&state.elr)).expect("a string");
    }
    if !state.last_known_elr.is_empty() {
        write!(text, " last leader {}", list(&state.last_known_elr)).expect("a string");
    }
    if state.leader_recovering {
        text.push_str(" recovering");
    }
    write!(text, " [{}]", state.partition_epoch).expect("a string");
    text
}

fn reply_text(reply: &Reply) -> String {
    let outcomes = |outcomes: &[Outcome]| {
        let lines: Vec<_> = outcomes
            .iter()
            .map(|outcome| outcome.as_ref().map_or_else(ToString::to_string, |()| "ok".to_owned()))
            .collect();
        lines.join("\n")
    };
    match reply {
        Reply::CreateTopics(topics) => {
            let lines: Vec<_> = topics
                .iter()
                .map(|topic| match topic {
                    Ok(topic) => {
                        let id = if topic.topic_id == KafkaUuid::ZERO { ", no id" } else { "" };
                        format!(
                            "ok, {} partitions, {} replicas{id}",
                            topic.partitions, topic.replication_factor
                        )
                    }
                    Err(refusal) => refusal.to_string(),
                })
                .collect();
            lines.join("\n")
        }
        Reply::DeleteTopics(list)
        | Reply::CreatePartitions(list)
        | Reply::AlterConfigs(list)
        | Reply::AlterPartitions(list)
        | Reply::ElectLeaders(list) => outcomes(list),
        Reply::AllocateProducerIds(Ok(block)) => {
            format!("ok, {} from {}", block.count, block.first)
        }
        Reply::AllocateProducerIds(Err(refusal)) => refusal.to_string(),
    }
}
