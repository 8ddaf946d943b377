//! ConsumerGroupDescribe: consumer groups with their epochs and assignments (KIP-848).

use ottla_coordinator::{GroupError, Request, Response};
use ottla_metadata::feature::GROUP_VERSION;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::consumer_group_describe_response::DescribedGroup;
use ottla_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use super::coordinated::{ask_each, code, message};
use super::{Context, OPERATIONS_NOT_ASKED, text};

pub(super) async fn handle(
    context: Context,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    if context.broker.metadata.image().feature_level(GROUP_VERSION) == 0 {
        let refused = |id| {
            DescribedGroup::default()
                .with_group_id(id)
                .with_error_code(ErrorCode::UnsupportedVersion.code())
        };
        let groups = request.group_ids.into_iter().map(refused).collect();
        return ConsumerGroupDescribeResponse::default().with_groups(groups);
    }
    let groups = &request.group_ids;
    let requests =
        groups.iter().map(|id| (id.as_str(), Request::ConsumerGroupDescribe(id.0.clone())));
    let answers = ask_each(&context, requests).await;
    let described = groups.iter().zip(answers).map(|(id, answer)| {
        let answer = match id.is_empty() {
            true => Err(GroupError::InvalidGroupId.into()),
            false => answer,
        };
        let group = match answer {
            Ok(Response::ConsumerGroupDescribe(group)) => group,
            other => DescribedGroup::default()
                .with_group_id(id.clone())
                .with_error_code(code(&other).code())
                .with_error_message(Some(text(&message(&other)))),
        };
        group.with_authorized_operations(OPERATIONS_NOT_ASKED)
    });
    ConsumerGroupDescribeResponse::default().with_groups(described.collect())
}
