//! DescribeGroups: classic groups, and consumer groups as far as they can be told in its terms.

use ottla_coordinator::{Request, Response};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::coordinated::{ask_each, message};
use super::error::describe_group_code;
use super::{Context, OPERATIONS_NOT_ASKED, text};

/// The state of what does not exist.
const DEAD: &str = "Dead";

pub(super) async fn handle(
    context: Context,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = &request.groups;
    let requests = groups.iter().map(|id| (id.as_str(), Request::DescribeGroup(id.0.clone())));
    let answers = ask_each(&context, requests).await;
    let described = groups.iter().zip(answers).map(|(id, answer)| match answer {
        Ok(Response::DescribeGroup(group)) => {
            group.with_authorized_operations(OPERATIONS_NOT_ASKED)
        }
        other => {
            let group = DescribedGroup::default()
                .with_group_id(id.clone())
                .with_authorized_operations(OPERATIONS_NOT_ASKED);
            let Some(code) = describe_group_code(&other, context.version) else {
                return group.with_group_state(text(DEAD));
            };
            let group = group.with_error_code(code.code());
            if code != ErrorCode::GroupIdNotFound {
                return group;
            }
            group.with_group_state(text(DEAD)).with_error_message(Some(text(&message(&other))))
        }
    });
    DescribeGroupsResponse::default().with_groups(described.collect())
}
