//! A node's settings: the file, the environment over it, the command line over both.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ottla_config::{NodeConfig, Notice, Properties};
use ottla_metadata_controller::ControllerOptions;
use ottla_protocol::ids::KafkaUuid;

/// Reads and resolves everything that says what the node is to be.
pub(super) fn load(file: Option<&Path>, settings: &[String]) -> Result<(NodeConfig, Vec<Notice>)> {
    let mut properties = match file {
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("reading the settings in {}", path.display()))?;
            Properties::parse(&text).with_context(|| format!("in {}", path.display()))?
        }
        None => Properties::default(),
    };
    // A variable that is not text is none of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    properties = properties.overlaid(Properties::from_env(variables));
    for setting in settings {
        let Some((key, value)) = setting.split_once('=') else {
            bail!("'{setting}' is not of the form key=value");
        };
        properties.set(key.trim(), value.trim());
    }
    Ok(NodeConfig::resolve(&properties)?)
}

/// What the controller of this node is started with.
pub(super) fn controller_options(config: &NodeConfig, incarnation: KafkaUuid) -> ControllerOptions {
    let options = ControllerOptions::from_config(config, incarnation);
    ControllerOptions {
        cluster_id: options.cluster_id.or_else(|| cluster_id_of_data(config)),
        ..options
    }
}

/// The cluster that the node's log directories belong to, where they say so.
fn cluster_id_of_data(config: &NodeConfig) -> Option<String> {
    config.log_dirs.iter().find_map(|dir| {
        let text = fs::read_to_string(dir.join("meta.properties")).ok()?;
        Properties::parse(&text).ok()?.get("cluster.id").map(str::to_owned)
    })
}
