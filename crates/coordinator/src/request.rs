//! What goes into the machine, and what comes out.

use std::sync::Arc;

use bytes::Bytes;
use ottla_metadata::Image;
use ottla_protocol::ids::{Offset, TimestampMs};
use ottla_protocol::messages::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::list_groups_response::ListedGroup;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsRequest, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, SyncGroupRequest, SyncGroupResponse,
};
use ottla_protocol::{ErrorCode, StrBytes};

use crate::error::GroupError;
use crate::record::Record;

/// A waiting client; chosen by the shell, used once.
pub type Token = u64;
/// Names a write, from 1, in the order of the log.
pub type WriteId = u64;
/// What a client is told.
pub type Answer = Result<Response, GroupError>;

/// A record as it lies in the log.
#[derive(Debug, Clone, Copy)]
pub struct LogRecord<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The record's time.
    pub timestamp_ms: TimestampMs,
    /// The record's offset.
    pub offset: Offset,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client's id from the request's header; empty if it has none.
    pub client_id: StrBytes,
    /// The client's address as Kafka shows it, such as `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// The version of the request.
    pub api_version: i16,
}

/// What a client asks of the coordinator; requests about several groups come one group at a time.
#[derive(Debug, Clone)]
pub enum Request {
    /// Key 11.
    JoinGroup(JoinGroupRequest),
    /// Key 14.
    SyncGroup(SyncGroupRequest),
    /// Key 12.
    Heartbeat(HeartbeatRequest),
    /// Key 13.
    LeaveGroup(LeaveGroupRequest),
    /// Key 8; the shell has answered for what the client may not read. In versions below 10 topics have no
    /// ids.
    OffsetCommit(OffsetCommitRequest),
    /// One group of key 9.
    OffsetFetch {
        /// The group; in the flat versions (below 8) made from the flat fields, with epoch -1.
        group: OffsetFetchRequestGroup,
        /// Answer UNSTABLE_OFFSET_COMMIT where a transaction has pending offsets.
        require_stable: bool,
    },
    /// Key 47.
    OffsetDelete(OffsetDeleteRequest),
    /// One group of key 15.
    DescribeGroup(StrBytes),
    /// Key 16, of this partition's groups.
    ListGroups(ListGroupsRequest),
    /// One group of key 42.
    DeleteGroup(StrBytes),
    /// Key 68.
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest),
    /// One group of key 69.
    ConsumerGroupDescribe(StrBytes),
}

/// The answer to a [`Request`], variant by variant. Throttle times and authorized operations are the
/// shell's.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// Key 11.
    JoinGroup(JoinGroupResponse),
    /// Key 14.
    SyncGroup(SyncGroupResponse),
    /// Key 12.
    Heartbeat(HeartbeatResponse),
    /// Key 13.
    LeaveGroup(LeaveGroupResponse),
    /// Key 8.
    OffsetCommit(OffsetCommitResponse),
    /// One group of key 9; the shell makes the flat form of versions below 8.
    OffsetFetch(OffsetFetchResponseGroup),
    /// Key 47.
    OffsetDelete(OffsetDeleteResponse),
    /// One group of key 15.
    DescribeGroup(DescribedGroup),
    /// Key 16.
    ListGroups(Vec<ListedGroup>),
    /// One group of key 42: it is gone.
    DeleteGroup,
    /// Key 68.
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse),
    /// One group of key 69.
    ConsumerGroupDescribe(DescribedConsumerGroup),
}

/// Something that happens to the machine.
#[expect(clippy::large_enum_variant, reason = "one at a time, and most are requests")]
#[derive(Debug)]
pub enum Input {
    /// A client asks.
    Request {
        /// Who waits.
        token: Token,
        /// Who asks.
        caller: Caller,
        /// What.
        request: Request,
    },
    /// This write and all before it are committed: the high watermark has passed them.
    Committed {
        /// The last of them.
        write: WriteId,
    },
    /// This write was not appended and never will be. Of several, the newest comes first.
    Failed {
        /// Which.
        write: WriteId,
        /// What clients are told.
        code: ErrorCode,
    },
    /// `now` has come to [`crate::Groups::next_deadline_ms`].
    Tick,
    /// The metadata have changed.
    Image(Arc<Image>),
    /// The client's connection is closed: an answer would go nowhere.
    Gone {
        /// Who waited.
        token: Token,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Append these records together, behind those of every earlier write, in the leader epoch in which the
    /// machine was loaded.
    Append {
        /// Names the write.
        write: WriteId,
        /// At least one.
        records: Vec<Record>,
    },
    /// Answer a client.
    Respond {
        /// Who waits.
        token: Token,
        /// The answer.
        response: Answer,
    },
}

/// Own bytes, so that what is kept does not keep a request's frame.
pub(crate) fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// A text for the wire.
pub(crate) fn wire(text: &str) -> StrBytes {
    StrBytes::from(text.to_owned())
}
