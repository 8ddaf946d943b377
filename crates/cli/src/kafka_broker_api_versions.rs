//! `kafka-broker-api-versions`: which requests in which versions each broker serves.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use ottla_client::{BrokerVersions, Node};

use crate::console::{preamble, say};
use crate::exceptions::Failure;
use crate::jopt::{self, Given, Opt, flag, value};
use crate::properties::{self, client_options};
use crate::session;

/// Kafka's tool does not try again; this is enough for a busy machine.
const PATIENCE_MS: u64 = 2_000;

pub(crate) const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server(s) to use", "REQUIRED: host:port, …"),
    value("command-config", "String: config file", "Properties of the client."),
    flag("help", "Print this."),
    flag("version", "Print the version."),
];

/// Every request that clients of Kafka 4.3 send: name, key, lowest and highest version.
const KNOWN: &[(&str, i16, i16, i16)] = &[
    ("Produce", 0, 3, 13),
    ("Fetch", 1, 4, 18),
    ("ListOffsets", 2, 1, 11),
    ("Metadata", 3, 0, 13),
    ("OffsetCommit", 8, 2, 10),
    ("OffsetFetch", 9, 1, 10),
    ("FindCoordinator", 10, 0, 6),
    ("JoinGroup", 11, 0, 9),
    ("Heartbeat", 12, 0, 4),
    ("LeaveGroup", 13, 0, 5),
    ("SyncGroup", 14, 0, 5),
    ("DescribeGroups", 15, 0, 6),
    ("ListGroups", 16, 0, 5),
    ("SaslHandshake", 17, 0, 1),
    ("ApiVersions", 18, 0, 4),
    ("CreateTopics", 19, 2, 7),
    ("DeleteTopics", 20, 1, 6),
    ("DeleteRecords", 21, 0, 2),
    ("InitProducerId", 22, 0, 6),
    ("OffsetForLeaderEpoch", 23, 2, 4),
    ("AddPartitionsToTxn", 24, 0, 5),
    ("AddOffsetsToTxn", 25, 0, 4),
    ("EndTxn", 26, 0, 5),
    ("WriteTxnMarkers", 27, 1, 2),
    ("TxnOffsetCommit", 28, 0, 5),
    ("DescribeAcls", 29, 1, 3),
    ("CreateAcls", 30, 1, 3),
    ("DeleteAcls", 31, 1, 3),
    ("DescribeConfigs", 32, 1, 4),
    ("AlterConfigs", 33, 0, 2),
    ("AlterReplicaLogDirs", 34, 1, 2),
    ("DescribeLogDirs", 35, 1, 5),
    ("SaslAuthenticate", 36, 0, 2),
    ("CreatePartitions", 37, 0, 3),
    ("CreateDelegationToken", 38, 1, 3),
    ("RenewDelegationToken", 39, 1, 2),
    ("ExpireDelegationToken", 40, 1, 2),
    ("DescribeDelegationToken", 41, 1, 3),
    ("DeleteGroups", 42, 0, 2),
    ("ElectLeaders", 43, 0, 2),
    ("IncrementalAlterConfigs", 44, 0, 1),
    ("AlterPartitionReassignments", 45, 0, 1),
    ("ListPartitionReassignments", 46, 0, 0),
    ("OffsetDelete", 47, 0, 0),
    ("DescribeClientQuotas", 48, 0, 1),
    ("AlterClientQuotas", 49, 0, 1),
    ("DescribeUserScramCredentials", 50, 0, 0),
    ("AlterUserScramCredentials", 51, 0, 0),
    ("DescribeQuorum", 55, 0, 2),
    ("UpdateFeatures", 57, 0, 2),
    ("DescribeCluster", 60, 0, 2),
    ("DescribeProducers", 61, 0, 0),
    ("UnregisterBroker", 64, 0, 0),
    ("DescribeTransactions", 65, 0, 0),
    ("ListTransactions", 66, 0, 2),
    ("ConsumerGroupHeartbeat", 68, 0, 1),
    ("ConsumerGroupDescribe", 69, 0, 1),
    ("GetTelemetrySubscriptions", 71, 0, 0),
    ("PushTelemetry", 72, 0, 0),
    ("ListConfigResources", 74, 0, 1),
    ("DescribeTopicPartitions", 75, 0, 0),
    ("ShareGroupHeartbeat", 76, 1, 1),
    ("ShareGroupDescribe", 77, 1, 1),
    ("ShareFetch", 78, 1, 2),
    ("ShareAcknowledge", 79, 1, 2),
    ("AddRaftVoter", 80, 0, 1),
    ("RemoveRaftVoter", 81, 0, 0),
    ("InitializeShareGroupState", 83, 0, 0),
    ("ReadShareGroupState", 84, 0, 0),
    ("WriteShareGroupState", 85, 0, 1),
    ("DeleteShareGroupState", 86, 0, 0),
    ("ReadShareGroupStateSummary", 87, 0, 1),
    ("StreamsGroupHeartbeat", 88, 0, 0),
    ("StreamsGroupDescribe", 89, 0, 0),
    ("DescribeShareGroupOffsets", 90, 0, 1),
    ("AlterShareGroupOffsets", 91, 0, 0),
    ("DeleteShareGroupOffsets", 92, 0, 0),
];

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let given = match jopt::parse(OPTIONS, &args) {
        Ok(given) => given,
        Err(error) => return Failure::from(error).caught(),
    };
    let about = "This tool helps to retrieve broker version information.";
    if let Some(code) = preamble(&given, &args, OPTIONS, about, &["bootstrap-server"]) {
        return code;
    }
    session::run_or(print_versions(&given), Failure::caught)
}

async fn print_versions(given: &Given) -> Result<(), Failure> {
    let bootstrap = given.one("bootstrap-server")?.unwrap_or_default();
    let properties = properties::read(given.one("command-config")?)?;
    let mut options = client_options("admin-1", &properties)?;
    options.api_timeout_ms = options.api_timeout_ms.min(PATIENCE_MS);
    let client = session::client(bootstrap, options).await;
    let client = client.map_err(|error| Failure::config(error.to_string()))?;
    if client.refresh().await.is_err() {
        let asked: Vec<_> = bootstrap
            .split(',')
            .map(|address| format!("{address} (id: -1 rack: null isFenced: false)"))
            .collect();
        let message = format!("Request METADATA failed on brokers [{}]", asked.join(", "));
        return Err(Failure::new("java.lang.RuntimeException", message));
    }
    for (id, node) in &client.metadata().nodes {
        match client.versions(*id).await {
            Ok(versions) => say(&text(node, &versions)),
            Err(error) => say(&format!("{} -> ERROR: {error}", name(node))),
        }
    }
    Ok(())
}

fn name(node: &Node) -> String {
    let rack = node.rack.as_deref().unwrap_or("null");
    format!("{} (id: {} rack: {rack} isFenced: false)", node.address, node.id)
}

fn text(node: &Node, versions: &BrokerVersions) -> String {
    let mut lines: Vec<String> = Vec::new();
    for key in 0..i8::MAX.into() {
        let known = KNOWN.iter().find(|(_, known, ..)| *known == key);
        let range = versions.range(key);
        let mut line = match (known, range) {
            (None, None) => continue,
            (Some((name, ..)), _) => format!("\t{name}({key}): "),
            (None, Some(_)) => format!("\tUNKNOWN({key}): "),
        };
        line += &match (known, range) {
            (_, None) => "UNSUPPORTED".to_owned(),
            (None, Some(range)) => span(range),
            (Some((_, _, oldest, latest)), Some((min, max))) => {
                let usable = if max < *oldest {
                    "unusable: node too old".to_owned()
                } else if *latest < min {
                    "unusable: node too new".to_owned()
                } else {
                    format!("usable: {}", max.min(*latest))
                };
                format!("{} [{usable}]", span((min, max)))
            }
        };
        lines.push(line);
    }
    let mut text = format!("{} -> (\n", name(node));
    let _ = write!(text, "{}\n)", lines.join(",\n"));
    text
}

fn span((min, max): (i16, i16)) -> String {
    if min == max { min.to_string() } else { format!("{min} to {max}") }
}
