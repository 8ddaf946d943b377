//! Which log directory a replica is to be in, if somebody chose one (KIP-113).
//!
//! A replica that is not here yet is created there: that is how a reassignment names directories. One that
//! is here is moved (`moves`).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use ottla_log::MAX_MOVABLE_NAME;
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
    /// The name of the replica's directory would be longer than a file system takes.
    #[error("The topic name is too long.")]
    NameTooLong,
}

impl Partitions {
    /// Chooses the log directory of a replica, by the directory's path as in `log.dirs`. One that is here
    /// begins to move there, and stops moving to anywhere else; to where it is: it stays.
    ///
    /// # Errors
    /// [`ChooseError`]; also when the choice is kept for a replica that is not here yet.
    pub fn choose_log_dir(&self, id: TopicIdPartition, path: &Path) -> Result<(), ChooseError> {
        let dirs = &self.disks.dirs;
        let place = dirs.iter().position(|dir| dir.path() == path).ok_or(ChooseError::NoSuchDir)?;
        let Some(dir) = dirs.get(place).filter(|dir| dir.failure().is_none()) else {
            return Err(ChooseError::DirFailed);
        };
        let partition = self.get(id);
        let name_len = partition.as_ref().map_or(0, |partition| format!("{partition:?}").len());
        if name_len > MAX_MOVABLE_NAME {
            return Err(ChooseError::NameTooLong);
        }
        let moves = &self.disks.moves;
        let moving = moves.get(id);
        let elsewhere = moving.as_ref().filter(|moving| moving.to.path() != path);
        let current = partition.and_then(|partition| {
            partition.look(|state| {
                if let Some(elsewhere) = elsewhere {
                    elsewhere.cancel();
                }
                state.log.as_ref().map(|log| log.dir().path().to_owned())
            })
        });
        if let Some(elsewhere) = elsewhere {
            moves.forget(elsewhere);
        }
        match current {
            Some(current) if current == path => Ok(()),
            Some(_) if moving.is_some() && elsewhere.is_none() => Ok(()),
            Some(_) => {
                moves.begin(id, Arc::clone(dir), None);
                Ok(())
            }
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
