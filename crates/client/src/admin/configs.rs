//! Configs of topics, brokers, loggers, groups and subscriptions to clients' metrics.

use ottla_protocol::ConfigSource;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsSynonym,
};
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};

use super::{Admin, Outcome, missing, outcome, text, whole};
use crate::client::Target;
use crate::error::ClientError;

/// What kind of thing is configured; the numbers are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic by name.
    Topic = 2,
    /// A broker by id; the empty name is the default of all brokers.
    Broker = 4,
    /// A broker's loggers, by its id.
    BrokerLogger = 8,
    /// A subscription to clients' metrics by name.
    ClientMetrics = 16,
    /// A group by name.
    Group = 32,
}

/// A thing with configs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigResource {
    /// What kind.
    pub kind: ResourceType,
    /// Its name or id.
    pub name: String,
}

impl ConfigResource {
    /// A topic's configs.
    #[must_use]
    pub fn topic(name: &str) -> Self {
        Self { kind: ResourceType::Topic, name: name.to_owned() }
    }

    /// Where a request about it goes: a broker's own configs are known to that broker only.
    fn target(&self) -> Target {
        match (self.kind, self.name.parse()) {
            (ResourceType::Broker | ResourceType::BrokerLogger, Ok(id)) => Target::Node(id),
            _ => Target::Any,
        }
    }
}

/// One place where a config's value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key as it is called there.
    pub name: String,
    /// The value there; `None` when it is sensitive.
    pub value: Option<String>,
    /// Where that is.
    pub source: ConfigSource,
}

/// One config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its key.
    pub name: String,
    /// Its value; `None` when it is sensitive or unset.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether its value is kept secret.
    pub sensitive: bool,
    /// Whether it can only be set in the broker's file.
    pub read_only: bool,
    /// Everywhere a value stands, the one in force first, if that was asked for.
    pub synonyms: Vec<ConfigSynonym>,
}

/// A change of one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlterOperation {
    /// Sets a value.
    Set(String, String),
    /// Takes a value away.
    Delete(String),
    /// Adds to a list.
    Append(String, String),
    /// Takes from a list.
    Subtract(String, String),
}

fn entry(config: &DescribeConfigsResourceResult) -> ConfigEntry {
    let synonym = |place: &DescribeConfigsSynonym| ConfigSynonym {
        name: place.name.to_string(),
        value: place.value.as_ref().map(ToString::to_string),
        source: ConfigSource::from_code(place.source),
    };
    ConfigEntry {
        name: config.name.to_string(),
        value: config.value.as_ref().map(ToString::to_string),
        source: ConfigSource::from_code(config.config_source),
        sensitive: config.is_sensitive,
        read_only: config.read_only,
        synonyms: config.synonyms.iter().map(synonym).collect(),
    }
}

impl Admin {
    /// The names of all resources of a kind that have configs.
    pub async fn list_config_resources(
        &self,
        kind: ResourceType,
    ) -> Result<Vec<String>, ClientError> {
        // Version 0 knows subscriptions only.
        let build = |version: i16| match version {
            0 => ListConfigResourcesRequest::default(),
            _ => ListConfigResourcesRequest::default().with_resource_types(vec![kind as i8]),
        };
        let (_, response) = self.client.request_with(Target::Any, build).await?;
        whole(response.error_code, None)?;
        let of_kind = response.config_resources.iter().filter(|it| it.resource_type == kind as i8);
        Ok(of_kind.map(|it| it.resource_name.to_string()).collect())
    }

    /// The configs of some resources, each in the broker's order.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
    ) -> Result<Vec<Outcome<Vec<ConfigEntry>>>, ClientError> {
        self.describe_configs_with(resources, false).await
    }

    /// The configs of some resources, each in the broker's order, with or without every place where a
    /// value stands.
    pub async fn describe_configs_with(
        &self,
        resources: &[ConfigResource],
        synonyms: bool,
    ) -> Result<Vec<Outcome<Vec<ConfigEntry>>>, ClientError> {
        // Resources of different brokers need different requests; the usual case is one request.
        let mut outcomes = Vec::with_capacity(resources.len());
        for run in resources.chunk_by(|a, b| a.target() == b.target()) {
            let Some(target) = run.first().map(ConfigResource::target) else { continue };
            let wire = |resource: &ConfigResource| {
                DescribeConfigsResource::default()
                    .with_resource_type(resource.kind as i8)
                    .with_resource_name(text(&resource.name))
                    .with_configuration_keys(None)
            };
            let request = DescribeConfigsRequest::default()
                .with_resources(run.iter().map(wire).collect())
                .with_include_synonyms(synonyms);
            let response = self.client.request(target, &request).await?;
            outcomes.extend(run.iter().map(|resource| {
                let found = response.results.iter().find(|result| {
                    result.resource_type == resource.kind as i8
                        && result.resource_name.as_str() == resource.name
                });
                let result = found.ok_or_else(missing)?;
                let entries = result.configs.iter().map(entry).collect();
                outcome(result.error_code, result.error_message.as_ref(), entries)
            }));
        }
        Ok(outcomes)
    }

    /// Changes some configs of one resource and leaves the others (KIP-339).
    pub async fn incremental_alter_configs(
        &self,
        resource: &ConfigResource,
        operations: &[AlterOperation],
        validate_only: bool,
    ) -> Result<Outcome<()>, ClientError> {
        let wire = |operation: &AlterOperation| {
            let (number, name, value) = match operation {
                AlterOperation::Set(name, value) => (0, name, Some(value)),
                AlterOperation::Delete(name) => (1, name, None),
                AlterOperation::Append(name, value) => (2, name, Some(value)),
                AlterOperation::Subtract(name, value) => (3, name, Some(value)),
            };
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(number)
                .with_value(value.map(|value| text(value)))
        };
        let alteration = AlterConfigsResource::default()
            .with_resource_type(resource.kind as i8)
            .with_resource_name(text(&resource.name))
            .with_configs(operations.iter().map(wire).collect());
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(vec![alteration])
            .with_validate_only(validate_only);
        let response = match resource.target() {
            Target::Any => self.client.request(Target::Controller, &request).await?,
            node => match self.client.request(node, &request).await {
                // A broker's settings may be why it takes no connections; Ottla's others change them too.
                Err(ClientError::Connect { .. } | ClientError::Disconnected { .. })
                    if resource.kind == ResourceType::Broker =>
                {
                    self.client.request(Target::Any, &request).await?
                }
                answer => answer?,
            },
        };
        let Some(result) = response.responses.first() else { return Ok(Err(missing())) };
        Ok(outcome(result.error_code, result.error_message.as_ref(), ()))
    }
}
