//! Group coordinators: which broker is one, and asking it.
//!
//! A group's coordinator moves when its broker ends. Whoever asks it therefore looks it up anew after a
//! lost connection and after NOT_COORDINATOR, and waits while a new one is loading.

mod offsets;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use ottla_protocol::ids::BrokerId;
use ottla_protocol::messages::FindCoordinatorRequest;
use ottla_protocol::{ErrorCode, Request, StrBytes};

pub use offsets::{CommittedOffset, GroupOffsets};
pub(crate) use offsets::{
    Identity, commit_offsets, commit_outcomes, fetch_offsets, fetched_offsets,
};

use crate::admin::Outcome;
use crate::client::{Client, Target};
use crate::error::{ApiError, ClientError};
use crate::metadata::Node;
use crate::options::HostPort;

/// `key_type` of a group in FindCoordinator.
const GROUP: i8 = 0;

/// The coordinators of some groups, in one request where the broker can (KIP-699). One attempt.
pub(crate) async fn find_coordinators(
    client: &Client,
    groups: &[String],
) -> Result<BTreeMap<String, Outcome<Node>>, ClientError> {
    let mut found = BTreeMap::new();
    let mut open: &[String] = groups;
    while let Some(first) = open.first() {
        let build = |version: i16| {
            let request = FindCoordinatorRequest::default();
            let request = if version >= 1 { request.with_key_type(GROUP) } else { request };
            if version >= 4 {
                request.with_coordinator_keys(open.iter().map(|group| text(group)).collect())
            } else {
                request.with_key(text(first))
            }
        };
        let (version, response) = client.request_with(Target::Any, build).await?;
        if version < 4 {
            let error = ApiError::from_wire(response.error_code, response.error_message.as_deref());
            let node = node(response.node_id.0, &response.host, response.port);
            found.insert(first.clone(), error.map_or(node, Err));
            open = &open[1..];
            continue;
        }
        for answer in &response.coordinators {
            let error = ApiError::from_wire(answer.error_code, answer.error_message.as_deref());
            let node = node(answer.node_id.0, &answer.host, answer.port);
            found.insert(answer.key.to_string(), error.map_or(node, Err));
        }
        break;
    }
    for node in found.values().flatten() {
        client.learn_node(node.clone());
    }
    Ok(found)
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn node(id: BrokerId, host: &str, port: i32) -> Outcome<Node> {
    match u16::try_from(port) {
        Ok(port) if id >= 0 => {
            Ok(Node { id, address: HostPort { host: host.to_owned(), port }, rack: None })
        }
        _ => Err(ApiError::of(ErrorCode::CoordinatorNotAvailable)),
    }
}

/// Whether an error means that the coordinator is another broker now, or not yet ready.
pub(crate) fn is_moving(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
    )
}

/// Splits a question by coordinator, asks all of them at once, and asks again for what a new coordinator
/// may answer, until `api_timeout_ms` is over. What is said of a group that was not answered for is the
/// last refusal.
pub(crate) async fn ask_coordinators<A, F, Fut>(
    client: &Client,
    groups: &[String],
    ask: F,
) -> Result<BTreeMap<String, Outcome<A>>, ClientError>
where
    F: Fn(Node, Vec<String>) -> Fut,
    Fut: Future<Output = Result<BTreeMap<String, Outcome<A>>, ClientError>>,
{
    let options = client.options();
    let deadline = Instant::now() + Duration::from_millis(options.api_timeout_ms);
    let mut done = BTreeMap::new();
    let mut open: Vec<String> = groups.to_vec();
    open.sort();
    open.dedup();
    let mut attempt = 0;
    loop {
        let mut answers: BTreeMap<String, Outcome<A>> = BTreeMap::new();
        let mut by_node: BTreeMap<BrokerId, (Node, Vec<String>)> = BTreeMap::new();
        for (group, coordinator) in find_coordinators(client, &open).await? {
            match coordinator {
                Ok(node) => {
                    by_node.entry(node.id).or_insert((node, Vec::new())).1.push(group);
                }
                Err(error) => {
                    answers.insert(group, Err(error));
                }
            }
        }
        let questions = by_node.into_values().map(|(node, groups)| {
            let answer = ask(node, groups.clone());
            async move { (groups, answer.await) }
        });
        for (groups, answer) in join_all(questions).await {
            match answer {
                Ok(outcomes) => answers.extend(outcomes),
                Err(error) if error.is_retriable() => {
                    let lost = || Err(ApiError::of(ErrorCode::NetworkException));
                    answers.extend(groups.into_iter().map(|group| (group, lost())));
                }
                Err(error) => return Err(error),
            }
        }
        attempt += 1;
        let pause = options.backoff(attempt);
        let late = Instant::now() + pause >= deadline;
        for group in std::mem::take(&mut open) {
            let answer = answers
                .remove(&group)
                .unwrap_or_else(|| Err(ApiError::of(ErrorCode::CoordinatorNotAvailable)));
            if !late && answer.as_ref().is_err_and(ApiError::is_retriable) {
                open.push(group);
            } else {
                done.insert(group, answer);
            }
        }
        if open.is_empty() {
            return Ok(done);
        }
        tokio::time::sleep(pause).await;
    }
}

/// The coordinator of one group, remembered while it serves.
pub(crate) struct Coordinator {
    /// Its connections are its own: a JoinGroup may be answered late, and answers come in order.
    client: Client,
    group: String,
    node: Mutex<Option<BrokerId>>,
}

impl Coordinator {
    pub(crate) fn new(client: &Client, group: &str) -> Self {
        Self { client: client.separate(), group: group.to_owned(), node: Mutex::default() }
    }

    /// The next question is preceded by a look-up.
    pub(crate) fn forget(&self) {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The broker that coordinates the group; looked up if it is not known. One attempt.
    pub(crate) async fn node(&self) -> Result<BrokerId, ClientError> {
        if let Some(id) = *self.node.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(id);
        }
        let groups = [self.group.clone()];
        let mut found = find_coordinators(&self.client, &groups).await?;
        let node = found
            .remove(&self.group)
            .unwrap_or_else(|| Err(ApiError::of(ErrorCode::CoordinatorNotAvailable)))?;
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) = Some(node.id);
        Ok(node.id)
    }

    /// Asks the coordinator once. After a failure of the connection it is looked up anew.
    pub(crate) async fn ask<T: Request>(
        &self,
        limit: Duration,
        build: impl Fn(i16) -> T + Sync,
    ) -> Result<(i16, T::Response), ClientError> {
        let node = self.node().await?;
        let answer = self.client.request_within(Target::Node(node), limit, build).await;
        answer.inspect_err(|_| self.forget())
    }

    /// Asks the coordinator once over a connection of its own, past whatever it is busy answering.
    pub(crate) async fn ask_apart<T: Request>(
        &self,
        limit: Duration,
        build: impl Fn(i16) -> T + Sync,
    ) -> Result<(i16, T::Response), ClientError> {
        let node = self.node().await?;
        self.client.separate().request_within(Target::Node(node), limit, build).await
    }

    /// A coordinator that is moving is looked up anew; passes the error on.
    pub(crate) fn judge(&self, error: ApiError) -> ApiError {
        if is_moving(error.error_code()) {
            self.forget();
        }
        error
    }

    /// The client of its connections.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}
