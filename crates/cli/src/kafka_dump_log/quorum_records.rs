//! Records of Apache Kafka's metadata log, and the control records of its quorum. Pure.

use crate::internal_records::form::{self, Malformed, unsigned_varint};

/// The first number of a metadata record's bytes.
const FRAME_VERSION: u32 = 1;

/// A kind of metadata record.
struct Kind {
    number: u32,
    /// As it is printed.
    name: &'static str,
    /// By version.
    forms: &'static [&'static str],
}

const fn kind(number: u32, name: &'static str, forms: &'static [&'static str]) -> Kind {
    Kind { number, name, forms }
}

/// Parts that several versions share.
macro_rules! broker {
    ($zk:literal, $end:literal) => {
        concat!(
            "brokerId:i32 ",
            $zk,
            "incarnationId:u brokerEpoch:i64 endPoints:[{name:s host:s port:u16 securityProtocol:i16}] \
             features:[{name:s minSupportedVersion:i16 maxSupportedVersion:i16}] rack:s fenced:bool",
            $end
        )
    };
}
macro_rules! partition {
    ($end:literal) => {
        concat!(
            "partitionId:i32 topicId:u replicas:[i32] isr:[i32] removingReplicas:[i32] \
             addingReplicas:[i32] leader:i32 leaderRecoveryState:i8#0 leaderEpoch:i32 \
             partitionEpoch:i32",
            $end
        )
    };
}
macro_rules! change {
    ($end:literal) => {
        concat!(
            "partitionId:i32 topicId:u isr:[i32]#0 leader:i32#1 replicas:[i32]#2 \
             removingReplicas:[i32]#3 addingReplicas:[i32]#4 leaderRecoveryState:i8#5",
            $end
        )
    };
}
const BROKER: &str = "id:i32 epoch:i64";
const ACL: &str = "id:u resourceType:i8 resourceName:s patternType:i8 principal:s host:s operation:i8 \
                   permissionType:i8";

const KINDS: &[Kind] = &[
    kind(
        0,
        "REGISTER_BROKER_RECORD",
        &[
            broker!("", ""),
            broker!("", " inControlledShutdown:bool"),
            broker!("isMigratingZkBroker:bool ", " inControlledShutdown:bool"),
            broker!("isMigratingZkBroker:bool ", " inControlledShutdown:bool logDirs:[u]#0"),
            broker!(
                "isMigratingZkBroker:bool ",
                " inControlledShutdown:bool logDirs:[u]#0 cordonedLogDirs:[u]#1"
            ),
        ],
    ),
    kind(1, "UNREGISTER_BROKER_RECORD", &["brokerId:i32 brokerEpoch:i64"]),
    kind(2, "TOPIC_RECORD", &["name:s topicId:u"]),
    kind(
        3,
        "PARTITION_RECORD",
        &[
            partition!(""),
            partition!(" directories:[u]"),
            partition!(" directories:[u] eligibleLeaderReplicas:[i32]#1 lastKnownElr:[i32]#2"),
        ],
    ),
    kind(4, "CONFIG_RECORD", &["resourceType:i8 resourceName:s name:s value:s"]),
    kind(
        5,
        "PARTITION_CHANGE_RECORD",
        &[
            change!(""),
            change!(" directories:[u]#8"),
            change!(" directories:[u]#8 eligibleLeaderReplicas:[i32]#6 lastKnownElr:[i32]#7"),
        ],
    ),
    kind(7, "FENCE_BROKER_RECORD", &[BROKER]),
    kind(8, "UNFENCE_BROKER_RECORD", &[BROKER]),
    kind(9, "REMOVE_TOPIC_RECORD", &["topicId:u"]),
    kind(
        10,
        "DELEGATION_TOKEN_RECORD",
        &["owner:s requester:s renewers:[s] issueTimestamp:i64 maxTimestamp:i64 \
           expirationTimestamp:i64 tokenId:s"],
    ),
    kind(
        11,
        "USER_SCRAM_CREDENTIAL_RECORD",
        &["name:s mechanism:i8 salt:b storedKey:b serverKey:b iterations:i32"],
    ),
    kind(12, "FEATURE_LEVEL_RECORD", &["name:s featureLevel:i16"]),
    kind(
        14,
        "CLIENT_QUOTA_RECORD",
        &["entity:[{entityType:s entityName:s}] key:s value:f64 remove:bool"],
    ),
    kind(15, "PRODUCER_IDS_RECORD", &["brokerId:i32 brokerEpoch:i64 nextProducerId:i64"]),
    kind(
        17,
        "BROKER_REGISTRATION_CHANGE_RECORD",
        &[
            "brokerId:i32 brokerEpoch:i64 fenced:i8#0",
            "brokerId:i32 brokerEpoch:i64 fenced:i8#0 inControlledShutdown:i8#1",
            "brokerId:i32 brokerEpoch:i64 fenced:i8#0 inControlledShutdown:i8#1 logDirs:[u]#2",
            "brokerId:i32 brokerEpoch:i64 fenced:i8#0 inControlledShutdown:i8#1 logDirs:[u]#2 \
             cordonedLogDirs:[u]#3",
        ],
    ),
    kind(18, "ACCESS_CONTROL_ENTRY_RECORD", &[ACL]),
    kind(19, "REMOVE_ACCESS_CONTROL_ENTRY_RECORD", &["id:u"]),
    kind(20, "NO_OP_RECORD", &[""]),
    kind(21, "ZK_MIGRATION_STATE_RECORD", &["zkMigrationState:i8"]),
    kind(22, "REMOVE_USER_SCRAM_CREDENTIAL_RECORD", &["name:s mechanism:i8"]),
    kind(23, "BEGIN_TRANSACTION_RECORD", &["name:s#0"]),
    kind(24, "END_TRANSACTION_RECORD", &[""]),
    kind(25, "ABORT_TRANSACTION_RECORD", &["reason:s#0"]),
    kind(26, "REMOVE_DELEGATION_TOKEN_RECORD", &["tokenId:s"]),
    kind(
        27,
        "REGISTER_CONTROLLER_RECORD",
        &["controllerId:i32 incarnationId:u zkMigrationReady:bool \
           endPoints:[{name:s host:s port:u16 securityProtocol:i16}] \
           features:[{name:s minSupportedVersion:i16 maxSupportedVersion:i16}]"],
    ),
    kind(28, "CLEAR_ELR_RECORD", &["topicName:s"]),
];

/// A metadata record's value as JSON, or what is wrong with it.
pub(super) fn metadata(offset: i64, bytes: &[u8]) -> String {
    let mut rest = bytes;
    read_metadata(&mut rest).unwrap_or_else(|why| format!("Error at {offset}, skipping. {why}"))
}

fn read_metadata(bytes: &mut &[u8]) -> Result<String, String> {
    let cut = |_: Malformed| "Error while reading the record".to_owned();
    let frame = unsigned_varint(bytes).map_err(cut)?;
    if frame != FRAME_VERSION {
        return Err(format!(
            "Could not deserialize metadata record due to unknown frame version {frame}(only frame \
             version {FRAME_VERSION} is supported)"
        ));
    }
    let (number, version) =
        (unsigned_varint(bytes).map_err(cut)?, unsigned_varint(bytes).map_err(cut)?);
    let kind = KINDS.iter().find(|kind| kind.number == number);
    let kind = kind.ok_or_else(|| format!("Unknown metadata id {number}"))?;
    let form = kind
        .forms
        .get(version as usize)
        .ok_or_else(|| format!("Can't read version {version} of {}", kind.name))?;
    let data = form::json(form, true, bytes).map_err(cut)?;
    if !bytes.is_empty() {
        return Err(format!("Found {} byte(s) of garbage after {}", bytes.len(), kind.name));
    }
    Ok(format!("{{\"type\":\"{}\",\"version\":{version},\"data\":{data}}}", kind.name))
}

/// A control record of the quorum as it is printed; `None` where it is none that is known.
pub(super) fn control(number: i16, value: &[u8]) -> Option<String> {
    let (name, forms): (_, &[&str]) = match number {
        2 => (
            "LeaderChange:",
            &[
                "version:i16 leaderId:i32 voters:[{voterId:i32}] grantingVoters:[{voterId:i32}]",
                "version:i16 leaderId:i32 voters:[{voterId:i32 voterDirectoryId:u}] \
                 grantingVoters:[{voterId:i32 voterDirectoryId:u}]",
            ],
        ),
        3 => ("SnapshotHeader", &["version:i16 lastContainedLogTimestamp:i64"]),
        4 => ("SnapshotFooter", &["version:i16"]),
        5 => ("KRaftVersion", &["version:i16 kRaftVersion:i16"]),
        6 => (
            "KRaftVoters",
            &["version:i16 voters:[{voterId:i32 voterDirectoryId:u \
               endpoints:[{name:s host:s port:u16}] \
               kRaftVersionFeature:{minSupportedVersion:i16 maxSupportedVersion:i16}}]"],
        ),
        _ => return None,
    };
    let version = usize::from(u16::from_be_bytes(*value.first_chunk()?));
    let form = forms.get(version.min(forms.len() - 1))?;
    let json = form::json(form, true, &mut &*value).ok()?;
    Some(format!("{name} {json}"))
}
