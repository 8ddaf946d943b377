//! Moves between the log directories of one broker.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ottla_client::Admin;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::BrokerId;

use super::assignment::ReplicaId;
use super::stop::{Stop, admin_command_failed};
use super::{failed, joined, plural};
use crate::console::say;
use crate::thrown::Thrown;

/// Between two tries to begin a move of a replica that is not there yet.
const PAUSE: Duration = Duration::from_millis(100);

/// The directories of a replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dirs {
    pub(super) current: Option<String>,
    pub(super) future: Option<String>,
}

/// Where the replicas of some brokers are. A broker that cannot be asked has none.
pub(super) async fn by_replica(
    admin: &Admin,
    brokers: BTreeSet<BrokerId>,
) -> BTreeMap<ReplicaId, Dirs> {
    let asked = brokers.into_iter().map(|broker| async move {
        let dirs = admin.describe_log_dirs(broker).await.unwrap_or_default();
        dirs.into_iter().flat_map(move |dir| {
            let path = dir.path;
            dir.replicas.into_iter().map(move |replica| {
                let id = ReplicaId { partition: replica.partition, broker };
                (id, path.clone(), replica.is_future)
            })
        })
    });
    let mut found: BTreeMap<ReplicaId, Dirs> = BTreeMap::new();
    for (id, path, is_future) in futures::future::join_all(asked).await.into_iter().flatten() {
        let dirs = found.entry(id).or_default();
        if is_future {
            dirs.future = Some(path);
        } else {
            dirs.current = Some(path);
        }
    }
    found
}

/// How far a replica is on its way to a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MoveState {
    /// It is in no directory of its broker that is in service.
    Missing,
    /// It is on its way to the second one.
    Active { current: String, future: String },
    /// It is not on its way, and not there.
    Cancelled { current: String },
    /// It is there.
    Completed,
}

impl MoveState {
    pub(super) fn of(dirs: Option<&Dirs>, target: &str) -> Self {
        match dirs {
            Some(Dirs { current: Some(current), future: Some(future) }) => {
                Self::Active { current: current.clone(), future: future.clone() }
            }
            Some(Dirs { current: Some(current), future: None }) if current == target => {
                Self::Completed
            }
            Some(Dirs { current: Some(current), future: None }) => {
                Self::Cancelled { current: current.clone() }
            }
            _ => Self::Missing,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Cancelled { .. } | Self::Completed)
    }

    pub(super) fn text(&self, replica: &ReplicaId, target: &str) -> String {
        let ReplicaId { partition, broker } = replica;
        match self {
            Self::Missing => format!(
                "Partition {partition} is not found in any live log dir on broker {broker}. There is \
                 likely an offline log directory on the broker."
            ),
            Self::Active { future, .. } if future == target => {
                format!("Reassignment of replica {replica} is still in progress.")
            }
            Self::Active { future, .. } => format!(
                "Partition {partition} on broker {broker} is being moved to log dir {future} instead \
                 of {target}."
            ),
            Self::Cancelled { current } => format!(
                "Partition {partition} on broker {broker} is not being moved from log dir {current} \
                 to {target}."
            ),
            Self::Completed => {
                format!("Reassignment of replica {replica} completed successfully.")
            }
        }
    }
}

/// The states of some replicas on their way to these directories.
pub(super) async fn states(
    admin: &Admin,
    targets: &BTreeMap<ReplicaId, String>,
) -> BTreeMap<ReplicaId, MoveState> {
    let brokers = targets.keys().map(|replica| replica.broker).collect();
    let dirs = by_replica(admin, brokers).await;
    let state = |(replica, target): (&ReplicaId, &String)| {
        (replica.clone(), MoveState::of(dirs.get(replica), target))
    };
    targets.iter().map(state).collect()
}

/// Tells brokers where replicas that are not there yet are to come. What a broker does not like about it is
/// said when the moves begin.
pub(super) async fn announce(admin: &Admin, targets: &BTreeMap<ReplicaId, String>) {
    for (replica, path) in targets {
        let _ = admin.alter_replica_log_dir(replica.broker, &replica.partition, path).await;
    }
}

/// Begins moves; waits for replicas that are not there yet.
pub(super) async fn begin(
    admin: &Admin,
    targets: &BTreeMap<ReplicaId, String>,
    timeout_ms: u64,
) -> Result<(), Stop> {
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let mut pending = targets.clone();
    loop {
        let mut waiting = BTreeMap::new();
        for (replica, path) in pending {
            let said = admin.alter_replica_log_dir(replica.broker, &replica.partition, &path).await;
            match said.map_err(failed("alterReplicaLogDirs"))? {
                Ok(()) => say(&format!(
                    "Successfully started moving log directory to {path} for replica {} with broker \
                     {} ",
                    replica.partition, replica.broker
                )),
                Err(error) if error.error_code() == ErrorCode::ReplicaNotAvailable => {
                    waiting.insert(replica, path);
                }
                Err(error) => {
                    let message = format!("Failed to alter dir for {replica}");
                    let cause = Thrown::execution((&error).into());
                    return Err(Thrown::caused(admin_command_failed(message), cause).into());
                }
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Stop::Terse(format!(
                "Timed out before log directory move{} could be started for: {}",
                plural(waiting.len()),
                joined(waiting.keys())
            )));
        }
        pending = waiting;
        tokio::time::sleep(PAUSE).await;
    }
}
