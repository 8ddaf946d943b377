//! The quorum as text. Pure.

use ottla_client::admin::{Quorum, QuorumReplica};
use ottla_protocol::ids::KafkaUuid;

/// `describe --status`.
pub(super) fn status(cluster_id: &str, quorum: &Quorum) -> String {
    let leader = quorum.voters.iter().find(|voter| voter.id == quorum.leader);
    let end = leader.map_or(quorum.high_watermark, |leader| leader.log_end_offset);
    let caught_up = leader.map_or(-1, |leader| leader.last_caught_up_timestamp);
    let others = || quorum.voters.iter().filter(|voter| voter.id != quorum.leader);
    let slowest = others().min_by_key(|voter| voter.log_end_offset);
    let lag = slowest.map_or(0, |voter| (end - voter.log_end_offset).max(0));
    let lag_time = match slowest {
        Some(voter) if voter.last_caught_up_timestamp >= 0 && caught_up >= 0 => {
            (caught_up - voter.last_caught_up_timestamp).max(0)
        }
        Some(_) => -1,
        None => 0,
    };
    [
        ("ClusterId:", cluster_id.to_owned()),
        ("LeaderId:", quorum.leader.to_string()),
        ("LeaderEpoch:", quorum.leader_epoch.to_string()),
        ("HighWatermark:", quorum.high_watermark.to_string()),
        ("MaxFollowerLag:", lag.to_string()),
        ("MaxFollowerLagTimeMs:", lag_time.to_string()),
        ("CurrentVoters:", members(&quorum.voters)),
        ("CurrentObservers:", members(&quorum.observers)),
    ]
    .map(|(name, value)| format!("{name:<24}{value}"))
    .join("\n")
}

fn members(replicas: &[QuorumReplica]) -> String {
    let member = |replica: &QuorumReplica| {
        let mut fields = vec![format!("\"id\": {}", replica.id)];
        if replica.directory_id != KafkaUuid::ZERO {
            fields.push(format!("\"directoryId\": \"{}\"", replica.directory_id));
        }
        if !replica.endpoints.is_empty() {
            let endpoints: Vec<String> = replica
                .endpoints
                .iter()
                .map(|endpoint| format!("\"{}://{}\"", endpoint.listener, endpoint.address))
                .collect();
            fields.push(format!("\"endpoints\": [{}]", endpoints.join(", ")));
        }
        format!("{{{}}}", fields.join(", "))
    };
    format!("[{}]", replicas.iter().map(member).collect::<Vec<_>>().join(", "))
}

/// `describe --replication`; with `now_ms`, times are how long ago they were.
pub(super) fn replication(quorum: &Quorum, now_ms: Option<i64>) -> String {
    let leader = quorum.voters.iter().find(|voter| voter.id == quorum.leader);
    let end = leader.map_or(quorum.high_watermark, |leader| leader.log_end_offset);
    let time = |timestamp: i64| match now_ms {
        Some(now) if timestamp >= 0 => format!("{} ms ago", (now - timestamp).max(0)),
        _ => timestamp.to_string(),
    };
    let row = |replica: &QuorumReplica, status: &str| {
        [
            replica.id.to_string(),
            replica.directory_id.to_string(),
            replica.log_end_offset.to_string(),
            (end - replica.log_end_offset).max(0).to_string(),
            time(replica.last_fetch_timestamp),
            time(replica.last_caught_up_timestamp),
            status.to_owned(),
        ]
    };
    let followers = quorum.voters.iter().filter(|voter| voter.id != quorum.leader);
    let head = [
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ];
    let rows: Vec<[String; 7]> = std::iter::once(head.map(str::to_owned))
        .chain(leader.map(|leader| row(leader, "Leader")))
        .chain(followers.map(|voter| row(voter, "Follower")))
        .chain(quorum.observers.iter().map(|observer| row(observer, "Observer")))
        .collect();
    table(&rows)
}

/// Cells padded to the width of their column, a tab behind each.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let line = |row: &[String; N]| -> String {
        row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}\t")).collect()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
