//! Events and the state of things as text. Pure.

use std::collections::BTreeMap;

use ottla_metadata::{Image, Partition};

use super::events::{Event, What, address};

/// `12:34:56.789`, UTC.
pub(super) fn time_of_day(at_ms: i64) -> String {
    let ms = at_ms.rem_euclid(86_400_000);
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

/// One event in a line, without its time.
pub(super) fn line(event: &Event) -> String {
    match &event.what {
        What::ActiveController { new: None, term, .. } => {
            format!("controllers: no leader known, term {term}")
        }
        What::ActiveController { old: None, new: Some(new), term } => {
            format!("controllers: {new} is active, term {term}")
        }
        What::ActiveController { old: Some(old), new: Some(new), term } => {
            format!("controllers: active {old} → {new}, term {term}")
        }
        What::BrokerRegistered { broker, broker_epoch, address } => {
            format!("broker {broker}: registered at {address}, broker epoch {broker_epoch}")
        }
        What::BrokerUnfenced { broker } => format!("broker {broker}: caught up → unfenced"),
        What::BrokerShuttingDown { broker } => {
            format!("broker {broker}: asks to stop → hands over its leaderships")
        }
        What::BrokerFenced { broker, cause, noticed_ms_before } => {
            let noticed = noticed_ms_before
                .map(|ms| format!(", {ms} ms after it was noticed"))
                .unwrap_or_default();
            format!("broker {broker}: {cause} → fenced{noticed}")
        }
        What::BrokerRemoved { broker } => format!("broker {broker}: removed"),
        What::TopicCreated { topic, partitions, replication_factor } => {
            format!(
                "{topic}: created, partitions {partitions}, replication factor {replication_factor}"
            )
        }
        What::TopicDeleted { topic } => format!("{topic}: deleted"),
        What::Leader(change) => {
            let unavailable = change
                .unavailable_ms
                .map(|ms| format!(", unavailable {ms} ms"))
                .unwrap_or_default();
            format!(
                "{}-{}: leader {} → {}, epoch {} → {}{unavailable}{}",
                change.topic,
                change.partition,
                id(change.old),
                id(change.new),
                change.old_epoch,
                change.new_epoch,
                if change.unclean { ", unclean: records may be lost" } else { "" }
            )
        }
        What::Isr(change) => {
            let mut why = Vec::new();
            if !change.left.is_empty() {
                why.push(format!("{} left", ids(&change.left)));
            }
            if !change.joined.is_empty() {
                why.push(format!("{} caught up", ids(&change.joined)));
            }
            format!(
                "{}-{}: in sync {}, {}",
                change.topic,
                change.partition,
                ids(&change.isr),
                why.join(", ")
            )
        }
        What::ConfigChanged { of } => format!("{of}: configuration changed"),
    }
}

fn id(id: Option<i32>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

fn ids(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

/// The brokers and partitions as they stand, one line each, with a heading for each table.
pub(super) fn state(
    image: &Image,
    controller: Option<i32>,
    topic: Option<&str>,
    high_watermarks: &BTreeMap<i32, i64>,
) -> Vec<String> {
    let mut lines = vec![format!("{:<7} {:<24} {:<9} ROLE", "BROKER", "ADDRESS", "STATE")];
    for broker in image.brokers().values() {
        let state = match (broker.fenced, broker.in_controlled_shutdown) {
            (true, _) => "fenced",
            (false, true) => "stopping",
            (false, false) => "unfenced",
        };
        let role = if controller == Some(broker.id) { "active controller" } else { "" };
        let line = format!("{:<7} {:<24} {state:<9} {role}", broker.id, address(broker));
        lines.push(line.trim_end().to_owned());
    }
    lines.push(String::new());
    lines.push(partition_row(
        "PARTITION",
        "LEADER",
        "EPOCH",
        "REPLICAS",
        "IN SYNC",
        "HIGH WATERMARK",
    ));
    for shown in image.topics().filter(|shown| topic.is_none_or(|topic| *shown.name == *topic)) {
        for (index, partition) in &shown.partitions {
            let high_watermark = match topic {
                Some(_) => high_watermarks.get(index).map(i64::to_string),
                None => None,
            };
            lines.push(partition_line(&shown.name, *index, partition, high_watermark));
        }
    }
    lines
}

fn partition_line(
    topic: &str,
    index: i32,
    partition: &Partition,
    high_watermark: Option<String>,
) -> String {
    partition_row(
        &format!("{topic}-{index}"),
        &id(partition.leader),
        &partition.leader_epoch.to_string(),
        &ids(&partition.replicas),
        &ids(&partition.isr),
        &high_watermark.unwrap_or_default(),
    )
}

fn partition_row(
    partition: &str,
    leader: &str,
    epoch: &str,
    replicas: &str,
    isr: &str,
    high_watermark: &str,
) -> String {
    format!("{partition:<32} {leader:<7} {epoch:<6} {replicas:<10} {isr:<10} {high_watermark}")
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests;
