//! Which log directory a replica is to be in, if somebody chose one (KIP-113).
//!
//! A choice counts when the replica is created, so it is made while the replica is not here yet: that is
//! how a reassignment names directories. A replica that is here stays where it is.

use std::collections::HashMap;
use std::path::Path;

use ottla_protocol::ids::TopicIdPartition;
use parking_lot::Mutex;

use super::registry::Partitions;

/// Choices are kept for at most so many replicas that never came.
const MAX_CHOICES: usize = 100_000;

/// Directories by their place in `log.dirs`.
#[derive(Default)]
pub(super) struct Choices(Mutex<HashMap<TopicIdPartition, usize>>);

impl Choices {
    /// The choice for a replica that is created now; it is used up.
    pub(super) fn take(&self, id: TopicIdPartition) -> Option<usize> {
        self.0.lock().remove(&id)
    }
}

/// Why a replica does not go to a log directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// No such directory is in `log.dirs`.
    #[error("this broker has no such log directory")]
    NoSuchDir,
    /// The directory is out of service.
    #[error("the log directory is out of service")]
    DirFailed,
    /// The replica is not here; should it come, it comes into that directory.
    #[error("the replica is not on this broker yet")]
    NotHere,
    /// The replica is in another directory already.
    #[error("a replica is not moved between log directories once it is there")]
    Settled,
}

impl Partitions {
    /// Chooses the log directory of a replica, by the directory's path as in `log.dirs`.
    ///
    /// # Errors
    /// [`ChooseError`]; also when the choice is kept for a replica that is not here yet.
    pub fn choose_log_dir(&self, id: TopicIdPartition, path: &Path) -> Result<(), ChooseError> {
        let dirs = &self.disks.dirs;
        let place = dirs.iter().position(|dir| dir.path() == path).ok_or(ChooseError::NoSuchDir)?;
        if dirs.get(place).is_some_and(|dir| dir.failure().is_some()) {
            return Err(ChooseError::DirFailed);
        }
        let partition = self.get(id);
        let current = partition.and_then(|partition| {
            partition.look(|state| state.log.as_ref().map(|log| log.dir().path().to_owned()))
        });
        match current {
            Some(current) if current == path => Ok(()),
            Some(_) => Err(ChooseError::Settled),
            None => {
                let mut choices = self.disks.choices.0.lock();
                if choices.len() < MAX_CHOICES {
                    choices.insert(id, place);
                }
                Err(ChooseError::NotHere)
            }
        }
    }
}
