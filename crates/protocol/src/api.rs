//! THE API table: every request Ottla serves, with the versions it announces.
//!
//! What is not in the table is neither announced nor served: every client trusts the list. The
//! ceilings are what the message crate really decodes, which is less than what it claims (its
//! `valid_versions` takes the response's range); a test decodes each announced version.

pub use kafka_protocol::messages::ApiKey;

/// One served API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiRow {
    /// Which API.
    pub key: ApiKey,
    /// The lowest version that ApiVersions announces.
    pub min: i16,
    /// The highest version that ApiVersions announces, and that is served.
    pub max: i16,
    /// The lowest version that is served; a request below it closes the connection. Above `min` only
    /// for Produce: librdkafka before 2.8 sends compressed batches uncompressed when the announced
    /// minimum is above 0, but never sends a version below 3 itself (KIP-896, KAFKA-18659).
    pub served_min: i16,
    /// Whether controllers serve it too, on their own listener.
    pub at_controllers: bool,
}

impl ApiRow {
    /// Whether requests of this version are decoded and answered.
    #[must_use]
    pub const fn serves(&self, version: i16) -> bool {
        self.served_min <= version && version <= self.max
    }

    const fn at_controllers(self) -> Self {
        Self { at_controllers: true, ..self }
    }
}

const fn row_of(key: ApiKey, min: i16, max: i16) -> ApiRow {
    ApiRow { key, min, max, served_min: min, at_controllers: false }
}

/// THE table, by ascending key.
pub const TABLE: &[ApiRow] = &[
    ApiRow { served_min: 3, ..row_of(ApiKey::Produce, 0, 13) },
    row_of(ApiKey::Fetch, 4, 18),
    row_of(ApiKey::ListOffsets, 1, 10),
    row_of(ApiKey::Metadata, 0, 13),
    row_of(ApiKey::OffsetCommit, 2, 9),
    row_of(ApiKey::OffsetFetch, 1, 9),
    row_of(ApiKey::FindCoordinator, 0, 6),
    row_of(ApiKey::JoinGroup, 0, 9),
    row_of(ApiKey::Heartbeat, 0, 4),
    row_of(ApiKey::LeaveGroup, 0, 5),
    row_of(ApiKey::SyncGroup, 0, 5),
    row_of(ApiKey::DescribeGroups, 0, 6),
    row_of(ApiKey::ListGroups, 0, 5),
    row_of(ApiKey::ApiVersions, 0, 4).at_controllers(),
    row_of(ApiKey::CreateTopics, 2, 7),
    row_of(ApiKey::DeleteTopics, 1, 6),
    row_of(ApiKey::DeleteRecords, 0, 2),
    row_of(ApiKey::InitProducerId, 0, 5),
    row_of(ApiKey::OffsetForLeaderEpoch, 2, 4),
    row_of(ApiKey::DescribeConfigs, 1, 4).at_controllers(),
    row_of(ApiKey::AlterConfigs, 0, 2).at_controllers(),
    row_of(ApiKey::AlterReplicaLogDirs, 1, 2),
    row_of(ApiKey::DescribeLogDirs, 1, 4),
    row_of(ApiKey::CreatePartitions, 0, 3),
    row_of(ApiKey::DeleteGroups, 0, 2),
    row_of(ApiKey::ElectLeaders, 0, 2).at_controllers(),
    row_of(ApiKey::IncrementalAlterConfigs, 0, 1).at_controllers(),
    row_of(ApiKey::AlterPartitionReassignments, 0, 1).at_controllers(),
    row_of(ApiKey::ListPartitionReassignments, 0, 0).at_controllers(),
    row_of(ApiKey::OffsetDelete, 0, 0),
    row_of(ApiKey::DescribeClientQuotas, 0, 1),
    row_of(ApiKey::AlterClientQuotas, 0, 1).at_controllers(),
    row_of(ApiKey::DescribeUserScramCredentials, 0, 0).at_controllers(),
    row_of(ApiKey::AlterUserScramCredentials, 0, 0).at_controllers(),
    row_of(ApiKey::DescribeQuorum, 0, 2).at_controllers(),
    row_of(ApiKey::UpdateFeatures, 0, 2).at_controllers(),
    row_of(ApiKey::DescribeCluster, 0, 2).at_controllers(),
    row_of(ApiKey::DescribeProducers, 0, 0),
    row_of(ApiKey::UnregisterBroker, 0, 0).at_controllers(),
    row_of(ApiKey::ConsumerGroupHeartbeat, 0, 1),
    row_of(ApiKey::ConsumerGroupDescribe, 0, 1),
    row_of(ApiKey::ListConfigResources, 0, 1),
    row_of(ApiKey::DescribeTopicPartitions, 0, 0),
    row_of(ApiKey::AddRaftVoter, 0, 0).at_controllers(),
    row_of(ApiKey::RemoveRaftVoter, 0, 0).at_controllers(),
];

/// The row of an API key as it came from the wire; `None` when it is not served.
#[must_use]
pub fn row(api_key: i16) -> Option<&'static ApiRow> {
    TABLE.iter().find(|row| row.key as i16 == api_key)
}
