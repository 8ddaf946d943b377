//! DescribeConfigs: from the table of keys, and the levels of this broker's loggers.

use std::collections::HashSet;

use ottla_config::describe::{self, DescribedConfig};
use ottla_config::keys::Kind;
use ottla_config::{ConfigSource, Layers};
use ottla_metadata::plan::malformed_topic_name;
use ottla_metadata::record::ConfigResource;
use ottla_metadata::{Image, Refusal};
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::config_resource::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::{AdminContext, text};

/// From this version on the answer holds types and documentation.
const WITH_TYPES: i16 = 3;

pub(super) fn handle(
    context: &AdminContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let image = context.node.metadata.image();
    let show = Show {
        synonyms: request.include_synonyms,
        types: context.version >= WITH_TYPES,
        documentation: request.include_documentation && context.version >= WITH_TYPES,
    };
    let results = request.resources.into_iter().map(|resource| {
        let described = describe(context, &image, &resource);
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        match described {
            Ok(configs) => {
                let keys = resource
                    .configuration_keys
                    .as_ref()
                    .filter(|keys| !keys.is_empty())
                    .map(|keys| keys.iter().map(StrBytes::as_str).collect::<HashSet<_>>());
                let configs = configs.into_iter().filter(|config| {
                    keys.as_ref().is_none_or(|keys| keys.contains(config.name.as_str()))
                });
                result.with_configs(configs.map(|config| show.config(config)).collect())
            }
            Err(refusal) => result
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(&refusal.message))),
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe(
    context: &AdminContext,
    image: &Image,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribedConfig>, Refusal> {
    let name = resource.resource_name.as_str();
    let cluster = image.config(&ConfigResource::ClusterDefault);
    let layers = image.broker_layers(context.node.id, &context.node.config.static_values);
    match resource.resource_type {
        TOPIC => {
            if let Some(why) = malformed_topic_name(name) {
                let message = format!("Topic name is invalid: {why}");
                return Err(Refusal::new(ErrorCode::InvalidTopicException, message));
            }
            let topic = image
                .topic_by_name(name)
                .ok_or_else(|| Refusal::plain(ErrorCode::UnknownTopicOrPartition))?;
            let layers = Layers { own: Some(image.topic_config(&topic.name)), ..layers };
            Ok(describe::describe_topic(&layers, topic.replication_factor()))
        }
        GROUP if name.is_empty() => Err(invalid_request("Group name must not be empty")),
        GROUP => {
            let own = image.config(&ConfigResource::Group(name.into()));
            Ok(describe::describe_group(&Layers { own: Some(own), ..layers }))
        }
        CLIENT_METRICS if name.is_empty() => {
            Err(invalid_request("Client metrics subscription name must not be empty"))
        }
        CLIENT_METRICS => {
            let own = image.config(&ConfigResource::ClientMetrics(name.into()));
            Ok(describe::describe_client_metrics(own))
        }
        BROKER if name.is_empty() => {
            // What was set for all brokers, and nothing else.
            let layers = Layers { cluster: Some(cluster), ..Layers::default() };
            let mut configs = describe::describe_broker(&layers);
            configs.retain(|config| cluster.contains_key(&config.name));
            for config in &mut configs {
                config.synonyms.retain(|it| it.source == ConfigSource::DynamicDefaultBroker);
            }
            Ok(configs)
        }
        BROKER_LOGGER if name.is_empty() => Err(invalid_request("Broker id must not be empty")),
        BROKER | BROKER_LOGGER => {
            let kind = resource.resource_type;
            let id: i32 = name.parse().map_err(|_| {
                invalid_request(format!("Broker id must be an integer, but it is: {name}"))
            })?;
            match kind {
                _ if id != context.node.id => {
                    let or_all = if kind == BROKER { " or empty string," } else { "" };
                    let expected = context.node.id;
                    Err(invalid_request(format!(
                        "Unexpected broker id, expected {expected}{or_all} but received {name}"
                    )))
                }
                BROKER => Ok(describe::describe_broker(&layers)),
                _ => Ok(context.node.log_levels.all().into_iter().map(logger).collect()),
            }
        }
        _ => Err(Refusal::plain(ErrorCode::InvalidRequest)),
    }
}

fn logger((name, level): (&'static str, &'static str)) -> DescribedConfig {
    DescribedConfig {
        name: name.to_owned(),
        value: Some(level.to_owned()),
        read_only: false,
        source: ConfigSource::DynamicBrokerLogger,
        sensitive: false,
        synonyms: Vec::new(),
        kind: None,
        documentation: "",
    }
}

fn invalid_request(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

/// What the request wants to see.
struct Show {
    synonyms: bool,
    types: bool,
    documentation: bool,
}

impl Show {
    fn config(&self, config: DescribedConfig) -> DescribeConfigsResourceResult {
        let mut result = DescribeConfigsResourceResult::default()
            .with_name(config.name.into())
            .with_value(config.value.map(Into::into))
            .with_read_only(config.read_only)
            .with_config_source(config.source.code())
            .with_is_sensitive(config.sensitive);
        if self.synonyms {
            let synonyms = config.synonyms.into_iter().map(|synonym| {
                DescribeConfigsSynonym::default()
                    .with_name(StrBytes::from(synonym.name.into_owned()))
                    .with_value((!config.sensitive).then(|| synonym.value.into()))
                    .with_source(synonym.source.code())
            });
            result.synonyms = synonyms.collect();
        }
        if self.types {
            result.config_type = config.kind.map_or(0, Kind::code);
        }
        if self.documentation {
            result.documentation = Some(StrBytes::from_static_str(config.documentation));
        }
        result
    }
}
