//! The groups of one partition of `__consumer_offsets`, for as long as this broker leads it in one epoch.
//!
//! Nobody waits for a shard. Work is put into its inbox; whoever finds the machine unattended takes it out,
//! works off the inbox, theirs and what others bring meanwhile, and puts it back. So the machine is stepped
//! by one at a time, in order, and no lock is held while it steps or appends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_coordinator::{Answer, Caller, Groups, Request, Token, WriteId};
use ottla_metadata::Image;
use ottla_protocol::ids::{LeaderEpoch, Offset, PartitionIndex};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::answer::{Pending, Unavailable, Waiter};
use super::machine::Machine;
use super::shell::Shell;
use crate::partition::{AckGroup, AckOutcome, Partition, Reader, ReplicaRole};

/// Rounds of work that one visitor does before it goes its own way and leaves the rest to a task.
const ROUNDS: usize = 16;

/// Something for the machine.
pub(super) enum Work {
    Request {
        token: Token,
        caller: Caller,
        request: Box<Request>,
        waiter: Waiter,
    },
    /// The client of a request is gone.
    Gone(Token),
    /// A batch whose last write this is, and all before it, are committed.
    Committed(WriteId),
    /// A batch cannot be committed for the time being.
    Stalled,
    /// The metadata has changed; also the size that no batch may exceed.
    Image(Arc<Image>, usize),
    Tick,
    /// Somebody wants to look at the groups.
    Look(Box<dyn FnOnce(&Groups) + Send>),
}

/// See the module.
pub(super) struct Shard {
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
    shell: Arc<Shell>,
    queue: Mutex<Queue>,
    next_token: AtomicU64,
}

struct Queue {
    inbox: VecDeque<Work>,
    state: State,
}

enum State {
    Loading,
    /// Nobody works on it.
    Idle(Box<Machine>),
    /// Somebody does, and will look into the inbox again.
    Busy,
    /// The leadership is over, or loading failed.
    Closed,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} in epoch {}", self.partition, self.epoch)
    }
}

impl Shard {
    /// A shard that is to be loaded.
    pub(super) fn new(
        partition: Arc<Partition>,
        epoch: LeaderEpoch,
        shell: Arc<Shell>,
    ) -> Arc<Self> {
        Arc::new(Self {
            partition,
            epoch,
            shell,
            queue: Mutex::new(Queue { inbox: VecDeque::new(), state: State::Loading }),
            next_token: AtomicU64::new(0),
        })
    }

    pub(super) fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    pub(super) fn partition_index(&self) -> PartitionIndex {
        self.partition.id().partition
    }

    pub(super) fn leader_epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Loading is over: it serves from now on, unless it has been closed meanwhile.
    pub(super) fn begin(self: &Arc<Self>, machine: Machine) {
        let mut queue = self.queue.lock();
        if let State::Loading = queue.state {
            queue.state = State::Busy;
            // Loaded groups may have something to write, and sessions that end.
            queue.inbox.push_back(Work::Tick);
            drop(queue);
            self.work(Box::new(machine));
        }
    }

    /// Gives a request to the machine. `bytes` is what it takes in memory.
    pub(super) fn submit(
        self: &Arc<Self>,
        caller: Caller,
        request: Request,
        bytes: usize,
    ) -> Result<Pending, Unavailable> {
        let charge = self.shell.budget.take(bytes).ok_or(Unavailable::Overloaded)?;
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel::<Answer>();
        let waiter = Waiter::new(sender, charge);
        self.bring(Work::Request { token, caller, request: Box::new(request), waiter })?;
        Ok(Pending::new(receiver, Arc::clone(self), token))
    }

    /// The client of a request does not wait any more.
    pub(super) fn gone(self: &Arc<Self>, token: Token) {
        // Closed, it has forgotten the client already.
        let _ = self.bring(Work::Gone(token));
    }

    pub(super) fn tick(self: &Arc<Self>) {
        let _ = self.bring(Work::Tick);
    }

    /// Shows it a new image. One that loads gets the newest when it begins.
    pub(super) fn show(self: &Arc<Self>, image: &Arc<Image>, batch_bytes: usize) {
        let _ = self.bring(Work::Image(Arc::clone(image), batch_bytes));
    }

    /// Looks at the groups when it is their turn. `look` is dropped if the shard does not serve.
    pub(super) fn look(self: &Arc<Self>, look: impl FnOnce(&Groups) + Send + 'static) {
        let _ = self.bring(Work::Look(Box::new(look)));
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.queue.lock().state, State::Closed)
    }

    /// The leadership is over: everybody who waits is told so, and nothing is served any more.
    pub(super) fn close(&self) {
        let mut queue = self.queue.lock();
        let state = std::mem::replace(&mut queue.state, State::Closed);
        let inbox = std::mem::take(&mut queue.inbox);
        drop(queue);
        // Who waits learns it when its waiter is dropped.
        drop((state, inbox));
    }

    fn bring(self: &Arc<Self>, work: Work) -> Result<(), Unavailable> {
        let mut queue = self.queue.lock();
        match std::mem::replace(&mut queue.state, State::Busy) {
            State::Idle(machine) => {
                queue.inbox.push_back(work);
                drop(queue);
                self.work(machine);
                Ok(())
            }
            State::Busy => {
                queue.inbox.push_back(work);
                Ok(())
            }
            unavailable @ (State::Loading | State::Closed) => {
                let loading = matches!(unavailable, State::Loading);
                queue.state = unavailable;
                Err(if loading { Unavailable::Loading } else { Unavailable::NotCoordinator })
            }
        }
    }

    /// Works the inbox off.
    fn work(self: &Arc<Self>, machine: Box<Machine>) {
        let mut working = Working { shard: self, machine: Some(machine) };
        for _ in 0..ROUNDS {
            let Some(inbox) = working.next() else { return };
            working.take(inbox);
        }
        // Others keep bringing work: whoever came by goes on with its own.
        if let Some(machine) = working.machine.take() {
            let shard = Arc::clone(self);
            self.shell.runtime.spawn(async move { shard.work(machine) });
        }
    }

    /// Waits for a batch that ends at `end`, and tells the machine.
    pub(super) async fn follow_commit(
        self: Arc<Self>,
        mut acks: AckGroup,
        last: WriteId,
        end: Offset,
    ) {
        acks.completed().await;
        match acks.outcomes().into_iter().next().flatten() {
            Some(AckOutcome::Committed) => {}
            // It is in the log: it may still be committed, by replicas that come back.
            Some(AckOutcome::NotEnoughReplicasAfterAppend) => {
                let _ = self.bring(Work::Stalled);
                if !committed_up_to(&self.partition, self.epoch, end).await {
                    return self.lost();
                }
            }
            Some(AckOutcome::NotLeader | AckOutcome::Storage | AckOutcome::Refused) | None => {
                return self.lost();
            }
        }
        let _ = self.bring(Work::Committed(last));
    }

    /// This broker leads the partition no more, or not in this epoch, though the metadata may not say so
    /// yet.
    pub(super) fn lost(&self) {
        tracing::info!(shard = ?self, "coordinates no more");
        self.close();
    }
}

/// Waits until everything below `end` is committed; false if the leadership ends before.
pub(super) async fn committed_up_to(
    partition: &Arc<Partition>,
    epoch: LeaderEpoch,
    end: Offset,
) -> bool {
    let reader = Reader::new();
    loop {
        partition.on_readable(&reader);
        let status = partition.status();
        if status.role != ReplicaRole::Leader || status.leader_epoch != epoch {
            return false;
        }
        if status.high_watermark >= end {
            return true;
        }
        reader.readable().await;
    }
}

/// Has the machine out. Dropped with it, by a panic, it leaves the shard closed and has it loaded anew.
struct Working<'a> {
    shard: &'a Arc<Shard>,
    machine: Option<Box<Machine>>,
}

impl Working<'_> {
    /// What the inbox holds; `None`: nothing, and the machine has been put back, or it is over.
    fn next(&mut self) -> Option<VecDeque<Work>> {
        let mut queue = self.shard.queue.lock();
        let machine = self.machine.take()?;
        match &queue.state {
            State::Closed => {
                drop(queue);
                drop(machine);
                None
            }
            _ if queue.inbox.is_empty() => {
                queue.state = State::Idle(machine);
                None
            }
            _ => {
                let inbox = std::mem::take(&mut queue.inbox);
                drop(queue);
                self.machine = Some(machine);
                Some(inbox)
            }
        }
    }

    fn take(&mut self, inbox: VecDeque<Work>) {
        let Some(machine) = &mut self.machine else { return };
        for work in inbox {
            machine.take(work);
        }
        machine.append(self.shard);
        machine.schedule(self.shard);
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if self.machine.is_some() {
            tracing::error!(shard = ?self.shard, "the coordinator failed: it is loaded anew");
            self.shard.close();
            self.shard.shell.reload.notify_one();
        }
    }
}
