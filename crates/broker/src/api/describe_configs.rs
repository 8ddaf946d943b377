//! DescribeConfigs: topics and brokers, from the table of keys.

use std::collections::HashSet;

use ottla_config::Layers;
use ottla_config::describe::{self, DescribedConfig};
use ottla_config::keys::Kind;
use ottla_metadata::record::ConfigResource;
use ottla_metadata::{Image, Refusal};
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::{Context, text};

/// From this version on the answer holds types and documentation.
const WITH_TYPES: i16 = 3;
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

pub(super) fn handle(
    context: &Context,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let image = context.broker.metadata.image();
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
    context: &Context,
    image: &Image,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribedConfig>, Refusal> {
    let name = resource.resource_name.as_str();
    let cluster = image.config(&ConfigResource::ClusterDefault);
    match resource.resource_type {
        TOPIC => {
            let topic = image
                .topic_by_name(name)
                .ok_or_else(|| Refusal::plain(ErrorCode::UnknownTopicOrPartition))?;
            let layers = Layers {
                own: Some(image.topic_config(&topic.name)),
                broker: None,
                cluster: Some(cluster),
                file: Some(&context.broker.config.static_values),
            };
            Ok(describe::describe_topic(&layers, topic.replication_factor()))
        }
        BROKER if name.is_empty() => {
            // What was set for all brokers, and nothing else.
            let layers = Layers { cluster: Some(cluster), ..Layers::default() };
            let mut configs = describe::describe_broker(&layers);
            configs.retain(|config| cluster.contains_key(&config.name));
            Ok(configs)
        }
        BROKER if name.parse() == Ok(context.broker.id) => {
            let layers = Layers {
                own: None,
                broker: Some(image.config(&ConfigResource::Broker(context.broker.id))),
                cluster: Some(cluster),
                file: Some(&context.broker.config.static_values),
            };
            Ok(describe::describe_broker(&layers))
        }
        BROKER => {
            let message = format!(
                "Unexpected broker id, expected {} or empty string, but received {name}",
                context.broker.id
            );
            Err(Refusal::new(ErrorCode::InvalidRequest, message))
        }
        other => {
            let message = format!("Unsupported resource type: {other}");
            Err(Refusal::new(ErrorCode::InvalidRequest, message))
        }
    }
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
            result.config_type = config.kind.map_or(0, type_code);
        }
        if self.documentation {
            result.documentation = Some(StrBytes::from_static_str(config.documentation));
        }
        result
    }
}

/// Kafka's number for a type.
fn type_code(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::Text => 2,
        Kind::Int => 3,
        Kind::Short => 4,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
        Kind::Class => 8,
        Kind::Password => 9,
    }
}
