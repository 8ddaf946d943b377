//! ListGroups: every group that this broker coordinates.

use futures::future::join_all;
use ottla_coordinator::{Request, Response};
use ottla_protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::Context;
use super::coordinated::{caller, code};
use crate::coordinator::{CoordinatorError, Unavailable};

pub(super) async fn handle(context: Context, request: ListGroupsRequest) -> ListGroupsResponse {
    let coordinator = &context.broker.coordinator;
    let caller = caller(&context);
    let pending = coordinator.partitions().into_iter().map(|partition| {
        let request = Request::ListGroups(request.clone());
        coordinator.submit_to(partition, caller.clone(), request, context.request_bytes)
    });
    let pending: Vec<_> = pending.collect();
    let answers = pending.into_iter().map(async |pending| pending?.answer().await);
    let mut groups = Vec::new();
    for answer in join_all(answers).await {
        match answer {
            Ok(Response::ListGroups(listed)) => groups.extend(listed),
            // Its groups are another broker's by now.
            Err(CoordinatorError::Unavailable(Unavailable::NotCoordinator)) => {}
            other => return ListGroupsResponse::default().with_error_code(code(&other).code()),
        }
    }
    ListGroupsResponse::default().with_groups(groups)
}
