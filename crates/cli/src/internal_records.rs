//! What the records of Kafka's internal topics are made of. Pure.

pub(crate) mod form;

use bytes::Buf;

use form::Malformed;

/// One kind of record.
#[derive(Debug)]
struct Kind {
    /// The number that begins its key.
    number: i16,
    /// The key behind the number.
    key: &'static str,
    /// The value behind its version, by version from 0.
    values: &'static [&'static str],
    /// The first version with compact lengths and tagged fields; keys have none.
    flexible_from: i16,
}

/// Kinds of one topic.
#[derive(Debug)]
pub(crate) struct Kinds(&'static [Kind]);

/// A record's key and value as JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Which kind it is.
    pub(crate) number: i16,
    pub(crate) key: String,
    /// With its version; `None`: the record deletes the key.
    pub(crate) value: Option<(i16, String)>,
}

/// Why a record cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The key is too short for the number of a kind.
    NoKind,
    UnknownKind(i16),
    /// The key of a kind of this number.
    Key(i16),
    /// A value of this version; -1: none.
    Value(i16),
}

const fn kind(number: i16, key: &'static str, values: &'static [&'static str]) -> Kind {
    Kind { number, key, values, flexible_from: 0 }
}

const GROUP_MEMBER: &str = "groupId:s memberId:s";
const OFFSET_KEY: &str = "group:s topic:s partition:i32";
const TARGET: &str = "topicPartitions:[{topicId:u partitions:[i32]}]";
const TARGET_EPOCH: &str = "assignmentEpoch:i32 assignmentTimestamp:i64#0";
const TASKS: &str = "activeTasks:[{subtopologyId:s partitions:[i32]}] standbyTasks:[{subtopologyId:s \
                     partitions:[i32]}] warmupTasks:[{subtopologyId:s partitions:[i32]}]";

/// Of `__consumer_offsets`.
pub(crate) const GROUPS: &Kinds = &Kinds(&[
    kind(0, OFFSET_KEY, &["offset:i64 metadata:s commitTimestamp:i64"]).flexible_from(1),
    kind(
        1,
        OFFSET_KEY,
        &[
            "offset:i64 metadata:s commitTimestamp:i64",
            "offset:i64 metadata:s commitTimestamp:i64 expireTimestamp:i64",
            "offset:i64 metadata:s commitTimestamp:i64",
            "offset:i64 leaderEpoch:i32 metadata:s commitTimestamp:i64",
            "offset:i64 leaderEpoch:i32 metadata:s commitTimestamp:i64 topicId:u#0",
        ],
    )
    .flexible_from(4),
    kind(
        GROUP_METADATA,
        "group:s",
        &[
            "protocolType:s generation:i32 protocol:s leader:s members:[{memberId:s clientId:s \
             clientHost:s sessionTimeout:i32 subscription:b assignment:b}]",
            "protocolType:s generation:i32 protocol:s leader:s members:[{memberId:s clientId:s \
             clientHost:s rebalanceTimeout:i32 sessionTimeout:i32 subscription:b assignment:b}]",
            "protocolType:s generation:i32 protocol:s leader:s currentStateTimestamp:i64 \
             members:[{memberId:s clientId:s clientHost:s rebalanceTimeout:i32 sessionTimeout:i32 \
             subscription:b assignment:b}]",
            MEMBERS_3,
            MEMBERS_3,
        ],
    )
    .flexible_from(4),
    kind(3, "groupId:s", &["epoch:i32 metadataHash:i64#0"]),
    kind(
        4,
        "groupId:s",
        &["topics:[{topicId:u topicName:s numPartitions:i32 \
           partitionMetadata:[{partition:i32 racks:[s]}]}]"],
    ),
    kind(
        5,
        GROUP_MEMBER,
        &["instanceId:s rackId:s clientId:s clientHost:s subscribedTopicNames:[s] \
           subscribedTopicRegex:s rebalanceTimeoutMs:i32 serverAssignor:s \
           classicMemberMetadata:?{sessionTimeoutMs:i32 supportedProtocols:[{name:s metadata:b}]}#0"],
    ),
    kind(6, "groupId:s", &[TARGET_EPOCH]),
    kind(7, GROUP_MEMBER, &[TARGET]),
    kind(
        8,
        GROUP_MEMBER,
        &["memberEpoch:i32 previousMemberEpoch:i32 state:i8 \
           assignedPartitions:[{topicId:u partitions:[i32] assignmentEpochs:[i32]#0}] \
           partitionsPendingRevocation:[{topicId:u partitions:[i32] assignmentEpochs:[i32]#0}]"],
    ),
    kind(10, GROUP_MEMBER, &["rackId:s clientId:s clientHost:s subscribedTopicNames:[s]"]),
    kind(11, "groupId:s", &["epoch:i32 metadataHash:i64"]),
    kind(12, "groupId:s", &[TARGET_EPOCH]),
    kind(13, GROUP_MEMBER, &[TARGET]),
    kind(
        14,
        GROUP_MEMBER,
        &["memberEpoch:i32 previousMemberEpoch:i32 state:i8 \
           assignedPartitions:[{topicId:u partitions:[i32]}]"],
    ),
    kind(
        15,
        "groupId:s",
        &["initializingTopics:[{topicId:u topicName:s partitions:[i32]}] \
           initializedTopics:[{topicId:u topicName:s partitions:[i32]}] \
           deletingTopics:[{topicId:u topicName:s}]"],
    ),
    kind(16, "groupId:s regularExpression:s", &["topics:[s] version:i64 timestamp:i64"]),
    kind(
        17,
        "groupId:s",
        &["epoch:i32 metadataHash:i64 validatedTopologyEpoch:i32#0 \
           lastAssignmentConfigs:[{key:s value:s}]#1"],
    ),
    kind(
        19,
        GROUP_MEMBER,
        &[
            "instanceId:s rackId:s clientId:s clientHost:s rebalanceTimeoutMs:i32 topologyEpoch:i32 \
           processId:s userEndpoint:?{host:s port:u16} clientTags:[{key:s value:s}]",
        ],
    ),
    kind(20, "groupId:s", &[TARGET_EPOCH]),
    kind(21, GROUP_MEMBER, &[TASKS]),
]);

/// A classic group.
pub(crate) const GROUP_METADATA: i16 = 2;
const MEMBERS_3: &str = "protocolType:s generation:i32 protocol:s leader:s currentStateTimestamp:i64 \
                         members:[{memberId:s groupInstanceId:s clientId:s clientHost:s \
                         rebalanceTimeout:i32 sessionTimeout:i32 subscription:b assignment:b}]";

/// Of `__transaction_state`.
pub(crate) const TRANSACTIONS: &Kinds = &Kinds(&[kind(
    0,
    "transactionalId:s",
    &[
        "producerId:i64 producerEpoch:i16 transactionTimeoutMs:i32 transactionStatus:i8 \
         transactionPartitions:[{topic:s partitionIds:[i32]}] transactionLastUpdateTimestampMs:i64 \
         transactionStartTimestampMs:i64",
        "producerId:i64 previousProducerId:i64#0 nextProducerId:i64#1 producerEpoch:i16 \
         nextProducerEpoch:i16#3 transactionTimeoutMs:i32 transactionStatus:i8 \
         transactionPartitions:[{topic:s partitionIds:[i32]}] transactionLastUpdateTimestampMs:i64 \
         transactionStartTimestampMs:i64 clientTransactionVersion:i16#2",
    ],
)
.flexible_from(1)]);

/// Of `__share_group_state`.
pub(crate) const SHARE_STATE: &Kinds = &Kinds(&[
    kind(
        0,
        "groupId:s topicId:u partition:i32",
        &["snapshotEpoch:i32 stateEpoch:i32 leaderEpoch:i32 startOffset:i64 \
           deliveryCompleteCount:i32#0 createTimestamp:i64 writeTimestamp:i64 \
           stateBatches:[{firstOffset:i64 lastOffset:i64 deliveryState:i8 deliveryCount:i16}]"],
    ),
    kind(
        1,
        "groupId:s topicId:u partition:i32",
        &["snapshotEpoch:i32 leaderEpoch:i32 startOffset:i64 deliveryCompleteCount:i32#0 \
           stateBatches:[{firstOffset:i64 lastOffset:i64 deliveryState:i8 deliveryCount:i16}]"],
    ),
]);

impl Kind {
    const fn flexible_from(self, version: i16) -> Self {
        Self { flexible_from: version, ..self }
    }

    fn value(&self, version: i16, mut bytes: &[u8]) -> Result<String, Malformed> {
        let form = usize::try_from(version).ok().and_then(|place| self.values.get(place));
        form::json(form.ok_or(Malformed)?, version >= self.flexible_from, &mut bytes)
    }
}

impl Kinds {
    /// Reads a record.
    pub(crate) fn decode(&self, mut key: &[u8], value: Option<&[u8]>) -> Result<Decoded, Unread> {
        let number = key.try_get_i16().map_err(|_| Unread::NoKind)?;
        let kind = self.0.iter().find(|kind| kind.number == number);
        let kind = kind.ok_or(Unread::UnknownKind(number))?;
        let text = form::json(kind.key, false, &mut key).map_err(|_| Unread::Key(number))?;
        if !key.is_empty() {
            return Err(Unread::Key(number));
        }
        let read = |mut value: &[u8]| {
            let version = value.try_get_i16().map_err(|_| Unread::Value(-1))?;
            let data = kind.value(version, value).map_err(|_| Unread::Value(version))?;
            Ok((version, data))
        };
        Ok(Decoded { number, key: text, value: value.map(read).transpose()? })
    }
}
