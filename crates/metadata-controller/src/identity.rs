//! Who this controller is, and of which cluster.

use parking_lot::RwLock;

use ottla_protocol::ids::{BrokerId, KafkaUuid};

/// Who this controller is. The cluster's id may come later than the start: minted or met.
#[derive(Debug)]
pub(crate) struct Identity {
    node_id: BrokerId,
    incarnation: KafkaUuid,
    cluster_id: RwLock<Option<String>>,
}

/// Another cluster's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("controller {node_id} is of cluster {ours}, and the caller of cluster {theirs}")]
pub(crate) struct OtherCluster {
    pub(crate) node_id: BrokerId,
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

impl Identity {
    pub(crate) fn new(
        node_id: BrokerId,
        incarnation: KafkaUuid,
        cluster_id: Option<String>,
    ) -> Self {
        Self { node_id, incarnation, cluster_id: RwLock::new(cluster_id) }
    }

    pub(crate) fn node_id(&self) -> BrokerId {
        self.node_id
    }

    pub(crate) fn incarnation(&self) -> KafkaUuid {
        self.incarnation
    }

    pub(crate) fn cluster_id(&self) -> Option<String> {
        self.cluster_id.read().clone()
    }

    /// Takes the id over if none is known yet; an empty one says nothing.
    pub(crate) fn meet(&self, theirs: &str) -> Result<(), OtherCluster> {
        if theirs.is_empty() {
            return Ok(());
        }
        let mut ours = self.cluster_id.write();
        match ours.as_deref() {
            None => {
                *ours = Some(theirs.to_owned());
                Ok(())
            }
            Some(ours) if ours == theirs => Ok(()),
            Some(ours) => Err(OtherCluster {
                node_id: self.node_id,
                ours: ours.to_owned(),
                theirs: theirs.to_owned(),
            }),
        }
    }

    /// Whether a caller that names `theirs` may be served. Unlike [`Identity::meet`] it learns nothing:
    /// who may be anybody does not name the cluster.
    pub(crate) fn check(&self, theirs: &str) -> Result<(), OtherCluster> {
        match self.cluster_id.read().as_deref() {
            Some(ours) if !theirs.is_empty() && ours != theirs => Err(OtherCluster {
                node_id: self.node_id,
                ours: ours.to_owned(),
                theirs: theirs.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}
