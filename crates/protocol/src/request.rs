//! Kafka's requests and their responses, each with its coding compiled here.
//!
//! The message crate's coders are generic over the buffer, so that every crate that called them would
//! compile its own. Behind [`Wire`] they are compiled once.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages;
use kafka_protocol::protocol::{self, Decodable, Encodable, HeaderVersion, Message};

/// A message that stands alone in a frame. Errors are the coder's words.
pub trait Wire: Message + HeaderVersion {
    /// How many bytes it takes in this version.
    fn size(&self, version: i16) -> Result<usize, String>;
    /// Appends it in this version.
    fn write(&self, version: i16, frame: &mut BytesMut) -> Result<(), String>;
    /// Reads one of this version. May panic on absurd lengths.
    fn read(version: i16, body: &mut Bytes) -> Result<Self, String>;
    /// Tells the client that it is muted for so long at least (KIP-219), if the message can.
    fn throttle(&mut self, throttle_time_ms: i32);
}

/// A request, and what answers it.
pub trait Request: Wire {
    /// Its API key.
    const KEY: i16;
    /// What answers it.
    type Response: Wire;
}

macro_rules! wire {
    ($message:ident, |$self:ident, $throttle_time_ms:ident| $throttle:expr) => {
        impl Wire for messages::$message {
            fn size(&self, version: i16) -> Result<usize, String> {
                self.compute_size(version).map_err(|error| error.to_string())
            }
            fn write(&self, version: i16, frame: &mut BytesMut) -> Result<(), String> {
                self.encode(frame, version).map_err(|error| error.to_string())
            }
            fn read(version: i16, body: &mut Bytes) -> Result<Self, String> {
                Self::decode(body, version).map_err(|error| error.to_string())
            }
            fn throttle(&mut $self, $throttle_time_ms: i32) {
                $throttle
            }
        }
    };
}

macro_rules! response {
    ($response:ident) => {
        wire!($response, |self, ms| self.throttle_time_ms = self.throttle_time_ms.max(ms));
    };
    ($response:ident without_throttle_time) => {
        wire!($response, |self, _ms| {});
    };
}

macro_rules! requests {
    ($($request:ident => $response:ident $($without:ident)?,)*) => {$(
        wire!($request, |self, _ms| {});
        response!($response $($without)?);
        impl Request for messages::$request {
            const KEY: i16 = <Self as protocol::Request>::KEY;
            type Response = <Self as protocol::Request>::Response;
        }
    )*};
}

// What is served or sent: a new API needs its name here.
requests! {
    AddRaftVoterRequest => AddRaftVoterResponse,
    AlterClientQuotasRequest => AlterClientQuotasResponse,
    AlterConfigsRequest => AlterConfigsResponse,
    AlterPartitionReassignmentsRequest => AlterPartitionReassignmentsResponse,
    AlterReplicaLogDirsRequest => AlterReplicaLogDirsResponse,
    AlterUserScramCredentialsRequest => AlterUserScramCredentialsResponse,
    ApiVersionsRequest => ApiVersionsResponse,
    ConsumerGroupDescribeRequest => ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest => ConsumerGroupHeartbeatResponse,
    CreatePartitionsRequest => CreatePartitionsResponse,
    CreateTopicsRequest => CreateTopicsResponse,
    DeleteGroupsRequest => DeleteGroupsResponse,
    DeleteRecordsRequest => DeleteRecordsResponse,
    DeleteTopicsRequest => DeleteTopicsResponse,
    DescribeClientQuotasRequest => DescribeClientQuotasResponse,
    DescribeClusterRequest => DescribeClusterResponse,
    DescribeConfigsRequest => DescribeConfigsResponse,
    DescribeGroupsRequest => DescribeGroupsResponse,
    DescribeLogDirsRequest => DescribeLogDirsResponse,
    DescribeProducersRequest => DescribeProducersResponse,
    DescribeQuorumRequest => DescribeQuorumResponse without_throttle_time,
    DescribeTopicPartitionsRequest => DescribeTopicPartitionsResponse,
    DescribeUserScramCredentialsRequest => DescribeUserScramCredentialsResponse,
    ElectLeadersRequest => ElectLeadersResponse,
    FetchRequest => FetchResponse,
    FindCoordinatorRequest => FindCoordinatorResponse,
    HeartbeatRequest => HeartbeatResponse,
    IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse,
    InitProducerIdRequest => InitProducerIdResponse,
    JoinGroupRequest => JoinGroupResponse,
    LeaveGroupRequest => LeaveGroupResponse,
    ListConfigResourcesRequest => ListConfigResourcesResponse,
    ListGroupsRequest => ListGroupsResponse,
    ListOffsetsRequest => ListOffsetsResponse,
    ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse,
    MetadataRequest => MetadataResponse,
    OffsetCommitRequest => OffsetCommitResponse,
    OffsetDeleteRequest => OffsetDeleteResponse,
    OffsetFetchRequest => OffsetFetchResponse,
    OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse,
    ProduceRequest => ProduceResponse,
    RemoveRaftVoterRequest => RemoveRaftVoterResponse,
    SyncGroupRequest => SyncGroupResponse,
    UnregisterBrokerRequest => UnregisterBrokerResponse,
    UpdateFeaturesRequest => UpdateFeaturesResponse,
}
