//! What is wrong, out of what was seen. Pure.

use std::collections::BTreeMap;

use ottla_client::admin::{LogDir, Quorum};

use super::dial::{Dialled, Spoken};
use super::facts::{BrokerFacts, ClusterFacts, Facts, OpenFiles, TopicFacts};
use super::reach;
use crate::diagnosis::partition::{Brokers, Condition, condition};
use crate::diagnosis::{Finding, and, brokers, count};

/// Times of records and of sessions are compared between machines.
const CLOCK_TOLERANCE_MS: i64 = 2_000;
/// A controller that has not caught up for so long is not keeping up.
const CONTROLLER_LAG_MS: i64 = 10_000;
/// Less space than this, in hundredths of the volume, will soon be none.
const LITTLE_SPACE: i64 = 10;
const HARDLY_ANY_SPACE: i64 = 3;
/// A busy broker opens more files than this.
const FILES_WANTED: u64 = 10_000;
/// Hundredths of the limit beyond which a process is about to hit it.
const FILES_NEARLY_USED: u64 = 80;

/// Everything that is to be said, in the order of a connection: addresses, brokers, controllers, topics,
/// machines.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts
        .bootstrap
        .iter()
        .map(|(address, dialled)| reach::bootstrap(address, dialled))
        .collect();
    match &facts.cluster {
        None => {}
        Some(Err(reason)) => findings.push(
            Finding::problem(format!("the cluster does not answer questions: {reason}"))
                .advise("Look into the log of the broker that was asked."),
        ),
        Some(Ok(cluster)) => judge_cluster(cluster, &mut findings),
    }
    findings.extend(facts.processes.iter().filter_map(files));
    findings
}

fn judge_cluster(cluster: &ClusterFacts, findings: &mut Vec<Finding>) {
    for broker in &cluster.brokers {
        findings.push(judge_broker(broker, cluster));
    }
    findings.extend(only_from_here(cluster));
    findings.extend(cluster.brokers.iter().flat_map(dirs));
    controllers(cluster, findings);
    partitions(cluster, findings);
}

fn judge_broker(broker: &BrokerFacts, cluster: &ClusterFacts) -> Finding {
    let BrokerFacts { node, dialled, .. } = broker;
    if !node.fenced {
        let reached_by = Some(cluster.reached_by.as_str());
        return reach::broker(node.id, &node.address, dialled, &cluster.id, reached_by);
    }
    fenced(node.id, &node.address.to_string(), dialled)
}

/// Why a broker may be registered, but not live.
pub(crate) fn fenced(id: i32, address: &str, dialled: &Dialled) -> Finding {
    match dialled {
        Dialled::Spoke(Spoken::Broker { .. }) => Finding::problem(format!(
            "broker {id} runs at {address}, but is fenced: no session with the active controller, or it \
             has not caught up yet"
        ))
        .advise(format!(
            "Wait a moment; if it stays so, look into the log of broker {id}: from there it must reach every \
             address in controller.quorum.voters."
        ))
        .key("controller.quorum.voters"),
        Dialled::Silent { connected: true } => {
            Finding::problem(format!("broker {id} is down: the process at {address} does not answer"))
                .advise("It is stuck or paused: look into its log, or restart it.")
        }
        _ => Finding::problem(format!("broker {id} is down: nothing answers at {address}")).advise(format!(
            "Start broker {id}; if it is gone for good, move its replicas with kafka-reassign-partitions, \
             then `kafka-cluster unregister --id {id}`."
        )),
    }
}

/// Loopback addresses serve well until somebody comes from another machine.
fn only_from_here(cluster: &ClusterFacts) -> Option<Finding> {
    let inward = |broker: &&BrokerFacts| reach::is_loopback(&broker.node.address.host);
    let ids: Vec<i32> = cluster.brokers.iter().filter(inward).map(|it| it.node.id).collect();
    if ids.is_empty() || !reach::is_loopback(&cluster.reached_by) {
        return None;
    }
    let says = format!(
        "{} can be used from this machine only, being advertised as localhost",
        brokers(&ids)
    );
    let advice = "Fine for trying things out; for other machines set advertised.listeners to this \
                  machine's name.";
    Some(Finding::note(says).advise(advice).key(reach::ADVERTISED))
}

fn dirs(broker: &BrokerFacts) -> Vec<Finding> {
    broker.dirs.iter().filter_map(|dir| judge_dir(broker.node.id, dir)).collect()
}

/// A log directory that has failed or is about to be full.
pub(crate) fn judge_dir(id: i32, dir: &LogDir) -> Option<Finding> {
    let path = &dir.path;
    if let Some(error) = &dir.error {
        return Some(
            Finding::problem(format!("broker {id} has lost log directory {path}: {error}"))
                .advise("Repair the disk and restart the broker; until then its replicas there are offline.")
                .key("log.dirs"),
        );
    }
    let volume = dir.volume.filter(|volume| volume.total_bytes > 0)?;
    let percent = volume.usable_bytes.saturating_mul(100) / volume.total_bytes;
    let finding = match percent {
        ..HARDLY_ANY_SPACE => Finding::problem,
        HARDLY_ANY_SPACE..LITTLE_SPACE => Finding::warning,
        _ => return None,
    };
    let mib = volume.usable_bytes >> 20;
    let says = format!(
        "the volume of {path} on broker {id} is nearly full: {mib} MiB are left, {percent} % of it"
    );
    let advice = "Lower retention.ms or retention.bytes of large topics (kafka-log-dirs shows which are), \
                  or enlarge the volume: a broker that cannot write stops serving.";
    Some(finding(says).advise(advice).key("retention.bytes"))
}

fn controllers(cluster: &ClusterFacts, findings: &mut Vec<Finding>) {
    match &cluster.quorum {
        Err(reason) => findings.push(
            Finding::problem(format!("no controller is active: {reason}")).advise(
                "More than half of controller.quorum.voters must run and reach each other; until then \
                 leaders cannot change and nothing can be created.",
            ),
        ),
        Ok(quorum) => findings.extend(judge_quorum(quorum)),
    }
    if let Some(ahead_ms) = cluster.clock_ahead_ms
        && ahead_ms.abs() > CLOCK_TOLERANCE_MS
    {
        let direction = if ahead_ms > 0 { "ahead of" } else { "behind" };
        let seconds = ahead_ms.unsigned_abs() / 1000;
        findings.push(
            Finding::warning(format!(
                "the active controller's clock is {seconds} s {direction} this machine's"
            ))
            .advise(
                "Synchronise both clocks (NTP): retention and offsets by time go by the times of records.",
            ),
        );
    }
}

fn judge_quorum(quorum: &Quorum) -> Vec<Finding> {
    let voters = quorum.voters.len();
    let leader = quorum.voters.iter().find(|voter| voter.id == quorum.leader);
    let now = leader.map_or(-1, |leader| leader.last_fetch_timestamp);
    let behind: Vec<i32> = quorum
        .voters
        .iter()
        .filter(|voter| voter.id != quorum.leader && now >= 0)
        .filter(|voter| now - voter.last_fetch_timestamp.max(0) > CONTROLLER_LAG_MS)
        .map(|voter| voter.id)
        .collect();
    let mut findings = Vec::new();
    if behind.is_empty() {
        let of = count(voters, "voter");
        findings.push(Finding::ok(format!("controller {} is active, of {of}", quorum.leader)));
    } else {
        let more = (voters.saturating_sub(1) / 2).saturating_sub(behind.len());
        let loss = match more {
            0 => "one more loss, and nothing can change any more".to_owned(),
            more => format!("{more} more may be lost"),
        };
        let ids: Vec<String> = behind.iter().map(i32::to_string).collect();
        findings.push(
            Finding::warning(format!(
                "controller {} is active, but does not hear from {} of {voters} voters ({}): {loss}",
                quorum.leader,
                behind.len(),
                and(&ids)
            ))
            .advise("Start those controllers, or look into their logs."),
        );
    }
    if voters == 2 {
        findings.push(
            Finding::warning(
                "two voters are worse than one: the loss of either stops the controllers",
            )
            .advise("Make it three.")
            .key("controller.quorum.voters"),
        );
    }
    findings
}

/// Partitions that stand alike are one finding.
fn partitions(cluster: &ClusterFacts, findings: &mut Vec<Finding>) {
    let nodes: Vec<_> = cluster.brokers.iter().map(|broker| broker.node.clone()).collect();
    let live = Brokers::of(&nodes);
    let mut alike: BTreeMap<Condition, Vec<String>> = BTreeMap::new();
    let mut total = 0;
    for TopicFacts { description, min_isr } in &cluster.topics {
        for partition in &description.partitions {
            total += 1;
            let name = format!("{}-{}", description.name, partition.partition);
            alike.entry(condition(partition, &live, *min_isr)).or_default().push(name);
        }
    }
    let whole = alike.get(&Condition::Whole).map_or(0, Vec::len);
    if total > 0 && whole == total {
        let topics = count(cluster.topics.len(), "topic");
        findings.push(Finding::ok(format!(
            "{} of {topics}: each has a leader and all its replicas in sync",
            count(total, "partition")
        )));
    }
    findings.extend(alike.iter().filter_map(|(condition, names)| condition.finding(names)));
}

fn files(process: &OpenFiles) -> Option<Finding> {
    let OpenFiles { pid, open, limit } = *process;
    let advice = "Raise the limit for the service: LimitNOFILE= of systemd, ulimit -n, --ulimit nofile= of \
                  a container.";
    if open.saturating_mul(100) > limit.saturating_mul(FILES_NEARLY_USED) {
        let says =
            format!("process {pid} has {open} files and connections open, of at most {limit}");
        return Some(Finding::problem(says).advise(advice));
    }
    if limit < FILES_WANTED {
        let says = format!(
            "process {pid} may open only {limit} files and connections; a busy broker needs more"
        );
        return Some(Finding::warning(says).advise(advice));
    }
    None
}

#[cfg(test)]
mod tests;
