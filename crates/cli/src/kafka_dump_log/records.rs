//! What the records of Kafka's internal topics are made of. Pure.

use bytes::Buf;

use super::form::{self, Malformed};

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
pub(super) struct Kinds(&'static [Kind]);

/// A record's key and value as they are printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
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
pub(super) const GROUPS: &Kinds = &Kinds(&[
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

const GROUP_METADATA: i16 = 2;
const MEMBERS_3: &str = "protocolType:s generation:i32 protocol:s leader:s currentStateTimestamp:i64 \
                         members:[{memberId:s groupInstanceId:s clientId:s clientHost:s \
                         rebalanceTimeout:i32 sessionTimeout:i32 subscription:b assignment:b}]";

/// Of `__transaction_state`.
pub(super) const TRANSACTIONS: &Kinds = &Kinds(&[kind(
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
pub(super) const SHARE_STATE: &Kinds = &Kinds(&[
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

/// What members of a classic group subscribe to and are given, by version.
const SUBSCRIPTION: [&str; 4] = [
    "topics:[s] userData:b",
    "topics:[s] userData:b ownedPartitions:[{topic:s partitions:[i32]}]",
    "topics:[s] userData:b ownedPartitions:[{topic:s partitions:[i32]}] generationId:i32",
    "topics:[s] userData:b ownedPartitions:[{topic:s partitions:[i32]}] generationId:i32 rackId:s",
];
const ASSIGNMENT: [&str; 1] = ["assignedPartitions:[{topic:s partitions:[i32]}] userData:b"];

impl Kind {
    const fn flexible_from(self, version: i16) -> Self {
        Self { flexible_from: version, ..self }
    }
}

impl Kinds {
    /// A record as it is printed; what cannot be read is said in the key's place.
    pub(super) fn print(&self, offset: i64, key: &[u8], value: Option<&[u8]>) -> Printed {
        let only_key = |key: String| Printed { key: Some(key), value: None };
        let mut key_bytes = key;
        let Ok(number) = key_bytes.try_get_i16() else {
            return only_key(format!(
                "Error at offset {offset}, skipping. Could not read version from key's buffer."
            ));
        };
        let Some(kind) = self.0.iter().find(|kind| kind.number == number) else {
            return only_key(format!("Unknown record type {number} at offset {offset}, skipping."));
        };
        let unread = |version: i16, what: &str| {
            only_key(format!(
                "Error at offset {offset}, skipping. Could not read record with version {version} \
                 from {what}'s buffer due to: null."
            ))
        };
        let Ok(key) = form::json(kind.key, false, &mut key_bytes) else {
            return unread(number, "key");
        };
        if !key_bytes.is_empty() {
            return unread(number, "key");
        }
        let key = Some(format!("{{\"type\":\"{number}\",\"data\":{key}}}"));
        let Some(mut value) = value else {
            return Printed { key, value: Some("<DELETE>".to_owned()) };
        };
        let Ok(version) = value.try_get_i16() else { return unread(-1, "value") };
        match kind.value(version, value) {
            Ok(data) => {
                let value = format!("{{\"version\":\"{version}\",\"data\":{data}}}");
                Printed { key, value: Some(value) }
            }
            Err(Malformed) => unread(version, "value"),
        }
    }
}

impl Kind {
    fn value(&self, version: i16, mut bytes: &[u8]) -> Result<String, Malformed> {
        let form = usize::try_from(version).ok().and_then(|place| self.values.get(place));
        let form = form.ok_or(Malformed)?;
        let data = form::json(form, version >= self.flexible_from, &mut bytes)?;
        if self.number == GROUP_METADATA && data.starts_with("{\"protocolType\":\"consumer\"") {
            let data = with_structure(&data, "subscription", &SUBSCRIPTION);
            return Ok(with_structure(&data, "assignment", &ASSIGNMENT));
        }
        Ok(data)
    }
}

/// The data with the bytes of a field, which a class of the client wrote, replaced by what is in them.
fn with_structure(data: &str, field: &str, forms: &[&str]) -> String {
    use base64::Engine as _;
    let head = format!("\"{field}\":\"");
    let mut done = String::new();
    let mut rest = data;
    while let Some((before, after)) = rest.split_once(&head) {
        let Some((encoded, behind)) = after.split_once('"') else { break };
        done += before;
        let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
        let mut bytes = bytes.as_slice();
        let structure = bytes.try_get_i16().ok().and_then(|version| {
            // A later version only adds at the end.
            let place = usize::try_from(version).ok()?.min(forms.len().checked_sub(1)?);
            form::json(forms.get(place)?, false, &mut bytes).ok()
        });
        match structure {
            Some(structure) => done += &format!("\"{field}\":{structure}"),
            None => done += &format!("{head}{encoded}\""),
        }
        rest = behind;
    }
    done + rest
}
