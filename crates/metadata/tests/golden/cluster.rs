//! The verbs of a script, done to a cluster.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ottla_metadata::plan::brokers::{self, Registration};
use ottla_metadata::plan::{self, Plan, balance};
use ottla_metadata::proposal::{
    AlterClientQuota, AlterClientQuotas, AlterConfig, AlterConfigOp, AlterConfigResource,
    AlterConfigs, AlterPartition, AlterScramCredential, Assignment, CreatePartitions, CreateTopics,
    ElectLeaders, ElectionType, FeatureUpdate, GrowTopic, IsrMember, NewTopic, Proposal, Proposer,
    Reassign, ReassignPartitions, Refusal, ResourceType, UpdateFeatures, UpgradeType,
};
use ottla_metadata::quota::QuotaValue;
use ottla_metadata::record::ScramCredential;
use ottla_metadata::{Batch, Endpoint, FenceCause, Image, Limits, Partition, Record};
use ottla_protocol::ids::{KafkaUuid, TopicIdPartition};
use ottla_protocol::scram::ScramKeys;

use crate::support;
use crate::text::{record_text, reply_text, state_text};

#[derive(Default)]
pub(crate) struct Cluster {
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
    pub(crate) fn run(&mut self, command: &str, out: &mut String) {
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
            "quota" => self.quota(command, out),
            "scram" => self.scram(command, out),
            "alter-isr" => self.alter_isr(words, out),
            "elect" => self.elect(&words, out),
            "reassign" => self.reassign(words, out),
            "unregister" => self.propose(&Proposal::UnregisterBroker(words.number(0)), out),
            "features" => self.features(words, out),
            "balance" => {
                let settled = words.named.get("settled").map(|text| ids(text, ','));
                let is_settled = |id| settled.as_ref().is_none_or(|settled| settled.contains(&id));
                let plan = balance::preferred(&self.image, &self.limits, is_settled);
                let reply = format!("{} leaders change", plan.reply);
                self.commit(Plan { records: plan.records, reply }, out);
            }
            "producer-ids" => self.propose_as(words.number(0), &Proposal::AllocateProducerIds, out),
            "show" => self.show(words.plain[0], out),
            other => panic!("what is '{other}'?"),
        }
    }

    fn features(&mut self, mut words: Words<'_>, out: &mut String) {
        let upgrade_type = match words.named.remove("type") {
            Some("safe") => UpgradeType::SafeDowngrade,
            Some("unsafe") => UpgradeType::UnsafeDowngrade,
            _ => UpgradeType::Upgrade,
        };
        let validate_only = words.flag("dry-run");
        let update = |(feature, level): (&&str, &&str)| FeatureUpdate {
            feature: (*feature).to_owned(),
            level: level.parse().expect("a level"),
            upgrade_type,
        };
        let updates = words.named.iter().map(update).collect();
        let wish = UpdateFeatures { updates, validate_only };
        self.propose(&Proposal::UpdateFeatures(wish), out);
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

    /// `config topic NAME set|delete|append|subtract KEY[=VALUE]…`, `config broker ID|default …`,
    /// `config group NAME …`, `config client-metrics NAME …`.
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
        let resource_type = match kind {
            "topic" => ResourceType::Topic,
            "group" => ResourceType::Group,
            "client-metrics" => ResourceType::ClientMetrics,
            _ => ResourceType::Broker,
        };
        let name = if name == "default" { "" } else { name }.to_owned();
        let alters = keys.iter().map(alter).collect();
        let replace_all = verb == "replace";
        let resources = vec![AlterConfigResource { resource_type, name, alters, replace_all }];
        self.propose(
            &Proposal::AlterConfigs(AlterConfigs { resources, validate_only: false }),
            out,
        );
    }

    /// `quota user=NAME,client-id=,ip=… KEY=NUMBER… KEY=…`: an empty name is the default, an empty
    /// number takes the quota away.
    fn quota(&mut self, command: &str, out: &mut String) {
        let pair = |text: &str| {
            let (key, value) = text.split_once('=').expect("a pair");
            (key.to_owned(), Some(value.to_owned()).filter(|value| !value.is_empty()))
        };
        let words: Vec<_> = command.split_whitespace().skip(1).collect();
        let op = |(key, value): (String, Option<String>)| {
            (key, value.map(|value| QuotaValue::new(value.parse().expect("a number"))))
        };
        let entry = AlterClientQuota {
            entity: words[0].split(',').filter(|part| *part != "nobody").map(pair).collect(),
            ops: words[1..].iter().map(|word| op(pair(word))).collect(),
        };
        let request = AlterClientQuotas { entries: vec![entry], validate_only: false };
        self.propose(&Proposal::AlterClientQuotas(request), out);
    }

    /// `scram USER=MECHANISM:ITERATIONS… USER=MECHANISM…`: without iterations it is taken away.
    fn scram(&mut self, command: &str, out: &mut String) {
        let alteration = |word: &str| {
            let (user, what) = word.split_once('=').expect("a pair");
            let (mechanism, iterations) = match what.split_once(':') {
                Some((mechanism, iterations)) => (mechanism, Some(iterations)),
                None => (what, None),
            };
            let keys = ScramKeys { stored_key: vec![1], server_key: vec![2] };
            AlterScramCredential {
                user: user.to_owned(),
                mechanism: mechanism.parse().expect("a number"),
                credential: iterations.map(|iterations| ScramCredential {
                    salt: vec![3],
                    keys,
                    iterations: iterations.parse().expect("a number"),
                }),
            }
        };
        let alterations = command.split_whitespace().skip(1).map(alteration).collect();
        self.propose(&Proposal::AlterScramCredentials(alterations), out);
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

    /// `reassign TOPIC-PARTITION to=1,2 …` or `… cancel`.
    fn reassign(&mut self, mut words: Words<'_>, out: &mut String) {
        let allow_replication_factor_change = !words.flag("same-factor");
        let (topic, index) = words.plain[0].rsplit_once('-').expect("topic-partition");
        let partitions = vec![Reassign {
            topic: topic.into(),
            partition: index.parse().expect("an index"),
            replicas: words.named.get("to").map(|text| ids(text, ',')),
        }];
        let request = ReassignPartitions { allow_replication_factor_change, partitions };
        self.propose(&Proposal::ReassignPartitions(request), out);
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
            writeln!(out, "{}", record_text(&before, &self.image, record)).expect("a string");
        }
        writeln!(out, "{}", plan.reply).expect("a string");
        support::check_image(&self.image);
        support::check_step(&before, &self.image);
    }

    fn show(&self, topic: &str, out: &mut String) {
        let topic = self.image.topic_by_name(topic).expect("a topic");
        for (index, partition) in &topic.partitions {
            writeln!(out, "{}-{index} {}", topic.name, state_text(partition)).expect("a string");
        }
    }
}
