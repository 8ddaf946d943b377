//! --alter.

use ottla_client::Admin;
use ottla_client::admin::{AlterOperation, ConfigResource};

use super::added::Changes;
use super::entity::{Entities, EntityType};
use super::{Stop, failed, quotas, refused};
use crate::console::say;

pub(super) async fn alter(
    admin: &Admin,
    entities: &Entities,
    changes: &Changes,
) -> Result<(), Stop> {
    let first = entities.first();
    let name = entities.name().unwrap_or_default();
    match first.resource() {
        Some((kind, _)) => {
            let resource = ConfigResource { kind, name: name.to_owned() };
            if first == EntityType::BrokerLoggers {
                check_loggers(admin, &resource, changes).await?;
            }
            change(admin, &resource, changes).await?;
        }
        None => quotas::alter(admin, entities, changes).await?,
    }
    say(&match name {
        "" => format!("Completed updating default config for {} in the cluster.", first.name()),
        name => format!("Completed updating config for {} {name}.", first.singular()),
    });
    Ok(())
}

async fn change(admin: &Admin, resource: &ConfigResource, changes: &Changes) -> Result<(), Stop> {
    let delete = changes.delete.iter().cloned().map(AlterOperation::Delete);
    let set =
        changes.add.iter().map(|(key, value)| AlterOperation::Set(key.clone(), value.clone()));
    let operations: Vec<_> = delete.chain(set).collect();
    let outcome = admin.incremental_alter_configs(resource, &operations, false).await;
    let outcome = outcome.map_err(|error| failed(&error, "incrementalAlterConfigs"))?;
    outcome.map_err(|error| refused(&error))
}

/// Loggers that are not there are refused before anything is changed.
async fn check_loggers(
    admin: &Admin,
    resource: &ConfigResource,
    changes: &Changes,
) -> Result<(), Stop> {
    let described = admin.describe_configs(std::slice::from_ref(resource)).await;
    let described = described.map_err(|error| failed(&error, "describeConfigs"))?;
    let loggers = match described.into_iter().next() {
        Some(outcome) => outcome.map_err(|error| refused(&error))?,
        None => Vec::new(),
    };
    let unknown: Vec<&str> = changes
        .delete
        .iter()
        .chain(changes.add.keys())
        .filter(|name| loggers.iter().all(|logger| logger.name != **name))
        .map(String::as_str)
        .collect();
    match unknown.as_slice() {
        [] => Ok(()),
        unknown => Err(Stop::Said(format!("Invalid broker logger(s): {}", unknown.join(",")))),
    }
}
