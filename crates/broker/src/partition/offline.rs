//! Log directories out of service: their replicas serve nobody, and the controller is told, so that others
//! lead and nobody waits for them. The broker goes on with the directories that are left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ottla_log::{LogDir, LogError};
use ottla_protocol::ids::TopicIdPartition;
use ottla_replication::{Input, Role};
use tokio::sync::watch;

use super::registry::IsrProposer;
use super::shared::Shared;

/// Before the controller is told again.
const PAUSE: Duration = Duration::from_millis(200);
/// An answer that has not come by then does not come.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

impl Shared {
    /// Tells the broker, if `error`, met outside of a partition's lock, says that a log directory has failed.
    pub(super) fn note_failure(self: &Arc<Self>, error: &LogError) {
        if let LogError::StorageFailed { .. } = error {
            self.storage_failed(&error.to_string());
        }
    }

    /// A log directory has failed: its partitions serve nobody any more, and the broker is told.
    pub(super) fn storage_failed(self: &Arc<Self>, reason: &str) {
        if self.cannot_go_on() {
            self.failure.send_if_modified(|failure| {
                let first = failure.is_none();
                failure.get_or_insert_with(|| reason.to_owned());
                first
            });
        }
        for partition in self.all() {
            let failed = partition.look(|state| {
                state.log.as_ref().is_some_and(|log| log.dir().failure().is_some())
                    && !matches!(state.replica.role(), Role::Failed { .. })
            });
            if failed {
                partition.step(Input::StorageFailed);
            }
        }
        self.offline.notify_one();
    }

    fn failed_dirs(&self) -> Vec<Arc<LogDir>> {
        let dirs = self.dirs.iter().filter_map(std::sync::Weak::upgrade);
        dirs.filter(|dir| dir.failure().is_some()).collect()
    }

    /// No directory is left, or the metadata's is among those that have failed.
    fn cannot_go_on(&self) -> bool {
        let failed = self.failed_dirs();
        let metadata = &self.config.metadata_log_dir;
        failed.len() == self.dirs.len()
            || self.config.roles.controller && failed.iter().any(|dir| dir.path() == metadata)
    }

    /// The replicas that are out of service.
    fn offline_replicas(&self) -> BTreeSet<TopicIdPartition> {
        if self.failed_dirs().is_empty() {
            return BTreeSet::new();
        }
        let failed = |state: &mut super::replica::State| {
            matches!(state.replica.role(), Role::Failed { .. }) && state.log.is_some()
        };
        let offline = self.all().into_iter().filter(|partition| partition.look(failed));
        offline.map(|partition| partition.id()).collect()
    }

    /// What the controller does not know yet of them.
    fn to_report(&self) -> Option<BTreeSet<TopicIdPartition>> {
        let offline = self.offline_replicas();
        let image = self.image.load();
        let me = image.broker(self.me).filter(|broker| broker.epoch == self.broker_epoch())?;
        // What has been deleted since may still be among those it knows.
        (!offline.is_subset(&me.offline_replicas)).then_some(offline)
    }
}

/// Tells the controller whenever it does not know.
pub(super) async fn report(
    shared: Arc<Shared>,
    proposer: Arc<dyn IsrProposer>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let pause = async {
            match shared.to_report() {
                Some(offline) => {
                    tracing::warn!(replicas = offline.len(), "offline: telling the controller");
                    let told = proposer.report_offline(offline.into_iter().collect());
                    if let Ok(Err(error)) = tokio::time::timeout(ANSWER_TIMEOUT, told).await {
                        tracing::warn!(%error, "the controller does not know of offline replicas");
                    }
                    // The feed says whether it knows now.
                    let _ = tokio::time::timeout(PAUSE, shared.offline.notified()).await;
                }
                None => shared.offline.notified().await,
            }
        };
        tokio::select! {
            () = pause => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}
