//! A client that waits for a group.

use std::sync::Arc;

use ottla_coordinator::{Answer, GroupError, Response, Token};
use tokio::sync::oneshot;

use super::budget::Charge;
use super::shard::Shard;

/// Why a group's coordinator did not take a request, or could not answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unavailable {
    /// Another broker coordinates the group, or will.
    #[error("this broker does not coordinate the group")]
    NotCoordinator,
    /// This broker has only just become the coordinator.
    #[error("the group is being loaded")]
    Loading,
    /// Too many requests wait.
    #[error("too many requests wait for their groups")]
    Overloaded,
    /// A write was not committed in time; it may be yet.
    #[error("the group's state was not replicated in time")]
    TimedOut,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CoordinatorError {
    /// The group was not asked, or did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The group refused.
    #[error(transparent)]
    Group(#[from] GroupError),
}

/// The shell's end of a waiting request. Dropped, it tells the client that its coordinator is gone.
pub(super) struct Waiter {
    sender: oneshot::Sender<Answer>,
    _charge: Charge,
}

impl Waiter {
    pub(super) fn new(sender: oneshot::Sender<Answer>, charge: Charge) -> Self {
        Self { sender, _charge: charge }
    }

    pub(super) fn answer(self, answer: Answer) {
        // The client may be gone.
        let _ = self.sender.send(answer);
    }
}

/// The client's end. Dropped before the answer, it tells the group that the client is gone.
pub(crate) struct Pending {
    receiver: oneshot::Receiver<Answer>,
    shard: Arc<Shard>,
    token: Token,
    answered: bool,
}

impl Pending {
    pub(super) fn new(
        receiver: oneshot::Receiver<Answer>,
        shard: Arc<Shard>,
        token: Token,
    ) -> Self {
        Self { receiver, shard, token, answered: false }
    }

    /// Waits for the answer, as long as it takes.
    pub(crate) async fn answer(mut self) -> Result<Response, CoordinatorError> {
        let answer = (&mut self.receiver).await;
        self.answered = true;
        match answer {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Unavailable::NotCoordinator.into()),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.answered {
            self.shard.gone(self.token);
        }
    }
}
