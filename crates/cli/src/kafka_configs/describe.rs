//! --describe.

use ottla_client::Admin;
use ottla_client::admin::{ConfigEntry, ConfigResource, ConfigSource, ResourceType};

use super::entity::{Entities, EntityType};
use super::{Stop, failed, quotas, refused};
use crate::console::{print, say};

pub(super) async fn describe(admin: &Admin, entities: &Entities, all: bool) -> Result<(), Stop> {
    let kind = entities.first();
    let Some((resource_type, source)) = kind.resource() else {
        return quotas::describe(admin, entities).await;
    };
    let names = match entities.name() {
        Some(name) if all || exists(admin, kind, name).await? => vec![name.to_owned()],
        Some(name) => {
            let kind = kind.singular();
            say(&format!("The {kind} '{name}' doesn't exist and doesn't have dynamic config."));
            return Ok(());
        }
        None => every(admin, kind).await?,
    };
    let resource = |name: &String| ConfigResource { kind: resource_type, name: name.clone() };
    let resources: Vec<_> = names.iter().map(resource).collect();
    let described = admin.describe_configs_with(&resources, true).await;
    let described = described.map_err(|error| failed(&error, "describeConfigs"))?;
    for (name, outcome) in names.iter().zip(described) {
        print(&head(kind, name, all));
        let mut configs = outcome.map_err(|error| refused(&error))?;
        configs.sort_by(|a, b| a.name.cmp(&b.name));
        let own = match (kind, name.as_str()) {
            (EntityType::Brokers, "") => ConfigSource::DynamicDefaultBroker,
            _ => source,
        };
        let shown = |config: &&ConfigEntry| {
            all || kind == EntityType::BrokerLoggers || config.source == own
        };
        print(&configs.iter().filter(shown).map(line).collect::<String>());
    }
    Ok(())
}

fn head(kind: EntityType, name: &str, all: bool) -> String {
    let which = if all { "All" } else { "Dynamic" };
    match name {
        "" => format!("Default configs for {} in the cluster are:\n", kind.name()),
        name => format!("{which} configs for {} {name} are:\n", kind.singular()),
    }
}

pub(super) fn line(config: &ConfigEntry) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonyms: Vec<String> = config
        .synonyms
        .iter()
        .map(|place| format!("{}:{}={}", place.source.name(), place.name, shown(&place.value)))
        .collect();
    format!(
        "  {}={} sensitive={} synonyms={{{}}}\n",
        config.name,
        shown(&config.value),
        config.sensitive,
        synonyms.join(", ")
    )
}

async fn exists(admin: &Admin, kind: EntityType, name: &str) -> Result<bool, Stop> {
    // The defaults of all brokers are always there.
    let found = every(admin, kind).await?;
    Ok((kind == EntityType::Brokers && name.is_empty()) || found.iter().any(|it| it == name))
}

/// The names of everything of a kind, in the order in which it is described.
async fn every(admin: &Admin, kind: EntityType) -> Result<Vec<String>, Stop> {
    match kind {
        EntityType::Topics => {
            let topics = admin.list_topics().await.map_err(|e| failed(&e, "listTopics"))?;
            Ok(topics.into_iter().map(|topic| topic.name).collect())
        }
        EntityType::Brokers | EntityType::BrokerLoggers => {
            let cluster = admin.describe_cluster(false).await;
            let cluster = cluster.map_err(|error| failed(&error, "listNodes"))?;
            let mut ids: Vec<i32> = cluster.nodes.iter().map(|node| node.id).collect();
            ids.sort_unstable();
            let ids = ids.iter().map(i32::to_string);
            Ok(ids.chain((kind == EntityType::Brokers).then(String::new)).collect())
        }
        EntityType::Groups => {
            let mut names = configured(admin, ResourceType::Group).await?;
            let listed = admin.list_groups(&[], &[]).await;
            let listed = listed.map_err(|error| failed(&error, "listGroups"))?;
            names.extend(listed.into_iter().map(|group| group.group_id));
            names.sort_unstable();
            names.dedup();
            Ok(names)
        }
        EntityType::ClientMetrics => configured(admin, ResourceType::ClientMetrics).await,
        EntityType::Clients | EntityType::Users | EntityType::Ips => Ok(Vec::new()),
    }
}

async fn configured(admin: &Admin, kind: ResourceType) -> Result<Vec<String>, Stop> {
    let listed = admin.list_config_resources(kind).await;
    listed.map_err(|error| failed(&error, "listConfigResources"))
}
