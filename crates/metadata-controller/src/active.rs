//! The active controller's one writer: wishes come in, are planned on the committed image, committed as one
//! batch, and answered once that is applied.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use ottla_metadata::plan::brokers::Registration;
use ottla_metadata::plan::{self, brokers};
use ottla_metadata::{
    Batch, FenceCause, Image, Limits, Proposal, Proposer, Record, Refusal, Reply, codec, feature,
};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, MetadataOffset, TimestampMs};

use crate::clock::wall_clock_ms;
use crate::committed::Committed;
use crate::quorum::{Quorum, WriteError};

/// How many wishes may wait; who comes later waits to get in.
const QUEUE: usize = 4096;
/// No further wish joins a batch that has so many records: it must fit into one message.
const MAX_BATCH_RECORDS: usize = 20_000;
/// The quorum refuses writes while the leader has not heard of a majority; this long is waited for it.
const LEASE_PATIENCE: Duration = Duration::from_secs(2);
const LEASE_RETRY: Duration = Duration::from_millis(10);
/// A write that is not committed by then has no majority: whether it ever will be is not known, and this
/// controller is not active until it has one again.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// What is wished for.
#[derive(Debug)]
pub(crate) enum Wish {
    /// The cluster gets its id, unless it has one; and its voters may change from the start, or not.
    NameCluster {
        id: String,
        reconfigurable: bool,
    },
    Register(Registration),
    Propose(Proposer, Proposal),
    Fence(BrokerId, BrokerEpoch, FenceCause, TimestampMs),
    Unfence(BrokerId, BrokerEpoch),
    ControlledShutdown(BrokerId, BrokerEpoch),
    /// Leaderships go back to the preferred leaders among these.
    Balance(BTreeSet<BrokerId>),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Registered(BrokerEpoch),
    Reply(Reply),
}

/// Why it was not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The answer, and the offset that holds its effects (0: it had none).
pub(crate) type Outcome = Result<(Answer, MetadataOffset), Failure>;

struct Work {
    wish: Wish,
    answer: oneshot::Sender<Outcome>,
}

/// Where wishes are brought to.
#[derive(Clone)]
pub(crate) struct Wishes(mpsc::Sender<Work>);

impl Wishes {
    /// Brings a wish, and waits for the answer.
    pub(crate) async fn bring(&self, wish: Wish) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        if self.0.send(Work { wish, answer }).await.is_err() {
            return Err(WriteError::NotLeader.into());
        }
        // The writer is gone: it may have been in the middle of it.
        outcome.await.unwrap_or(Err(WriteError::Unknown.into()))
    }
}

/// Plans and commits, one batch after the other, as long as the term lasts.
pub(crate) struct Writer {
    quorum: Arc<Quorum>,
    committed: Arc<Committed>,
    limits: Limits,
    term: u64,
    queue: mpsc::Receiver<Work>,
}

impl Writer {
    pub(crate) fn new(
        quorum: Arc<Quorum>,
        committed: Arc<Committed>,
        limits: Limits,
        term: u64,
    ) -> (Wishes, Self) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (Wishes(sender), Self { quorum, committed, limits, term, queue })
    }

    /// Runs until nobody can bring a wish any more, or leadership is lost.
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::new();
        while self.queue.recv_many(&mut waiting, QUEUE).await > 0 {
            let mut rest = std::mem::take(&mut waiting).into_iter().peekable();
            while rest.peek().is_some() {
                if let Err(lost) = self.commit_some(&mut rest).await {
                    for work in rest {
                        answer(work.answer, Err(lost.clone().into()));
                    }
                    return;
                }
            }
        }
    }

    /// Plans as many wishes as fit into one batch, commits it, and answers them.
    async fn commit_some(&self, wishes: &mut impl Iterator<Item = Work>) -> Result<(), WriteError> {
        let mut scratch = (*self.committed.image()).clone();
        let mut records = Vec::new();
        let mut answers = Vec::new();
        while records.len() < MAX_BATCH_RECORDS
            && let Some(work) = wishes.next()
        {
            let planned =
                plan_wish(&scratch, &self.limits, seed(), work.wish).map(|(new, answer)| {
                    for record in &new {
                        // A plan never makes a record that has nothing to act on.
                        if let Err(ignored) = scratch.replay(record) {
                            tracing::error!("a planned record has no effect: {ignored}");
                        }
                    }
                    let touches = !new.is_empty();
                    records.extend(new);
                    (answer, touches)
                });
            answers.push((work.answer, planned));
        }
        let written = if records.is_empty() { Ok(0) } else { self.write(records).await };
        for (sender, planned) in answers {
            let outcome = match (planned, &written) {
                (Err(refusal), Ok(_)) => Err(refusal.into()),
                (Ok((answer, touches)), Ok(offset)) => {
                    Ok((answer, if touches { *offset } else { 0 }))
                }
                (_, Err(error)) => Err(error.clone().into()),
            };
            answer(sender, outcome);
        }
        written.map(|_| ())
    }

    async fn write(&self, records: Vec<Record>) -> Result<MetadataOffset, WriteError> {
        let batch = Batch { records, timestamp_ms: wall_clock_ms() };
        let bytes = Bytes::from(codec::encode_batch(&batch));
        let deadline = tokio::time::Instant::now() + LEASE_PATIENCE;
        loop {
            let write = self.quorum.write(self.term, bytes.clone());
            let written = tokio::time::timeout(COMMIT_PATIENCE, write).await;
            match written.unwrap_or(Err(WriteError::Unknown)) {
                Err(WriteError::NotLeader) => {
                    let now = *self.quorum.leadership().borrow();
                    let lost = !now.leading || now.term != self.term;
                    if lost || tokio::time::Instant::now() >= deadline {
                        return Err(WriteError::NotLeader);
                    }
                    // Nothing was appended: the lease has lapsed, and may come back.
                    tokio::time::sleep(LEASE_RETRY).await;
                }
                other => return other,
            }
        }
    }
}

fn answer(sender: oneshot::Sender<Outcome>, outcome: Outcome) {
    // Whoever asked may have gone.
    let _ = sender.send(outcome);
}

fn seed() -> u128 {
    rand::random()
}

fn plan_wish(
    image: &Image,
    limits: &Limits,
    seed: u128,
    wish: Wish,
) -> Result<(Vec<Record>, Answer), Refusal> {
    Ok(match wish {
        Wish::NameCluster { id, reconfigurable } => {
            let mut records = Vec::new();
            if image.cluster_id().is_none() {
                records.push(Record::ClusterId(id.into()));
                if reconfigurable {
                    let feature = feature::KRAFT_VERSION.into();
                    records.push(Record::FeatureLevel { feature, level: 1 });
                }
            }
            (records, Answer::Done)
        }
        Wish::Register(registration) => {
            let plan = brokers::register(image, limits, &registration)?;
            (plan.records, Answer::Registered(plan.reply))
        }
        Wish::Propose(proposer, proposal) => {
            let plan = plan::propose(image, limits, seed, proposer, &proposal);
            (plan.records, Answer::Reply(plan.reply))
        }
        Wish::Fence(id, epoch, cause, detected_at) => {
            (brokers::fence(image, limits, id, epoch, cause, detected_at)?.records, Answer::Done)
        }
        Wish::Unfence(id, epoch) => {
            (brokers::unfence(image, limits, id, epoch)?.records, Answer::Done)
        }
        Wish::ControlledShutdown(id, epoch) => {
            (brokers::controlled_shutdown(image, limits, id, epoch)?.records, Answer::Done)
        }
        Wish::Balance(settled) => {
            let plan = plan::balance::preferred(image, limits, |id| settled.contains(&id));
            (plan.records, Answer::Done)
        }
    })
}

/// A new cluster's id, in Kafka's form.
pub(crate) fn mint_cluster_id() -> String {
    loop {
        let id = KafkaUuid::from_bytes(rand::random());
        if !id.is_reserved() {
            return id.to_string();
        }
    }
}
