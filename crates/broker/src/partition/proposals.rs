//! ISR proposals on their way to the controller: those that gather while one call is under way go with the
//! next.

use std::sync::Arc;
use std::time::Duration;

use ottla_metadata::proposal::{AlterPartition, IsrMember, Outcome};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::PartitionEpoch;
use ottla_replication::{Input, IsrAnswer, IsrProposal};
use tokio::sync::{mpsc, watch};

use super::registry::IsrProposer;
use super::replica::Partition;

/// A call without an answer counts as unknown after so long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The most proposals in one call.
const BATCH: usize = 1000;

/// A proposal and whose it is.
pub(super) type Queued = (Arc<Partition>, IsrProposal);

pub(super) struct Proposals {
    queue: mpsc::UnboundedSender<Queued>,
}

impl Proposals {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Queued>) {
        // Bounded by the partitions: each has at most one under way.
        let (queue, receiver) = mpsc::unbounded_channel();
        (Self { queue }, receiver)
    }

    pub(super) fn send(&self, partition: &Arc<Partition>, proposal: IsrProposal) {
        // Nobody receives during a shutdown, when no answer would matter.
        let _ = self.queue.send((Arc::clone(partition), proposal));
    }
}

pub(super) async fn run(
    mut queue: mpsc::UnboundedReceiver<Queued>,
    proposer: Arc<dyn IsrProposer>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            count = queue.recv_many(&mut batch, BATCH) => if count == 0 { return },
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        let wanted = batch.iter().map(alter_partition).collect();
        let answers = match tokio::time::timeout(ANSWER_TIMEOUT, proposer.propose_isr(wanted)).await
        {
            Ok(Ok(outcomes)) => outcomes.into_iter().map(|outcome| Some(answer(outcome))).collect(),
            Ok(Err(error)) => {
                tracing::debug!(%error, "ISR proposals were not answered");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let answers = answers.into_iter().chain(std::iter::repeat(None));
        for ((partition, proposal), answer) in batch.drain(..).zip(answers) {
            let answer = answer.unwrap_or(IsrAnswer::Unknown);
            tracing::info!(?partition, isr = ?proposal.isr, ?answer, "proposed an ISR");
            let partition_epoch: PartitionEpoch = proposal.partition_epoch;
            partition.step(Input::IsrAnswered { partition_epoch, answer });
        }
    }
}

fn alter_partition((partition, proposal): &Queued) -> AlterPartition {
    let member = |&(broker_id, broker_epoch): &(i32, i64)| IsrMember { broker_id, broker_epoch };
    AlterPartition {
        id: partition.id(),
        leader_epoch: proposal.leader_epoch,
        partition_epoch: proposal.partition_epoch,
        new_isr: proposal.isr.iter().map(member).collect(),
    }
}

fn answer(outcome: Outcome) -> IsrAnswer {
    match outcome.map_err(|refusal| refusal.code) {
        Ok(()) => IsrAnswer::Taken,
        // Somebody else has changed the partition first, or it is gone.
        Err(
            ErrorCode::InvalidUpdateVersion
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::NewLeaderElected
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::UnknownTopicId
            | ErrorCode::UnknownTopicOrPartition,
        ) => IsrAnswer::Superseded,
        // Ours is not the registration in force: as good as no answer until it is.
        Err(ErrorCode::StaleBrokerEpoch | ErrorCode::NotController) => IsrAnswer::Unknown,
        Err(_) => IsrAnswer::Refused,
    }
}
