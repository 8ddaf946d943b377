//! What the parts of a running controller share, and the reign of an active one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use ottla_metadata::{Batch, codec};
use ottla_protocol::ids::{BrokerId, KafkaUuid};

use crate::ControllerError;
use crate::active::{self, Wish, Wishes, Writer};
use crate::clock::Clock;
use crate::committed::Committed;
use crate::identity::Identity;
use crate::options::ControllerOptions;
use crate::quorum::{Leadership, Quorum};
use crate::sessions::{Sessions, Watch};

/// Between two questions whether there is a majority again.
const MAJORITY_RETRY: Duration = Duration::from_millis(50);

/// What the parts of a running controller share.
pub(crate) struct Node {
    pub(crate) options: ControllerOptions,
    pub(crate) identity: Arc<Identity>,
    pub(crate) quorum: Arc<Quorum>,
    pub(crate) committed: Arc<Committed>,
    pub(crate) active: watch::Sender<Option<Active>>,
    /// Cancelled when the controller stops: standing streams end.
    pub(crate) stop: CancellationToken,
    /// Set when the controller cannot go on.
    pub(crate) failure: watch::Sender<Option<Arc<ControllerError>>>,
}

/// This controller is the active one.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) wishes: Wishes,
    pub(crate) sessions: Sessions,
    /// Held while the quorum's members change.
    pub(crate) changes: Arc<tokio::sync::Mutex<()>>,
    /// Cancelled when it is not active any more.
    pub(crate) over: CancellationToken,
}

impl Node {
    pub(crate) fn active(&self) -> Option<Active> {
        self.active.borrow().clone()
    }

    pub(crate) fn leadership(&self) -> Leadership {
        *self.quorum.leadership().borrow()
    }

    /// The store's data cannot be used, for this reason.
    pub(crate) fn store_error(&self, reason: String) -> ControllerError {
        ControllerError::Store { dir: self.options.dir.clone(), reason }
    }

    /// The controller cannot go on. Once it was told to stop that is no failure: its parts see one
    /// another go.
    pub(crate) fn fail(&self, error: ControllerError) {
        if self.stop.is_cancelled() {
            tracing::debug!("while stopping: {error}");
            return;
        }
        tracing::error!("{error}");
        self.failure.send_replace(Some(Arc::new(error)));
    }
}

/// Reigns whenever this node leads the quorum.
pub(crate) async fn follow_leadership(node: Arc<Node>) {
    let mut leadership = node.quorum.leadership();
    let mut predecessor = None;
    let mut reigned_in = None;
    loop {
        let now = *leadership.borrow_and_update();
        if now.leading {
            let over = CancellationToken::new();
            let lost = leadership.wait_for(|next| !next.leading || next.term != now.term);
            let reign = async {
                if reigned_in == Some(now.term) {
                    has_majority(&node, now.term).await;
                }
                reign(&node, now.term, predecessor, over.clone()).await;
            };
            tokio::select! {
                biased;
                _ = lost => {}
                () = reign => {}
            }
            reigned_in = Some(now.term);
            over.cancel();
            node.active.send_replace(None);
            tracing::info!(term = now.term, "not the active controller any more");
            continue;
        }
        if now.leader.is_some() {
            predecessor = now.leader;
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}

/// A reign that ended although this node still leads had no majority behind it: until there is one, nobody
/// is kept in a session with a controller that can decide nothing.
async fn has_majority(node: &Node, term: u64) {
    let nothing = Bytes::from(codec::encode_batch(&Batch::default()));
    while node.quorum.write(term, nothing.clone()).await.is_err() {
        tokio::time::sleep(MAJORITY_RETRY).await;
    }
}

/// Returns only when something went wrong; then it begins anew, once there is a majority, if this node
/// still leads.
async fn reign(
    node: &Arc<Node>,
    term: u64,
    predecessor: Option<BrokerId>,
    over: CancellationToken,
) {
    // An entry of this term means that everything committed before is applied as well.
    let mut applied = node.committed.applied();
    if applied.wait_for(|applied| applied.term >= term).await.is_err() {
        return;
    }
    let mut tasks = JoinSet::new();
    let (wishes, writer) = Writer::new(
        Arc::clone(&node.quorum),
        Arc::clone(&node.committed),
        node.options.limits.clone(),
        term,
    );
    tasks.spawn(writer.run());
    if node.committed.image().cluster_id().is_none() {
        let id = node.identity.cluster_id().unwrap_or_else(active::mint_cluster_id);
        // Voters that were named by their directories may change from the start.
        let members = node.quorum.members();
        let reconfigurable = members.voters().all(|voter| voter.directory_id != KafkaUuid::ZERO);
        if let Err(error) = wishes.bring(Wish::NameCluster { id, reconfigurable }).await {
            tracing::warn!(%error, "the cluster could not be named yet");
            return;
        }
    }
    let clock = Clock::start();
    let (sessions, watch) = Watch::new(
        node.options.session_timeout,
        clock,
        Arc::clone(&node.committed),
        Arc::clone(&node.quorum),
        wishes.clone(),
    );
    // The broker in the deposed leader's process was in session with that one: what is known of it is
    // when its controller was last heard.
    let contact = predecessor.and_then(|id| Some((id, clock.at(node.quorum.last_contact(id)?))));
    tasks.spawn(watch.run(contact.into_iter().collect::<BTreeMap<_, _>>()));
    let changes = Arc::default();
    let active = Active { wishes: wishes.clone(), sessions: sessions.clone(), changes, over };
    node.active.send_replace(Some(active.clone()));
    tracing::info!(term, "the active controller");
    let balance = async {
        let Some(interval) = node.options.balance_interval else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(interval).await;
            let settled = sessions.settled().await;
            if let Err(error) = wishes.bring(Wish::Balance(settled)).await {
                tracing::debug!(%error, "leaderships were not balanced");
            }
        }
    };
    tokio::select! {
        () = balance => {}
        () = node.forget_observers(&active) => {}
        // None of them ends while all is well.
        _ = tasks.join_next() => {}
    }
}

/// Learns the cluster's id from what is committed; it must be the one that this node was told.
pub(crate) async fn learn_cluster_id(node: Arc<Node>) {
    let mut applied = node.committed.applied();
    loop {
        if let Some(id) = node.committed.image().cluster_id() {
            if let Err(mismatch) = node.identity.meet(id) {
                node.fail(ControllerError::ClusterIdMismatch {
                    ours: mismatch.ours,
                    who: format!("the quorum's data in {}", node.options.dir.display()),
                    theirs: mismatch.theirs,
                });
            }
            return;
        }
        if applied.changed().await.is_err() {
            return;
        }
    }
}
