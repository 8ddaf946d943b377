//! Records and replies as a script shows them.

use std::fmt::Write as _;

use ottla_metadata::proposal::{Outcome, Reply};
use ottla_metadata::quota::QuotaName;
use ottla_metadata::record::{BrokerChange, ConfigResource};
use ottla_metadata::{Image, Partition, Record};
use ottla_protocol::ids::KafkaUuid;

pub(crate) fn record_text(before: &Image, after: &Image, record: &Record) -> String {
    let name = |id| {
        let topic = after.topic(id).or(before.topic(id));
        topic.map_or_else(|| "?".to_owned(), |topic| topic.name.to_string())
    };
    match record {
        Record::ClusterId(id) => format!("cluster {id}"),
        Record::RegisterBroker(broker) => {
            format!("broker {} registered, epoch {}", broker.broker_id, broker.broker_epoch)
        }
        Record::BrokerChange(change) => change_text(change),
        Record::UnregisterBroker { broker_id, .. } => format!("broker {broker_id} gone"),
        Record::OfflineReplicas { broker_id, replicas, .. } => {
            format!("broker {broker_id} has {} offline replicas", replicas.len())
        }
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
                ConfigResource::Group(name) => format!("group {name}"),
                ConfigResource::ClientMetrics(name) => format!("client-metrics {name}"),
            };
            match value {
                Some(value) => format!("config of {resource}: {key}={value}"),
                None => format!("config of {resource}: {key} removed"),
            }
        }
        Record::ProducerIds { next_producer_id, .. } => {
            format!("next producer id {next_producer_id}")
        }
        Record::FeatureLevel { feature, level } => format!("feature {feature}={level}"),
        Record::ClientQuota { entity, key, value } => {
            let name = |name: &QuotaName| match name {
                QuotaName::Default => "<default>".to_owned(),
                QuotaName::Named(name) => name.to_string(),
            };
            let parts = [("user", &entity.user), ("client", &entity.client_id), ("ip", &entity.ip)];
            let whose: Vec<_> = parts
                .iter()
                .filter_map(|(kind, part)| Some(format!("{kind} {}", name(part.as_ref()?))))
                .collect();
            let value = value.map_or("removed".to_owned(), |value| format!("= {:?}", value.get()));
            format!("quota of {}: {} {value}", whose.join(" "), key.name())
        }
        Record::ScramCredential { user, mechanism, credential } => {
            let what = credential
                .as_ref()
                .map_or("removed".to_owned(), |it| format!("of {} iterations", it.iterations));
            format!("credential of {user}: {} {what}", mechanism.name())
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

pub(crate) fn state_text(state: &Partition) -> String {
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
    for (what, ids) in [("adding", &state.adding_replicas), ("removing", &state.removing_replicas)]
    {
        if !ids.is_empty() {
            write!(text, " {what} {}", list(ids)).expect("a string");
        }
    }
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

pub(crate) fn reply_text(reply: &Reply) -> String {
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
        | Reply::ElectLeaders(list)
        | Reply::ReassignPartitions(list)
        | Reply::AlterClientQuotas(list)
        | Reply::AlterScramCredentials(list) => outcomes(list),
        Reply::UnregisterBroker(outcome)
        | Reply::ReportOffline(outcome)
        | Reply::UpdateFeatures(outcome) => outcomes(std::slice::from_ref(outcome)),
        Reply::AllocateProducerIds(Ok(block)) => {
            format!("ok, {} from {}", block.count, block.first)
        }
        Reply::AllocateProducerIds(Err(refusal)) => refusal.to_string(),
    }
}
