//! OffsetDelete: a group forgets what it committed for partitions that it does not consume.

use ottla_coordinator::{Request, Response};
use ottla_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::Context;
use super::coordinated::{ask_to_store, code};

pub(super) async fn handle(context: Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let group_id = request.group_id.clone();
    match ask_to_store(&context, &group_id, Request::OffsetDelete(request)).await {
        Ok(Response::OffsetDelete(response)) => response,
        other => OffsetDeleteResponse::default().with_error_code(code(&other).code()),
    }
}
