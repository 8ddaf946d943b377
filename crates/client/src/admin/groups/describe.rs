//! Describing groups: first as a group of the new protocol, then as a classic one.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicPartition;
use ottla_protocol::messages::{
    self, ConsumerGroupDescribeRequest, DescribeGroupsRequest, consumer_group_describe_response,
    describe_groups_response,
};

use super::{ByGroup, GroupDescription, GroupMember, GroupState, GroupType, text};
use crate::admin::{Admin, Outcome, outcome};
use crate::client::Target;
use crate::coordinator::ask_coordinators;
use crate::error::{ApiError, ClientError};
use crate::group::protocol::decode_assignment;
use crate::metadata::Node;

impl Admin {
    /// Describes groups of consumers of either protocol.
    pub async fn describe_consumer_groups(
        &self,
        groups: &[String],
    ) -> Result<ByGroup<GroupDescription>, ClientError> {
        ask_coordinators(&self.client, groups, |node, groups| async move {
            let mut found = self.describe_consumer_groups_at(&node, &groups).await?;
            let classic: Vec<String> = groups
                .into_iter()
                .filter(|group| is_not_of_the_new_kind(found.get(group)))
                .collect();
            if !classic.is_empty() {
                found.extend(self.describe_classic_groups_at(&node, &classic).await?);
            }
            Ok(found)
        })
        .await
    }

    async fn describe_consumer_groups_at(
        &self,
        node: &Node,
        groups: &[String],
    ) -> Result<ByGroup<GroupDescription>, ClientError> {
        let ids = groups.iter().map(|group| messages::GroupId(text(group)));
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(ids.collect());
        let response = match self.client.request(Target::Node(node.id), &request).await {
            Ok(response) => response,
            Err(ClientError::Unsupported { .. }) => return Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        };
        let one = |group: &consumer_group_describe_response::DescribedGroup| {
            let description = from_new(group, node);
            let outcome = outcome(group.error_code, group.error_message.as_ref(), description);
            (group.group_id.to_string(), outcome)
        };
        Ok(response.groups.iter().map(one).collect())
    }

    async fn describe_classic_groups_at(
        &self,
        node: &Node,
        groups: &[String],
    ) -> Result<ByGroup<GroupDescription>, ClientError> {
        let ids = groups.iter().map(|group| messages::GroupId(text(group)));
        let request = DescribeGroupsRequest::default().with_groups(ids.collect());
        let response = self.client.request(Target::Node(node.id), &request).await?;
        let one = |group: &describe_groups_response::DescribedGroup| {
            let described = outcome(group.error_code, group.error_message.as_ref(), ())
                .and_then(|()| from_classic(group, node));
            (group.group_id.to_string(), described)
        };
        Ok(response.groups.iter().map(one).collect())
    }
}

/// Whether a broker has no such group of the new protocol, or does not know the protocol.
fn is_not_of_the_new_kind(answer: Option<&Outcome<GroupDescription>>) -> bool {
    match answer {
        None => true,
        Some(Ok(_)) => false,
        Some(Err(error)) => {
            matches!(error.error_code(), ErrorCode::GroupIdNotFound | ErrorCode::UnsupportedVersion)
        }
    }
}

fn from_new(
    group: &consumer_group_describe_response::DescribedGroup,
    node: &Node,
) -> GroupDescription {
    let partitions = |assignment: &consumer_group_describe_response::Assignment| {
        let topics = assignment.topic_partitions.iter();
        topics
            .flat_map(|topic| {
                let place = |index| TopicPartition::new(topic.topic_name.as_str(), index);
                topic.partitions.iter().copied().map(place)
            })
            .collect::<BTreeSet<_>>()
    };
    let member = |member: &consumer_group_describe_response::Member| GroupMember {
        member_id: member.member_id.to_string(),
        instance_id: member.instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assignment: partitions(&member.assignment),
        target_assignment: Some(partitions(&member.target_assignment)),
        member_epoch: Some(member.member_epoch),
        upgraded: match member.member_type {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    };
    GroupDescription {
        group_id: group.group_id.to_string(),
        group_type: GroupType::Consumer,
        state: GroupState::parse(&group.group_state),
        assignor: group.assignor_name.to_string(),
        coordinator: node.clone(),
        group_epoch: Some(group.group_epoch),
        target_assignment_epoch: Some(group.assignment_epoch),
        members: group.members.iter().map(member).collect(),
    }
}

fn from_classic(
    group: &describe_groups_response::DescribedGroup,
    node: &Node,
) -> Outcome<GroupDescription> {
    let protocol_type = group.protocol_type.as_str();
    if !protocol_type.is_empty() && protocol_type != "consumer" {
        let id = group.group_id.as_str();
        return Err(ApiError {
            code: ErrorCode::GroupIdNotFound.code(),
            message: Some(format!("GroupId {id} is not a consumer group ({protocol_type}).")),
        });
    }
    let member = |member: &describe_groups_response::DescribedGroupMember| GroupMember {
        member_id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        // While the group rebalances nobody has an assignment yet.
        assignment: decode_assignment(&member.member_assignment).unwrap_or_default(),
        target_assignment: None,
        member_epoch: None,
        upgraded: None,
    };
    Ok(GroupDescription {
        group_id: group.group_id.to_string(),
        group_type: GroupType::Classic,
        state: GroupState::parse(&group.group_state),
        assignor: group.protocol_data.to_string(),
        coordinator: node.clone(),
        group_epoch: None,
        target_assignment_epoch: None,
        members: group.members.iter().map(member).collect(),
    })
}
