//! A broker: its disks, and its process while there is one.

use std::collections::{BTreeMap, VecDeque};

use ottla_metadata::Image;
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, MetadataOffset, PartitionIndex};
use ottla_replication::{Replica, Token};

use crate::disk::Disk;
use crate::event::{Life, Waiters, Wish};
use crate::stream::{Feed, Link};

#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) disks: BTreeMap<PartitionIndex, Disk>,
    /// The epoch under which it last stopped cleanly.
    pub(crate) marker: Option<BrokerEpoch>,
    /// There is no meta.properties: a new or replaced disk.
    pub(crate) is_new: bool,
    /// Counts its processes.
    pub(crate) lives: u64,
    pub(crate) process: Option<Process>,
    pub(crate) slow_disk: bool,
    /// The last registration, for a broker that lies about it.
    pub(crate) last_epoch: BrokerEpoch,
    /// The last image, for a broker that trusts it.
    pub(crate) last_image: Image,
}

impl Broker {
    pub(crate) fn new() -> Self {
        Self {
            disks: BTreeMap::new(),
            marker: None,
            is_new: true,
            lives: 0,
            process: None,
            slow_disk: false,
            last_epoch: -1,
            last_image: Image::default(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) life: Life,
    pub(crate) incarnation: KafkaUuid,
    pub(crate) previous_epoch: BrokerEpoch,
    /// The registration that the session speaks for.
    pub(crate) session_epoch: Option<BrokerEpoch>,
    /// The registration that streams and proposals carry; -1: none yet.
    pub(crate) broker_epoch: BrokerEpoch,
    /// What has arrived.
    pub(crate) image: Image,
    /// What the partitions have been told.
    pub(crate) applied: Image,
    pub(crate) applied_offset: MetadataOffset,
    /// The image holds our registration: partitions are served.
    pub(crate) begun: bool,
    pub(crate) replicas: BTreeMap<PartitionIndex, Held>,
    pub(crate) links: BTreeMap<BrokerId, Link>,
    pub(crate) wishes: VecDeque<Wish>,
    /// The call under way, and what it asks for.
    pub(crate) call: Option<(u64, Vec<Wish>)>,
    pub(crate) calls: u64,
    pub(crate) want_shutdown: bool,
}

impl Process {
    pub(crate) fn new(life: Life, incarnation: KafkaUuid, previous_epoch: BrokerEpoch) -> Self {
        Self {
            life,
            incarnation,
            previous_epoch,
            session_epoch: None,
            broker_epoch: -1,
            image: Image::default(),
            applied: Image::default(),
            applied_offset: 0,
            begun: false,
            replicas: BTreeMap::new(),
            links: BTreeMap::new(),
            wishes: VecDeque::new(),
            call: None,
            calls: 0,
            want_shutdown: false,
        }
    }
}

/// A replica and what its shell keeps beside it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) replica: Replica,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) flushing: bool,
    pub(crate) refusals: u32,
    pub(crate) following: Option<BrokerId>,
    pub(crate) waiting: Waiters,
    pub(crate) next_token: Token,
}

impl Held {
    pub(crate) fn new(replica: Replica) -> Self {
        Self {
            replica,
            feeds: Vec::new(),
            flushing: false,
            refusals: 0,
            following: None,
            waiting: Waiters::new(),
            next_token: 0,
        }
    }
}
