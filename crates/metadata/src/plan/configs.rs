//! Changing dynamic configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_config::keys::{self, Dynamic, Kind};
use ottla_config::{InvalidConfig, validate_broker_config, validate_topic_configs};
use ottla_protocol::ErrorCode;

use super::draft::Draft;
use super::{Limits, Plan};
use crate::election::{Change, Election};
use crate::image::{ConfigMap, Image};
use crate::proposal::{
    AlterConfig, AlterConfigOp, AlterConfigResource, AlterConfigs, Outcome, Refusal, ResourceType,
};
use crate::record::{ConfigResource, Record};

/// The longest value, as in Kafka.
const MAX_VALUE_BYTES: usize = i16::MAX as usize;
/// How many keys a broker resource may have: keys that are not known are kept, but not without end.
const MAX_KEYS: usize = 1000;
/// What decides who is eligible, and who may lead.
const ELECTION_KEYS: [&str; 2] = ["min.insync.replicas", "unclean.leader.election.enable"];

/// Changes the configuration of topics and brokers; each resource succeeds or fails as a whole.
///
/// Where `min.insync.replicas` changes, eligible replicas are judged anew in the same batch: a leader
/// that may advance its high watermark alone from now on must not leave others eligible. Where unclean
/// elections become allowed, those that wait are held.
#[must_use]
pub fn alter(image: &Image, limits: &Limits, request: &AlterConfigs) -> Plan<Vec<Outcome>> {
    let mut draft = Draft::new(image, limits);
    let mut named = BTreeSet::new();
    let outcomes = request
        .resources
        .iter()
        .map(|wish| {
            let resource = resource(draft.image(), wish)?;
            if !named.insert(resource.clone()) {
                return Err(invalid_request("Each resource must appear at most once."));
            }
            alter_one(&mut draft, &resource, wish)
        })
        .collect();
    if request.validate_only {
        return Plan::nothing(outcomes);
    }
    draft.finish(outcomes)
}

/// The configuration of a topic to be created.
pub(super) fn of_new_topic(configs: &[(String, Option<String>)]) -> Result<ConfigMap, Refusal> {
    let nulls: Vec<_> =
        configs.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str()).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(Refusal::new(ErrorCode::InvalidConfig, message));
    }
    let map: ConfigMap =
        configs.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
    map.values().try_for_each(|value| check_length(value))?;
    validate_topic_configs(&map).map_err(|why| refused(ErrorCode::InvalidConfig, &why))?;
    Ok(map)
}

fn resource(image: &Image, wish: &AlterConfigResource) -> Result<ConfigResource, Refusal> {
    match wish.resource_type {
        ResourceType::Topic => match image.topic_by_name(&wish.name) {
            Some(topic) => Ok(ConfigResource::Topic(Arc::clone(&topic.name))),
            None => {
                let message = format!("The topic '{}' does not exist.", wish.name);
                Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message))
            }
        },
        ResourceType::Broker if wish.name.is_empty() => Ok(ConfigResource::ClusterDefault),
        ResourceType::Broker => {
            let id = wish
                .name
                .parse()
                .map_err(|_| invalid_request("Unable to parse broker name as a base 10 number."))?;
            if image.broker(id).is_none() {
                let message = format!("No broker with id {id} found.");
                return Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message));
            }
            Ok(ConfigResource::Broker(id))
        }
    }
}

fn alter_one(
    draft: &mut Draft<'_>,
    resource: &ConfigResource,
    wish: &AlterConfigResource,
) -> Outcome {
    let distinct: BTreeSet<_> = wish.alters.iter().map(|alter| &alter.key).collect();
    if distinct.len() != wish.alters.len() {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    let old = draft.image().config(resource).clone();
    let mut new = if wish.replace_all { ConfigMap::new() } else { old.clone() };
    for alter in &wish.alters {
        apply(&mut new, alter)?;
    }
    check(resource, &old, &new, &wish.alters)?;

    let changed: BTreeSet<String> = old
        .keys()
        .chain(new.keys())
        .filter(|key| old.get(*key) != new.get(*key))
        .cloned()
        .collect();
    for key in &changed {
        let value = new.get(key).cloned();
        draft.push(Record::Config { resource: resource.clone(), key: key.clone(), value });
    }
    if ELECTION_KEYS.iter().any(|key| changed.contains(*key)) {
        judge_anew(draft, resource);
    }
    Ok(())
}

fn apply(configs: &mut ConfigMap, alter: &AlterConfig) -> Outcome {
    let AlterConfig { op, key, value } = alter;
    if *op == AlterConfigOp::Delete {
        configs.remove(key);
        return Ok(());
    }
    let value = value
        .as_ref()
        .ok_or_else(|| invalid_request(&format!("Null value not supported for : {key}")))?;
    check_length(value)?;
    let value = match op {
        AlterConfigOp::Append | AlterConfigOp::Subtract => changed_list(configs, alter, value)?,
        AlterConfigOp::Set | AlterConfigOp::Delete => value.clone(),
    };
    check_length(&value)?;
    configs.insert(key.clone(), value);
    Ok(())
}

/// A list with items added or taken away; what nobody set starts from the default.
fn changed_list(configs: &ConfigMap, alter: &AlterConfig, given: &str) -> Result<String, Refusal> {
    let key = keys::find(&alter.key).filter(|key| key.kind == Kind::List).ok_or_else(|| {
        let op = if alter.op == AlterConfigOp::Append { "APPEND" } else { "SUBTRACT" };
        let message = format!("Can't {op} to key {} because its type is not LIST.", alter.key);
        Refusal::new(ErrorCode::InvalidConfig, message)
    })?;
    let present = configs.get(&alter.key).map(String::as_str).or(key.default).unwrap_or_default();
    let split = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    let (mut list, given) = (split(present), split(given));
    if alter.op == AlterConfigOp::Append {
        for item in given {
            if !list.contains(&item) {
                list.push(item);
            }
        }
    } else {
        list.retain(|item| !given.contains(item));
    }
    Ok(list.join(","))
}

fn check(
    resource: &ConfigResource,
    old: &ConfigMap,
    new: &ConfigMap,
    alters: &[AlterConfig],
) -> Outcome {
    if let ConfigResource::Topic(_) = resource {
        return validate_topic_configs(new).map_err(|why| refused(ErrorCode::InvalidConfig, &why));
    }
    for alter in alters {
        check_broker_key(resource, alter, new.get(&alter.key))?;
    }
    if new.len() > MAX_KEYS && new.len() > old.len() {
        let message = format!("A broker resource has at most {MAX_KEYS} configuration keys.");
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    Ok(())
}

fn check_broker_key(
    resource: &ConfigResource,
    alter: &AlterConfig,
    value: Option<&String>,
) -> Outcome {
    let read_only =
        keys::find(&alter.key).is_some_and(|key| key.is_node() && key.dynamic == Dynamic::ReadOnly);
    if read_only {
        let why = InvalidConfig::NotDynamic(alter.key.clone());
        return Err(refused(ErrorCode::InvalidRequest, &why));
    }
    if matches!(resource, ConfigResource::Broker(_)) && alter.key == "min.insync.replicas" {
        // Leader and controller must agree on it: else replicas would stay eligible that the high
        // watermark has left behind.
        let message = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
        return Err(Refusal::new(ErrorCode::InvalidConfig, message));
    }
    match value {
        Some(value) => validate_broker_config(&alter.key, value)
            .map_err(|why| refused(ErrorCode::InvalidRequest, &why)),
        None => Ok(()),
    }
}

fn check_length(value: &str) -> Outcome {
    if value.len() > MAX_VALUE_BYTES {
        let message = format!(
            "The configuration value cannot be added because it exceeds the maximum value size of \
             {MAX_VALUE_BYTES} bytes."
        );
        return Err(Refusal::new(ErrorCode::InvalidConfig, message));
    }
    Ok(())
}

/// Eligible replicas and waiting elections, under the configuration as it is now.
fn judge_anew(draft: &mut Draft<'_>, resource: &ConfigResource) {
    draft.change_each(|_, topic, partition| {
        let concerned = match resource {
            ConfigResource::Topic(name) => topic.name == *name,
            ConfigResource::ClusterDefault => true,
            ConfigResource::Broker(_) => false,
        };
        let unsettled = partition.leader.is_none()
            || !partition.elr.is_empty()
            || !partition.last_known_elr.is_empty();
        (concerned && unsettled).then(|| Change::elect(partition, Election::Online))
    });
}

fn invalid_request(message: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

fn refused(code: ErrorCode, why: &InvalidConfig) -> Refusal {
    Refusal::new(code, why.to_string())
}
