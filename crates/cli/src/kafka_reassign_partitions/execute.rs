//! `--execute` and `--cancel`.

use std::collections::{BTreeMap, BTreeSet};

use ottla_client::Admin;
use ottla_client::admin::{Outcome, Reassignment};
use ottla_protocol::ids::{BrokerId, TopicPartition};

use super::assignment::{self, Assignment, Replicas};
use super::log_dirs::{self, MoveState};
use super::stop::Stop;
use super::{failed, joined, plural, throttles};
use crate::console::{print, say};

const UNDER_WAY: &str = "Cannot execute because there is an existing partition assignment.  Use \
                         --additional to override this and create a new partition assignment in \
                         addition to the existing one. The --additional flag can also be used to \
                         change the throttle by resubmitting the current reassignment.";
const RUN_VERIFY: &str = "Warning: You must run --verify periodically, until the reassignment \
                          completes, to ensure the throttle is removed.";

/// What the command line says.
pub(super) struct Wish {
    pub(super) plan: Assignment,
    pub(super) additional: bool,
    /// Bytes per second between brokers.
    pub(super) throttle: Option<u64>,
    /// Bytes per second between log directories.
    pub(super) log_dir_throttle: Option<u64>,
    pub(super) timeout_ms: u64,
    pub(super) same_factor: bool,
}

impl Wish {
    pub(super) async fn execute(self, admin: &Admin) -> Result<(), Stop> {
        let proposed = self.plan.replicas();
        let under_way = under_way(admin).await?;
        if !self.additional && !under_way.is_empty() {
            return Err(Stop::Terse(UNDER_WAY.to_owned()));
        }
        check_brokers(admin, &proposed).await?;
        let current = current(admin, &proposed).await?;
        say(&format!(
            "Current partition replica assignment\n\n{}\n\nSave this to use as the \
             --reassignment-json-file option during rollback",
            assignment::json_with_dirs(admin, &current).await
        ));
        if self.throttle.is_some() || self.log_dir_throttle.is_some() {
            say(RUN_VERIFY);
        }
        if let Some(rate) = self.throttle {
            let moves = throttles::moves(&under_way, &proposed, &current);
            throttles::set(admin, &moves, rate).await?;
        }
        if let Some(rate) = self.log_dir_throttle {
            throttles::set_for_log_dirs(admin, self.plan.log_dirs.keys(), rate).await?;
        }
        log_dirs::announce(admin, &self.plan.log_dirs).await;
        let wishes = proposed.iter().map(|(id, target)| (id.clone(), Some(target.clone())));
        let said = admin.alter_partition_reassignments(&wishes.collect(), !self.same_factor).await;
        let said = said.map_err(failed("alterPartitionReassignments"))?;
        if let Some(errors) = errors(said) {
            return Err(Stop::Terse(format!("Error reassigning partition(s):\n{errors}")));
        }
        say(&format!(
            "Successfully started partition reassignment{} for {}",
            plural(proposed.len()),
            joined(proposed.keys())
        ));
        log_dirs::begin(admin, &self.plan.log_dirs, self.timeout_ms).await
    }
}

async fn under_way(admin: &Admin) -> Result<BTreeMap<TopicPartition, Reassignment>, Stop> {
    let under_way = admin.list_partition_reassignments().await;
    under_way.map_err(failed("listPartitionReassignments"))
}

async fn check_brokers(admin: &Admin, proposed: &Replicas) -> Result<(), Stop> {
    let cluster = admin.describe_cluster(false).await.map_err(failed("listNodes"))?;
    let live: BTreeSet<BrokerId> = cluster.nodes.iter().map(|node| node.id).collect();
    let wanted: BTreeSet<_> = proposed.values().flatten().collect();
    match wanted.into_iter().find(|broker| !live.contains(broker)) {
        Some(unknown) => Err(Stop::command_failed(format!("Unknown broker id {unknown}"))),
        None => Ok(()),
    }
}

/// The replicas that the proposed partitions have now.
async fn current(admin: &Admin, proposed: &Replicas) -> Result<Replicas, Stop> {
    let topics = proposed.keys().map(|partition| partition.topic.to_string()).collect();
    let mut current = Replicas::new();
    for (name, replicas) in assignment::of_topics(admin, &topics).await? {
        let replicas = replicas.ok_or_else(|| assignment::topic_not_found(&name))?;
        current.extend(replicas.into_iter().filter(|(id, _)| proposed.contains_key(id)));
    }
    let missing: Vec<_> =
        proposed.keys().filter(|id| !current.contains_key(id)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(assignment::unknown(format!("Unable to find partition: {missing}")));
    }
    Ok(current)
}

/// What was refused, one line each.
fn errors(said: BTreeMap<TopicPartition, Outcome<()>>) -> Option<String> {
    let refused = said.into_iter().filter_map(|(partition, outcome)| {
        outcome.err().map(|error| format!("{partition}: {error}"))
    });
    let lines: Vec<_> = refused.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

pub(super) async fn cancel(
    admin: &Admin,
    plan: &Assignment,
    preserve_throttles: bool,
    timeout_ms: u64,
) -> Result<(), Stop> {
    let target = plan.replicas();
    let under_way = under_way(admin).await?;
    let active = under_way.into_keys().filter(|partition| target.contains_key(partition));
    let active: BTreeMap<_, _> = active.map(|partition| (partition, None)).collect();
    if active.is_empty() {
        say("None of the specified partition reassignments are active.");
    } else {
        let said = admin.alter_partition_reassignments(&active, true).await;
        let said = said.map_err(failed("alterPartitionReassignments"))?;
        let count = plural(active.len());
        if let Some(errors) = errors(said) {
            return Err(Stop::Terse(format!(
                "Error cancelling partition reassignment{count} for:\n{errors}"
            )));
        }
        let list = joined(active.keys());
        say(&format!("Successfully cancelled partition reassignment{count} for: {list}"));
    }
    let states = log_dirs::states(admin, &plan.log_dirs).await;
    // To where they are: that ends a move.
    let back = states.into_iter().filter_map(|(replica, state)| match state {
        MoveState::Active { current, .. } => Some((replica, current)),
        _ => None,
    });
    let back: BTreeMap<_, _> = back.collect();
    if back.is_empty() {
        print("None of the specified partition moves are active.");
    } else {
        log_dirs::begin(admin, &back, timeout_ms).await?;
    }
    if preserve_throttles { Ok(()) } else { throttles::clear(admin, &target).await }
}
