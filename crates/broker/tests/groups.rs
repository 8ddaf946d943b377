//! The requests of groups, by a broker's Kafka port.

#[allow(dead_code, reason = "shared with single_node.rs, which uses the rest")]
mod support;

use std::time::Duration;

use bytes::Bytes;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic,
};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::*;
use ottla_protocol::{ErrorCode, StrBytes};
use support::controller::FakeController;
use support::{LIMIT, TestBroker, Wire, start};

/// As in the binary: see `single_node.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NONE: i16 = 0;
const SETTINGS: &str = "group.initial.rebalance.delay.ms=0\noffsets.topic.num.partitions=5\n\
                        offsets.topic.replication.factor=1";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

async fn one() -> (TestBroker, Wire) {
    let (_, controller) = FakeController::start().await;
    let broker = start(1, controller, SETTINGS).await;
    let mut wire = Wire::connect(broker.address).await;
    let topic = CreatableTopic::default()
        .with_name(text("orders").into())
        .with_num_partitions(2)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    assert_eq!(wire.call(7, &request).await.topics[0].error_code, NONE);
    (broker, wire)
}

/// A broker that has loaded the (empty) groups.
async fn ready() -> (TestBroker, Wire) {
    let (broker, mut wire) = one().await;
    let request = FindCoordinatorRequest::default().with_key(text("g"));
    assert_eq!(wire.call(0, &request).await.error_code, NONE);
    let deadline = tokio::time::Instant::now() + LIMIT;
    while wire.call(0, &ListGroupsRequest::default()).await.error_code != NONE
        || fetch(&mut wire, "g").await != ErrorCode::None
    {
        assert!(tokio::time::Instant::now() < deadline, "the groups are not loaded");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (broker, wire)
}

async fn fetch(wire: &mut Wire, group: &str) -> ErrorCode {
    let request = OffsetFetchRequest::default().with_group_id(text(group).into()).with_topics(None);
    ErrorCode::from_code(wire.call(7, &request).await.error_code).expect("a code")
}

fn commit(group: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("note")));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(text("orders").into())
        .with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(text(group).into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

fn join(group: &str, member_id: &StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"metadata"));
    JoinGroupRequest::default()
        .with_group_id(text(group).into())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_member_id(member_id.clone())
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

/// A group of one, of generation 1.
async fn member(wire: &mut Wire, group: &str) -> StrBytes {
    let joined = wire.call(3, &join(group, &StrBytes::default())).await;
    assert_eq!((joined.error_code, joined.generation_id), (NONE, 1));
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(b"assignment"));
    let sync = SyncGroupRequest::default()
        .with_group_id(text(group).into())
        .with_generation_id(1)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    let synced = wire.call(3, &sync).await;
    assert_eq!((synced.error_code, &synced.assignment[..]), (NONE, &b"assignment"[..]));
    joined.member_id
}

#[tokio::test]
async fn the_topic_is_created_for_the_first_who_asks() {
    let (broker, mut wire) = one().await;
    let group = FindCoordinatorRequest::default().with_key(text("g"));
    for version in 0..=3 {
        let found = wire.call(version, &group).await;
        assert_eq!((found.error_code, found.node_id.0), (NONE, 1), "version {version}");
        assert_eq!(found.port, i32::from(broker.address.port()));
    }
    let keys = vec![text("g"), text("h")];
    let groups = FindCoordinatorRequest::default().with_coordinator_keys(keys);
    for version in 4..=6 {
        let found = wire.call(version, &groups).await.coordinators;
        let found: Vec<_> =
            found.iter().map(|it| (it.key.as_str(), it.error_code, it.node_id.0)).collect();
        assert_eq!(found, [("g", NONE, 1), ("h", NONE, 1)]);
    }
    let shares = groups.clone().with_key_type(2);
    let found = wire.call(6, &shares).await.coordinators;
    assert!(found.iter().all(|it| it.error_code == ErrorCode::InvalidRequest.code()));
    let transactions = groups.with_key_type(1);
    let found = wire.call(6, &transactions).await.coordinators;
    assert!(found.iter().all(|it| it.error_code == ErrorCode::CoordinatorNotAvailable.code()));
    let metadata = wire.call(13, &MetadataRequest::default().with_topics(None)).await;
    let topic = metadata.topics.iter().find(|topic| topic.is_internal).expect("an internal topic");
    assert_eq!(topic.name.as_deref().map(|name| name.as_str()), Some("__consumer_offsets"));
    assert_eq!(topic.partitions.len(), 5);
}

#[tokio::test]
async fn offsets_are_fetched_as_every_version_wants_it() {
    let (_broker, mut wire) = ready().await;
    for version in 2..=8 {
        let answer = wire.call(version, &commit("g", 0, i64::from(version))).await;
        assert_eq!(answer.topics[0].partitions[0].error_code, NONE, "version {version}");
    }
    let asked = OffsetFetchRequestTopic::default()
        .with_name(text("orders").into())
        .with_partition_indexes(vec![0, 1]);
    let one = OffsetFetchRequest::default().with_group_id(text("g").into());
    for version in 1..=7 {
        let answer = wire.call(version, &one.clone().with_topics(Some(vec![asked.clone()]))).await;
        let partitions: Vec<_> = answer.topics[0]
            .partitions
            .iter()
            .map(|it| (it.partition_index, it.committed_offset, it.error_code))
            .collect();
        assert_eq!(partitions, [(0, 8, NONE), (1, -1, NONE)], "version {version}");
        let metadata = answer.topics[0].partitions[0].metadata.as_deref();
        assert_eq!(metadata, Some("note"), "version {version}");
    }
    let all = wire.call(2, &one.with_topics(None)).await;
    assert_eq!(all.topics[0].partitions.len(), 1);
    let groups = ["g", "none"].map(|group| {
        OffsetFetchRequestGroup::default()
            .with_group_id(text(group).into())
            .with_member_epoch(-1)
            .with_topics(None)
    });
    let several = OffsetFetchRequest::default().with_groups(groups.to_vec());
    for version in 8..=9 {
        let answer = wire.call(version, &several).await;
        let found: Vec<_> = answer
            .groups
            .iter()
            .map(|it| (it.group_id.as_str(), it.error_code, it.topics.len()))
            .collect();
        assert_eq!(found, [("g", NONE, 1), ("none", NONE, 0)], "version {version}");
    }
    // What is not there cannot be committed.
    let mut unknown = commit("g", 7, 1);
    let answer = wire.call(8, &unknown).await;
    let code = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(answer.topics[0].partitions[0].error_code, code);
    unknown.topics[0].name = text("missing").into();
    assert_eq!(wire.call(8, &unknown).await.topics[0].partitions[0].error_code, code);
}

#[tokio::test]
async fn a_classic_group_lives_and_is_described() {
    let (broker, mut wire) = ready().await;
    let member_id = member(&mut wire, "g").await;
    let beat = HeartbeatRequest::default()
        .with_group_id(text("g").into())
        .with_generation_id(1)
        .with_member_id(member_id.clone());
    for version in 0..=4 {
        assert_eq!(wire.call(version, &beat).await.error_code, NONE);
    }
    let stale = beat.clone().with_generation_id(7);
    let code = wire.call(4, &stale).await.error_code;
    assert_eq!(code, ErrorCode::IllegalGeneration.code());

    let ids = ["g", "none"].map(|id| text(id).into()).to_vec();
    let described = DescribeGroupsRequest::default().with_groups(ids);
    for version in 0..=6 {
        let groups = wire.call(version, &described).await.groups;
        assert_eq!((groups[0].error_code, groups[0].group_state.as_str()), (NONE, "Stable"));
        let its = &groups[0].members[0];
        assert_eq!((its.client_id.as_str(), its.client_host.as_str()), ("test", "/127.0.0.1"));
        assert_eq!(&its.member_assignment[..], b"assignment");
        let missing = if version < 6 { NONE } else { ErrorCode::GroupIdNotFound.code() };
        assert_eq!((groups[1].error_code, groups[1].group_state.as_str()), (missing, "Dead"));
    }
    let modern = ConsumerGroupDescribeRequest::default().with_group_ids(vec![text("g").into()]);
    let code = wire.call(1, &modern).await.groups[0].error_code;
    assert_eq!(code, ErrorCode::GroupIdNotFound.code());
    let nameless = ConsumerGroupDescribeRequest::default().with_group_ids(vec![text("").into()]);
    let code = wire.call(1, &nameless).await.groups[0].error_code;
    assert_eq!(code, ErrorCode::InvalidGroupId.code());
    for version in 0..=5 {
        let listed = wire.call(version, &ListGroupsRequest::default()).await.groups;
        let listed: Vec<_> =
            listed.iter().map(|it| (it.group_id.as_str(), it.protocol_type.as_str())).collect();
        assert_eq!(listed, [("g", "consumer")], "version {version}");
    }
    let filtered = ListGroupsRequest::default().with_states_filter(vec![text("Empty")]);
    assert!(wire.call(5, &filtered).await.groups.is_empty());

    let delete = DeleteGroupsRequest::default().with_groups_names(vec![text("g").into()]);
    let code = wire.call(2, &delete).await.results[0].error_code;
    assert_eq!(code, ErrorCode::NonEmptyGroup.code());
    let leave = LeaveGroupRequest::default().with_group_id(text("g").into());
    let nobody = leave.clone().with_member_id(text("nobody"));
    let code = wire.call(2, &nobody).await.error_code;
    assert_eq!(code, ErrorCode::UnknownMemberId.code());
    let members = ["nobody", member_id.as_str()]
        .map(|id| MemberIdentity::default().with_member_id(text(id)))
        .to_vec();
    let left = wire.call(5, &leave.with_members(members)).await;
    assert_eq!(left.error_code, NONE);
    let codes: Vec<_> = left.members.iter().map(|it| it.error_code).collect();
    assert_eq!(codes, [ErrorCode::UnknownMemberId.code(), NONE]);
    assert_eq!(wire.call(2, &delete).await.results[0].error_code, NONE);
    let code = wire.call(2, &delete).await.results[0].error_code;
    assert_eq!(code, ErrorCode::GroupIdNotFound.code());
    assert!(broker.handle.group_lags().await.is_empty());
}

#[tokio::test]
async fn a_join_that_waits_holds_only_its_own_connection_up() {
    let (broker, mut wire) = ready().await;
    let first = member(&mut wire, "g").await;
    // The second waits for the first to join again.
    let mut second = Wire::connect(broker.address).await;
    let request = join("g", &StrBytes::default());
    second.send(3, &request).await;
    let mut third = Wire::connect(broker.address).await;
    assert_eq!(
        third.call(8, &commit("other", 0, 1)).await.topics[0].partitions[0].error_code,
        NONE
    );
    let beat = HeartbeatRequest::default()
        .with_group_id(text("g").into())
        .with_generation_id(1)
        .with_member_id(first.clone());
    let deadline = tokio::time::Instant::now() + LIMIT;
    while wire.call(4, &beat).await.error_code != ErrorCode::RebalanceInProgress.code() {
        assert!(tokio::time::Instant::now() < deadline, "the group does not rebalance");
    }
    let again = wire.call(3, &join("g", &first)).await;
    let (_, joined) = second.receive::<JoinGroupRequest>(3).await;
    assert_eq!((again.error_code, again.generation_id), (NONE, 2));
    assert_eq!((joined.error_code, joined.generation_id), (NONE, 2));
    assert_ne!(again.member_id, joined.member_id);
}

#[tokio::test]
async fn a_group_moves_when_its_coordinator_stops() {
    let (_, controller) = FakeController::start().await;
    let settings = SETTINGS.replace("factor=1", "factor=3");
    let brokers = [start(1, controller, &settings).await, start(2, controller, &settings).await];
    let mut wires = Vec::new();
    for broker in &brokers {
        wires.push(Wire::connect(broker.address).await);
    }
    let topic = CreatableTopic::default()
        .with_name(text("orders").into())
        .with_num_partitions(1)
        .with_replication_factor(2);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    assert_eq!(wires[0].call(7, &request).await.topics[0].error_code, NONE);
    let request = FindCoordinatorRequest::default().with_key(text("g"));
    let found = wires[0].call(2, &request).await;
    assert_eq!(found.error_code, NONE);
    let (first, other) = if found.node_id.0 == 1 { (0, 1) } else { (1, 0) };
    eventually(&mut wires[first], 5).await;
    let refused = wires[other].call(8, &commit("g", 0, 6)).await;
    let code = refused.topics[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::NotCoordinator.code());

    let mut brokers: Vec<_> = brokers.into_iter().collect();
    let stopped = brokers.remove(first);
    stopped.handle.shutdown().await;
    let wire = &mut wires[other];
    let deadline = tokio::time::Instant::now() + LIMIT;
    while wire.call(2, &request).await.node_id.0 != other as i32 + 1
        || fetch(wire, "g").await != ErrorCode::None
    {
        assert!(tokio::time::Instant::now() < deadline, "nobody takes over");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let all = OffsetFetchRequest::default().with_group_id(text("g").into()).with_topics(None);
    assert_eq!(wire.call(7, &all).await.topics[0].partitions[0].committed_offset, 5);
    eventually(wire, 6).await;
}

/// Commits as soon as the coordinator takes it.
async fn eventually(wire: &mut Wire, offset: i64) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let answer = wire.call(8, &commit("g", 0, offset)).await;
        let code = answer.topics[0].partitions[0].error_code;
        if code == NONE {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "the commit is answered with {code}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Sets the level of `group.version`, one up or down.
async fn set_group_version(wire: &mut Wire, level: i16) {
    const UPGRADE: i8 = 1;
    const SAFE_DOWNGRADE: i8 = 2;
    let update = FeatureUpdateKey::default()
        .with_feature(text("group.version"))
        .with_max_version_level(level)
        .with_upgrade_type(if level == 0 { SAFE_DOWNGRADE } else { UPGRADE });
    let request =
        UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(10_000);
    let answer = wire.call(2, &request).await;
    assert_eq!((answer.error_code, answer.error_message), (NONE, None));
}

#[tokio::test]
async fn the_protocol_of_kip_848_is_served_while_its_feature_says_so() {
    let (_broker, mut wire) = ready().await;
    let versions = ApiVersionsRequest::default()
        .with_client_software_name(text("test"))
        .with_client_software_version(text("1"));
    let heartbeat = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(text("new").into())
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![text("orders").into()]))
        .with_topic_partitions(Some(Vec::new()));
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![text("new").into()]);
    let mut epoch = 0;
    for (level, code) in [
        (0, ErrorCode::UnsupportedVersion),
        (1, ErrorCode::None),
        (0, ErrorCode::UnsupportedVersion),
    ] {
        set_group_version(&mut wire, level).await;
        let announced = wire.call(4, &versions).await;
        let mut levels = announced.finalized_features.iter();
        let told = levels.find(|feature| &*feature.name == "group.version");
        assert_eq!(told.map_or(0, |feature| feature.max_version_level), level);
        assert!(announced.finalized_features_epoch > epoch, "an epoch later than {epoch}");
        epoch = announced.finalized_features_epoch;
        assert_eq!(wire.call(0, &heartbeat).await.error_code, code.code());
        assert_eq!(wire.call(0, &describe).await.groups[0].error_code, code.code());
    }
}
