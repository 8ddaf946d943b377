//! Changing dynamic configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_config::keys::{self, Kind, Scope};
use ottla_config::{
    InvalidConfig, validate_broker_configs, validate_client_metrics, validate_group_configs,
    validate_topic_configs,
};
use ottla_protocol::ErrorCode;

use super::draft::Draft;
use super::{Limits, Plan, malformed_topic_name};
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
/// The longest name of a group or a subscription.
const MAX_NAME_BYTES: usize = i16::MAX as usize;
/// How many groups and subscriptions have settings, at most.
const MAX_NAMED: usize = 10_000;
/// What decides who is eligible, and who may lead.
const ELECTION_KEYS: [&str; 2] = ["min.insync.replicas", "unclean.leader.election.enable"];

/// Changes the configuration of topics, brokers, groups and subscriptions to clients' metrics; each resource succeeds or fails as a whole.
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
            alter_one(&mut draft, limits, &resource, wish)
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

/// What a wish is about; whether it exists is asked when all else is right, as in Kafka.
fn resource(image: &Image, wish: &AlterConfigResource) -> Result<ConfigResource, Refusal> {
    let name = wish.name.as_str();
    match wish.resource_type {
        ResourceType::Topic if name.is_empty() => {
            Err(invalid_request("Default topic resources are not allowed."))
        }
        ResourceType::Topic => match malformed_topic_name(name) {
            Some(why) => {
                let message = format!("Topic name is invalid: {why}");
                Err(Refusal::new(ErrorCode::InvalidTopicException, message))
            }
            // The image's own name is shared; a name that is not there is refused later.
            None => Ok(ConfigResource::Topic(
                image.topic_by_name(name).map_or_else(|| name.into(), |it| Arc::clone(&it.name)),
            )),
        },
        ResourceType::Broker if name.is_empty() => Ok(ConfigResource::ClusterDefault),
        ResourceType::Broker => name
            .parse()
            .map(ConfigResource::Broker)
            .map_err(|_| invalid_request("Unable to parse broker name as a base 10 number.")),
        ResourceType::Group if name.is_empty() => {
            Err(invalid_request("Default group resources are not allowed."))
        }
        ResourceType::Group => Ok(ConfigResource::Group(name.into())),
        ResourceType::ClientMetrics if name.is_empty() => {
            Err(invalid_request("Subscription name can't be empty"))
        }
        ResourceType::ClientMetrics => Ok(ConfigResource::ClientMetrics(name.into())),
    }
}

/// Topics and brokers must be there; groups may come later, and a subscription is its settings, but
/// neither without end.
fn ensure_exists(image: &Image, resource: &ConfigResource) -> Outcome {
    match resource {
        ConfigResource::Topic(name) if image.topic_by_name(name).is_none() => {
            let message = format!("The topic '{name}' does not exist.");
            Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message))
        }
        ConfigResource::Broker(id) if image.broker(*id).is_none() => {
            let message = format!("No broker with id {id} found.");
            Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message))
        }
        ConfigResource::Group(name) | ConfigResource::ClientMetrics(name) => {
            let named = |(it, _): &(&ConfigResource, &ConfigMap)| {
                matches!(it, ConfigResource::Group(_) | ConfigResource::ClientMetrics(_))
            };
            if name.len() > MAX_NAME_BYTES {
                let message = format!("The name is longer than {MAX_NAME_BYTES} bytes.");
                return Err(invalid_request(&message));
            }
            if image.config(resource).is_empty()
                && image.configs().filter(named).count() >= MAX_NAMED
            {
                let message =
                    format!("At most {MAX_NAMED} groups and subscriptions have settings.");
                return Err(Refusal::new(ErrorCode::PolicyViolation, message));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn alter_one(
    draft: &mut Draft<'_>,
    limits: &Limits,
    resource: &ConfigResource,
    wish: &AlterConfigResource,
) -> Outcome {
    let distinct: BTreeSet<_> = wish.alters.iter().map(|alter| &alter.key).collect();
    if distinct.len() != wish.alters.len() {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    let nulls: Vec<&str> = wish
        .alters
        .iter()
        .filter(|alter| alter.op != AlterConfigOp::Delete && alter.value.is_none())
        .map(|alter| alter.key.as_str())
        .collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for : {}", nulls.join(","));
        return Err(invalid_request(&message));
    }
    let old = draft.image().config(resource).clone();
    let mut new = if wish.replace_all { ConfigMap::new() } else { old.clone() };
    for alter in &wish.alters {
        apply(&mut new, resource, alter)?;
    }
    check(draft.image(), limits, resource, &old, &new, &wish.alters)?;
    ensure_exists(draft.image(), resource)?;

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

fn apply(configs: &mut ConfigMap, resource: &ConfigResource, alter: &AlterConfig) -> Outcome {
    let AlterConfig { op, key, value } = alter;
    let (AlterConfigOp::Set | AlterConfigOp::Append | AlterConfigOp::Subtract, Some(value)) =
        (op, value)
    else {
        configs.remove(key);
        return Ok(());
    };
    check_length(value)?;
    let value = match op {
        AlterConfigOp::Append | AlterConfigOp::Subtract => {
            changed_list(configs, resource, alter, value)?
        }
        AlterConfigOp::Set | AlterConfigOp::Delete => value.clone(),
    };
    check_length(&value)?;
    configs.insert(key.clone(), value);
    Ok(())
}

/// A list with items added or taken away; what nobody set starts from the default.
fn changed_list(
    configs: &ConfigMap,
    resource: &ConfigResource,
    alter: &AlterConfig,
    given: &str,
) -> Result<String, Refusal> {
    let is_list = |key: &&keys::Key| key.kind == Kind::List && key.scope != Scope::ClientMetrics;
    let key = keys::find(&alter.key).filter(is_list).ok_or_else(|| {
        let op = if alter.op == AlterConfigOp::Append { "append" } else { "subtract" };
        let message = match resource {
            ConfigResource::Broker(_) | ConfigResource::ClusterDefault => {
                format!("Config value {op} is not allowed for config key: {}", alter.key)
            }
            _ => format!(
                "Can't {} to key {} because its type is not LIST.",
                op.to_uppercase(),
                alter.key
            ),
        };
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
    image: &Image,
    limits: &Limits,
    resource: &ConfigResource,
    old: &ConfigMap,
    new: &ConfigMap,
    alters: &[AlterConfig],
) -> Outcome {
    let invalid_config = |why: InvalidConfig| refused(ErrorCode::InvalidConfig, &why);
    match resource {
        ConfigResource::Topic(_) => validate_topic_configs(new).map_err(invalid_config),
        ConfigResource::Group(_) => {
            let layers = image.cluster_layers(&limits.static_values);
            validate_group_configs(new, &layers).map_err(invalid_config)
        }
        ConfigResource::ClientMetrics(_) => validate_client_metrics(new).map_err(|why| match why {
            InvalidConfig::UnknownClientMetricsConfig(_) | InvalidConfig::PushInterval(_) => {
                refused(ErrorCode::InvalidRequest, &why)
            }
            why => invalid_config(why),
        }),
        ConfigResource::Broker(_) | ConfigResource::ClusterDefault => {
            check_brokers(resource, old, new, alters)
        }
    }
}

fn check_brokers(
    resource: &ConfigResource,
    old: &ConfigMap,
    new: &ConfigMap,
    alters: &[AlterConfig],
) -> Outcome {
    // What is taken away need not be right.
    let set =
        alters.iter().filter_map(|alter| Some((alter.key.as_str(), new.get(&alter.key)?.as_str())));
    let one_broker = matches!(resource, ConfigResource::Broker(_));
    validate_broker_configs(set, one_broker)
        .map_err(|why| refused(ErrorCode::InvalidRequest, &why))?;
    if one_broker && alters.iter().any(|alter| alter.key == "min.insync.replicas") {
        // Leader and controller must agree on it: else replicas would stay eligible that the high
        // watermark has left behind.
        let message = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
        return Err(Refusal::new(ErrorCode::InvalidConfig, message));
    }
    if new.len() > MAX_KEYS && new.len() > old.len() {
        let message = format!("A broker resource has at most {MAX_KEYS} configuration keys.");
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    Ok(())
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
            _ => false,
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
