//! DeleteGroups: groups without members, with their offsets.

use ottla_coordinator::{Request, Response};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
use ottla_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::Context;
use super::coordinated::{ask_each, code};

pub(super) async fn handle(context: Context, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut groups = request.groups_names;
    groups.sort_unstable();
    groups.dedup();
    let requests = groups.iter().map(|id| (id.as_str(), Request::DeleteGroup(id.0.clone())));
    let answers = ask_each(&context, requests).await;
    let results = groups.iter().zip(answers).map(|(id, answer)| {
        let code = match answer {
            Ok(Response::DeleteGroup) => ErrorCode::None,
            other => code(&other),
        };
        DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code.code())
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}
