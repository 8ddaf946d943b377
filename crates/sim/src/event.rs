//! What is going to happen, and when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use ottla_metadata::proposal::{AlterPartition, Outcome};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, MetadataOffset, PartitionIndex};
use ottla_replication::{IsrProposal, Token};

use crate::disk::{Entry, Flush};
use crate::stream::{StreamId, ToLeader};

/// One life of a broker's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) broker: BrokerId,
    pub(crate) number: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Boot(BrokerId),
    // Between a broker and the controller.
    Register(Life),
    RegisterArrives(Life),
    Registered(Life, BrokerEpoch),
    Beat(Life),
    BeatArrives {
        life: Life,
        epoch: BrokerEpoch,
        metadata_offset: MetadataOffset,
        want_shutdown: bool,
    },
    BeatAnswered {
        life: Life,
        epoch: BrokerEpoch,
        stale: bool,
        should_shut_down: bool,
    },
    GiveUpHandover(Life),
    Gone {
        broker: BrokerId,
        epoch: BrokerEpoch,
        cleanly: bool,
    },
    Judge,
    Balance,
    Feed(Life),
    Propose(Life),
    ProposalArrives {
        life: Life,
        call: u64,
        epoch: BrokerEpoch,
        wishes: Vec<AlterPartition>,
    },
    ProposalAnswered {
        life: Life,
        call: u64,
        outcomes: Vec<Outcome>,
    },
    ProposalTimedOut {
        life: Life,
        call: u64,
    },
    // Between brokers.
    Dial(Life, BrokerId),
    Up(StreamId),
    Down(StreamId),
    Pump(StreamId),
    FollowerHangsUp(StreamId),
    LeaderHangsUp(StreamId),
    Send(Life, BrokerId, ToLeader),
    AskAgain {
        life: Life,
        partition: PartitionIndex,
        leader_epoch: LeaderEpoch,
        attempt: u32,
    },
    // Inside a broker.
    Flushed {
        life: Life,
        partition: PartitionIndex,
        flush: Flush,
    },
    Tick(Life, PartitionIndex),
    Checkpoint(Life),
    // Clients.
    Producer(usize),
    ProduceArrives {
        producer: usize,
        connection: u64,
        broker: BrokerId,
        entry: Entry,
    },
    ProduceAnswered {
        producer: usize,
        connection: u64,
        sequence: i32,
        answer: Answer,
    },
    ProduceTimedOut {
        producer: usize,
        connection: u64,
    },
    Poll(usize),
    Delete(PartitionIndex),
    Compact(PartitionIndex),
    // The enemy.
    Fault,
}

/// What a producer hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    OutOfOrder,
    /// Fenced by a newer epoch of itself: an old request that comes late.
    Fenced,
    Failed,
}

/// Who waits for an acks=all append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) producer: usize,
    pub(crate) connection: u64,
    pub(crate) sequence: i32,
    pub(crate) offset: i64,
}

/// Of one replica: who waits, by token.
pub(crate) type Waiters = BTreeMap<Token, Waiting>;
/// A partition's wish.
pub(crate) type Wish = (PartitionIndex, IsrProposal);

/// Events by time; those of one time in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    made: u64,
}

impl Schedule {
    pub(crate) fn add(&mut self, at_us: u64, event: Event) {
        self.made += 1;
        self.heap.push(Reverse((at_us, self.made)));
        self.events.insert(self.made, event);
    }

    pub(crate) fn next(&mut self) -> Option<(u64, Event)> {
        let Reverse((at_us, number)) = self.heap.pop()?;
        self.events.remove(&number).map(|event| (at_us, event))
    }
}
