//! What requests to a group's coordinator have in common.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ottla_coordinator::{Caller, Request, Response};
use ottla_protocol::ErrorCode;
use tokio::time::timeout;

use super::error::Coded;
use super::{Context, text};
use crate::coordinator::{CoordinatorError, Pending, Unavailable};

/// Asks a group, and waits as long as it takes.
pub(super) async fn ask(
    context: &Context,
    group_id: &str,
    request: Request,
) -> Result<Response, CoordinatorError> {
    let bytes = context.request_bytes;
    context.broker.coordinator.submit(group_id, caller(context), request, bytes)?.answer().await
}

/// Asks a group for what takes nothing but a write, and waits for `offsets.commit.timeout.ms` at most.
pub(super) async fn ask_to_store(
    context: &Context,
    group_id: &str,
    request: Request,
) -> Result<Response, CoordinatorError> {
    in_time(context, ask(context, group_id, request)).await
}

/// Asks several groups at once; the answers come in the same order.
pub(super) async fn ask_each<'a>(
    context: &Context,
    requests: impl ExactSizeIterator<Item = (&'a str, Request)>,
) -> Vec<Result<Response, CoordinatorError>> {
    let bytes = context.request_bytes / requests.len().max(1);
    let caller = caller(context);
    let pending: Vec<Result<Pending, Unavailable>> = requests
        .map(|(group_id, request)| {
            context.broker.coordinator.submit(group_id, caller.clone(), request, bytes)
        })
        .collect();
    let answers =
        pending.into_iter().map(|pending| in_time(context, async move { pending?.answer().await }));
    join_all(answers).await
}

async fn in_time(
    context: &Context,
    answer: impl Future<Output = Result<Response, CoordinatorError>>,
) -> Result<Response, CoordinatorError> {
    let limit: Duration = context.broker.coordinator.commit_timeout();
    timeout(limit, answer).await.unwrap_or(Err(Unavailable::TimedOut.into()))
}

/// Who asks, as groups know their members.
pub(super) fn caller(context: &Context) -> Caller {
    Caller {
        client_id: context.client_id.as_deref().map(text).unwrap_or_default(),
        client_host: Arc::from(format!("/{}", context.peer)),
        api_version: context.version,
    }
}

/// The code of an answer that did not come; `Ok` with another request's answer would be a bug.
pub(super) fn code(answer: &Result<Response, CoordinatorError>) -> ErrorCode {
    match answer {
        Ok(_) => ErrorCode::UnknownServerError,
        Err(error) => error.code(),
    }
}

/// The sentence that goes with [`code`].
pub(super) fn message(answer: &Result<Response, CoordinatorError>) -> String {
    match answer {
        Ok(_) => ErrorCode::UnknownServerError.message().to_owned(),
        Err(error) => error.to_string(),
    }
}
