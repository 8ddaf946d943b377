//! Which directory holds a node's metadata: with the node's id it names a voter of the quorum (KIP-853).

use std::fs;

use ottla_config::NodeConfig;
use ottla_log::MetaProperties;
use ottla_protocol::ids::KafkaUuid;

use crate::server::StartError;

/// `directory.id` of `metadata.log.dir`; drawn, and written there, when it has none yet. Blocking.
///
/// # Errors
/// A directory that cannot be used, or is another node's.
pub fn metadata_directory_id(config: &NodeConfig) -> Result<KafkaUuid, StartError> {
    let dir = &config.metadata_log_dir;
    let unusable = |reason: String| StartError::MetadataDirectory { reason };
    fs::create_dir_all(dir).map_err(|error| unusable(format!("{}: {error}", dir.display())))?;
    let meta = MetaProperties::read(dir).map_err(|error| unusable(error.to_string()))?;
    if let Some(meta) = meta {
        let checked = meta.check(dir, config.node_id, config.cluster_id.as_deref());
        checked.map_err(|error| unusable(error.to_string()))?;
        return Ok(meta.directory_id);
    }
    // Without the cluster's id: that is written by who knows that the node has become a part of it.
    let meta = MetaProperties::new(config.node_id, None);
    meta.store(dir).map_err(|error| unusable(error.to_string()))?;
    Ok(meta.directory_id)
}
